"""Probing an address: which platform a store runs on, told with its evidence, in at most eight requests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from aggregator.domain.errors import FetchRefused, StoreError
from aggregator.domain.normalization import normalize_offer
from aggregator.domain.offers import InvalidOffer, Offer, RawOffer
from aggregator.domain.stores import NOT_DETECTED, Detection, HandOffKind, HandOffLine, Page, Store
from aggregator.domain.web_addresses import read_web_address
from aggregator.fetching import AddressGuard, Fetcher
from aggregator.platforms import StorePlatform
from aggregator.settings import Settings
from aggregator.shopping.hand_off_links import build_hand_off
from spiders.cart_technologies import with_cart_technology
from spiders.commerce_profiles import with_commerce_profile
from spiders.fingerprints import Recognised, asks_to_sign_in, find_obstacle, recognise
from spiders.pages import select_page
from spiders.pages.base import Document
from spiders.pages.shells import is_shell
from spiders.probe_evidence import MOST_REQUESTS, RememberingFetcher, as_page
from spiders.schedules import Schedule, propose_schedule
from spiders.technologies import TECHNOLOGIES
from spiders.verdicts import Verdict, find_platform

_SAMPLE = 5


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
    technologies: tuple[str, ...] = ()
    schedule: Schedule | None = None
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
            "technologies": list(self.technologies),
            "options": dict(found.options),
            "schedule": self.schedule.to_json() if self.schedule else None,
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


def probe(url: str, settings: Settings, *, fetcher: Fetcher | None = None) -> ProbeResult:
    """Find out how a store can be read. Raises InvalidInput for what is no address, never a StoreError.

    "unknown" is an answer: it comes with whatever evidence there is. `fetcher` is there for tests.
    """
    start = complete_address(url, settings)
    address = read_web_address(start)
    with fetcher or RememberingFetcher(settings, budget=MOST_REQUESTS) as used:
        robots = "unreachable"
        try:
            AddressGuard(settings).check(start)
            rules = used.robots(start)
            robots = "unreachable" if rules.state == "unreachable" else "allowed"
            if not rules.allows(start):
                robots = "unreachable" if rules.state == "unreachable" else "disallowed"
                raise FetchRefused(start, f"robots.txt: {robots}")
            home = as_page(used.get(start))
        except StoreError as error:
            return _unknown(address.origin, robots, used, problem=str(error))
        root = read_web_address(home.url).origin
        recognised = recognise(home, TECHNOLOGIES)
        obstacle = find_obstacle(home)
        if obstacle is not None:
            # Whoever guards a site like this wants no program on it: nothing more is asked.
            return _unknown(root, robots, used, recognised, problem=f"{start}: answered with {obstacle}")
        verdict = find_platform(used, home, recognised)
        if verdict.platform is None:
            detection = with_commerce_profile(verdict.detection, used, home)
            return _unknown(
                root, robots, used, recognised, detection, f"{start}: {_what_is_missing(home, recognised)}"
            )
        return _known(settings, root, robots, used, home, recognised, verdict, rules.crawl_delay)


def _known(
    settings: Settings,
    root: str,
    robots: str,
    fetcher: Fetcher,
    home: Page,
    recognised: list[Recognised],
    verdict: Verdict,
    crawl_delay: float,
) -> ProbeResult:
    platform, found = verdict.platform, verdict.detection
    assert platform is not None, "only a verdict with a platform is known"
    store = Store(
        id="",
        slug="",
        name=found.name or "",
        url=root,
        platform=platform.name,
        country=found.country,
        currency=found.currency,
        options=found.options,
    )
    sample = _sample(platform, store, found, fetcher)
    found = with_cart_technology(with_commerce_profile(found, fetcher, home), platform, recognised, sample)
    return ProbeResult(
        url=root,
        platform=platform.name,
        # The platform's own signals come first; its marks would only repeat them.
        detection=_with_technologies(
            found, [one for one in recognised if one.technology.platform != platform.name]
        ),
        robots=robots,
        hand_off=_hand_off_kind(platform, replace(store, options=found.options), sample),
        requests=fetcher.requests,
        sample=sample,
        technologies=_titles(recognised),
        schedule=propose_schedule(
            platform, found, usual_interval=settings.crawl_interval, crawl_delay=crawl_delay
        ),
    )


def complete_address(url: str, settings: Settings) -> str:
    """The address with its scheme, where a person left it out."""
    text = url.strip()
    if "://" in text:
        return text
    authority = text.partition("/")[0].lower()
    return f"{'http' if authority in settings.allow_private_hosts else 'https'}://{text}"


def _unknown(
    root: str,
    robots: str,
    fetcher: Fetcher,
    recognised: list[Recognised] | None = None,
    detection: Detection = NOT_DETECTED,
    problem: str = "",
) -> ProbeResult:
    return ProbeResult(
        url=root,
        platform="unknown",
        detection=_with_technologies(detection, recognised or []),
        robots=robots,
        hand_off=None,
        requests=fetcher.requests,
        technologies=_titles(recognised or []),
        problem=problem,
    )


def _titles(recognised: list[Recognised]) -> tuple[str, ...]:
    return tuple(one.technology.title for one in recognised)


def _with_technologies(found: Detection, recognised: list[Recognised]) -> Detection:
    told = tuple(signal for one in recognised for signal in one.signals[:3])
    return replace(found, signals=(*found.signals, *told))


def _what_is_missing(home: Page, recognised: list[Recognised]) -> str:
    """Why nothing was found to read, as far as the home page tells."""
    names = ", ".join(_titles(recognised))
    made_with = f" It looks made with {names}." if names else ""
    if home.status != 200:
        return f"answered HTTP {home.status}.{made_with}"
    if asks_to_sign_in(home):
        return f"asks to sign in before it shows anything.{made_with}"
    if is_shell(Document(home)):
        return f"needs a browser: its pages are empty until scripts draw them.{made_with}"
    return f"no shop that can be read was found.{made_with}"


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
    return build_hand_off(store, lines).kind if lines else platform.handoff.kind
