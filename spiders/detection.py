"""Probing an address: which platform a store runs on, told with its evidence, in at most eight requests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from aggregator.domain.errors import FetchRefused, StoreError
from aggregator.domain.normalization import normalize_offer
from aggregator.domain.offers import InvalidOffer, Offer, RawOffer
from aggregator.domain.stores import (
    NOT_DETECTED,
    Detection,
    HandOffKind,
    HandOffLine,
    Page,
    Store,
)
from aggregator.domain.web_addresses import is_on_site, join_web_address, read_web_address
from aggregator.fetching import AddressGuard, Answer, Fetcher
from aggregator.fetching.answers import gunzipped_if_gzip
from aggregator.platforms import StorePlatform, installed_platforms
from aggregator.settings import Settings
from spiders.pages import select_page

MOST_REQUESTS = 8
# Below this the honest answer is "unknown".
_SURE = 0.6
_CERTAIN = 0.95
_SAMPLE = 5
_MOST_BYTES = 20_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """What a probe found out. `url` is the store's root as it would be registered."""

    url: str
    platform: str
    detection: Detection
    robots: str
    hand_off: HandOffKind | None
    requests: int
    sample: tuple[Offer, ...] = ()
    problem: str | None = None

    @property
    def is_known(self) -> bool:
        """Whether the store can be read."""
        return self.platform != "unknown"

    def to_json(self) -> dict[str, Any]:
        """As `probe --json` prints it."""
        found = self.detection
        return {
            "platform": self.platform,
            "confidence": found.confidence,
            "signals": [{"what": signal.what, "where": signal.where} for signal in found.signals],
            "currency": found.currency,
            "country": found.country,
            "robots": self.robots,
            "hand_off": self.hand_off,
            "sources": [{"kind": source.kind, "url": source.url} for source in found.sources],
            "requests": self.requests,
            "sample": [offer_json(offer) for offer in self.sample],
            "url": self.url,
            "name": found.name,
            "problem": self.problem,
        }


def offer_json(offer: Offer) -> dict[str, Any]:
    """An offer under the names that the `offers` command uses."""
    return {
        "external_id": offer.external_id,
        "name": offer.title,
        "brand": offer.brand,
        "mpn": offer.mpn,
        "gtin": offer.gtin,
        "price": offer.price.plain(),
        "currency": offer.price.currency,
        "availability": offer.availability.value if offer.availability else None,
        "url": offer.url,
        "item_group_id": offer.item_group_id,
    }


class _RememberingFetcher(Fetcher):
    """Answers an address that was asked before from memory, and cuts long answers off."""

    def __init__(self, settings: Settings, **options: Any) -> None:
        super().__init__(settings, **options)
        self._known: dict[str, Answer] = {}

    def get(self, url: str, **options: Any) -> Answer:
        """As Fetcher.get, once an address."""
        if url not in self._known:
            self._known[url] = super().get(url, **{**options, "max_bytes": _MOST_BYTES, "is_cut": True})
        return self._known[url]


class _ProbeEvidence:
    def __init__(self, fetcher: Fetcher, home: Page) -> None:
        self._fetcher = fetcher
        self._home = home
        self._refused: set[str] = set()

    @property
    def home(self) -> Page:
        return self._home

    def get(self, path: str) -> Page | None:
        url = join_web_address(self._home.url, path)
        if url is None or url in self._refused or not is_on_site(url, self._home.url):
            return None
        try:
            if path == "/robots.txt":
                rules = self._fetcher.robots(url)
                return Page(url, 200 if rules.state == "read" else 404, {}, rules.text)
            return _page(self._fetcher.get(url))
        except StoreError:
            self._refused.add(url)
            return None


def _page(answer: Answer) -> Page:
    body = answer.body
    if body.startswith(b"\x1f\x8b"):
        pieces: list[bytes] = []
        try:
            for piece in gunzipped_if_gzip([body], url=answer.url):
                pieces.append(piece)
                if len(pieces) * 65_536 > _MOST_BYTES:
                    break
        except StoreError:
            pass  # Cut off in the middle of the file: its beginning is enough to tell what it is.
        answer = Answer(answer.url, answer.status, {}, b"".join(pieces))
    return Page(answer.url, answer.status, answer.headers, answer.text)


def probe(url: str, settings: Settings, *, fetcher: Fetcher | None = None) -> ProbeResult:
    """Find out how a store can be read. Raises InvalidInput for what is no address, never a StoreError.

    "unknown" is an answer: it comes with whatever evidence there is. `fetcher` is there for tests.
    """
    address = read_web_address(complete_address(url, settings))
    start = complete_address(url, settings)
    with fetcher or _RememberingFetcher(settings, budget=MOST_REQUESTS) as used:
        robots = "unreachable"
        try:
            AddressGuard(settings).check(start)
            rules = used.robots(start)
            robots = "unreachable" if rules.state == "unreachable" else "allowed"
            if not rules.allows(start):
                robots = "unreachable" if rules.state == "unreachable" else "disallowed"
                raise FetchRefused(start, f"robots.txt: {robots}")
            home = _page(used.get(start))
        except StoreError as error:
            return _unknown(address.origin, robots, used, NOT_DETECTED, str(error))
        evidence = _ProbeEvidence(used, home)
        platform, detection = _best(evidence)
        root = read_web_address(home.url).origin
        if platform is None:
            problem = f"answered HTTP {home.status}" if home.status != 200 else "no platform is recognised"
            return _unknown(root, robots, used, detection, f"{start}: {problem}")
        store = Store(
            id="",
            slug="",
            name=detection.name or "",
            url=root,
            platform=platform.name,
            country=detection.country,
            currency=detection.currency,
            options=detection.options,
        )
        sample = _sample(platform, store, detection, used)
        return ProbeResult(
            url=root,
            platform=platform.name,
            detection=detection,
            robots=robots,
            hand_off=_hand_off_kind(platform, store, sample),
            requests=used.requests,
            sample=sample,
        )


def complete_address(url: str, settings: Settings) -> str:
    """The address with its scheme, where a person left it out."""
    text = url.strip()
    if "://" in text:
        return text
    authority = text.partition("/")[0].lower()
    return f"{'http' if authority in settings.allow_private_hosts else 'https'}://{text}"


def _unknown(root: str, robots: str, fetcher: Fetcher, detection: Detection, problem: str) -> ProbeResult:
    return ProbeResult(
        url=root,
        platform="unknown",
        detection=detection,
        robots=robots,
        hand_off=None,
        requests=fetcher.requests,
        problem=problem,
    )


def _best(evidence: _ProbeEvidence) -> tuple[StorePlatform | None, Detection]:
    """The most confident platform; product pages of no known platform are asked for last."""
    platforms = installed_platforms()
    best: tuple[StorePlatform | None, Detection] = (None, NOT_DETECTED)
    for platform in sorted(platforms.values(), key=lambda one: (one.spider is not None, one.name)):
        if best[0] is not None and (platform.spider is not None or best[1].confidence >= _CERTAIN):
            continue
        detection = platform.detect(evidence)
        if detection.confidence > best[1].confidence:
            best = (platform if detection.confidence >= _SURE else None, detection)
    return best


def _sample(
    platform: StorePlatform, store: Store, detection: Detection, fetcher: Fetcher
) -> tuple[Offer, ...]:
    found: list[Offer] = []
    try:
        raws: Iterable[RawOffer | InvalidOffer]
        if platform.source is not None:
            raws = islice(platform.source.fetch_offers(store, fetcher), 50)
        else:
            pages = [source.url for source in detection.sources if source.kind == "pages"]
            raws = (raw for url in pages for raw in select_page(fetcher.get(url)).to_raw_offers())
        for raw in raws:
            offer = (
                raw
                if isinstance(raw, InvalidOffer)
                else normalize_offer(raw, default_currency=store.currency)
            )
            if isinstance(offer, Offer):
                found.append(offer)
            if len(found) == _SAMPLE:
                break
    except StoreError:
        pass  # What was read until then is the sample.
    return tuple(found)


def _hand_off_kind(platform: StorePlatform, store: Store, sample: tuple[Offer, ...]) -> HandOffKind:
    """What the platform can do for this very store, tried on the sample."""
    lines = [
        HandOffLine(
            external_id=offer.external_id, title=offer.title, url=offer.url, quantity=1, handoff=offer.handoff
        )
        for offer in sample[:2]
    ]
    return platform.handoff.build(store, lines).kind if lines else platform.handoff.kind


def masked(options: Mapping[str, str], secret: tuple[str, ...]) -> dict[str, str]:
    """Options as they may be shown."""
    return {name: "•••" if name in secret else value for name, value in options.items()}
