"""Etsy: active listings of shops or of a question to the Open API v3; the choice is made on the listing's page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

from aggregator.domain.errors import FetchFailed, FetchRefused, StoreError, UnreadableAnswer
from aggregator.domain.offers import InvalidOffer, OfferState, RawOffer
from aggregator.domain.stores import NOT_DETECTED, Detection, HandOffLine, Signal, Source, Store
from aggregator.domain.web_addresses import read_web_address
from aggregator.fetching import Fetcher
from aggregator.platforms import Evidence, HandOffBuilder, StorePlatform
from spiders.handoffs import product_links
from spiders.live_checks import NO_LONGER_LISTED, state_of, unknown_state
from spiders.marketplaces import is_asked, marketplace_country
from spiders.store_options import header_value, names, needed_key
from spiders.untrusted import address, code, mapping, refused, rows, storable, text, whole

API = "https://api.etsy.com/v3"
PAGE_SIZE = 100
# Offsets beyond this are refused.
MOST_FOUND = 12_000
_ASKS = ("shop", "query", "category", "ids")
_KEY_HINT = "with shared_secret: the keystring of an app that Etsy has approved"


class EtsySource:
    """Walks the listings of the named shops, or those that a question finds, or the named ones."""

    def fetch_offers(self, store: Store, fetcher: Fetcher) -> Iterator[RawOffer | InvalidOffer]:
        """Every active listing. Raises StoreError where there are more than the API shows."""
        asked = is_asked(store, _ASKS)
        api = _Api(store, fetcher)
        if "ids" in asked:
            yield from map(read_listing, api.listings(names(asked["ids"])))
        for shop in names(asked.get("shop")):
            path = f"/application/shops/{quote(api.shop_id(shop), safe='')}/listings/active"
            yield from map(read_listing, api.walk(path, {}))
        query = {
            word: asked[name]
            for name, word in (("query", "keywords"), ("category", "taxonomy_id"))
            if name in asked
        }
        if query:
            yield from map(read_listing, api.walk("/application/listings/active", query))


class _Api:
    def __init__(self, store: Store, fetcher: Fetcher) -> None:
        key = needed_key(store, "api_key", _KEY_HINT)
        # Keystring and shared secret go together since February 2026; the two may be given as one.
        if ":" not in key:
            key = f"{key}:{needed_key(store, 'shared_secret', 'that belongs to the api_key')}"
        self.root = (store.options.get("api_url") or API).rstrip("/")
        self._headers = {"x-api-key": header_value(store, "api_key", key)}
        self._fetcher = fetcher

    def get(self, path: str, query: Mapping[str, str]) -> Mapping[str, Any]:
        url = f"{self.root}{path}" + (f"?{urlencode(query)}" if query else "")
        try:
            return mapping(self._fetcher.get_json(url, headers=self._headers)[1])
        except FetchFailed as error:
            if error.status in {401, 403}:
                raise FetchRefused(
                    url, f"does not accept the key (HTTP {error.status}); set api_key and shared_secret anew"
                ) from error
            raise

    def shop_id(self, shop: str) -> str:
        """The number of a shop that is given by number or by name."""
        if shop.isascii() and shop.isdigit():
            return shop
        found = [
            mapping(one) for one in rows(self.get("/application/shops", {"shop_name": shop}).get("results"))
        ]
        for one in found:
            number = whole(one.get("shop_id"))
            if number is not None and (text(one.get("shop_name")) or "").casefold() == shop.casefold():
                return str(number)
        raise FetchRefused(self.root, f"knows no shop {shop[:60]!r}; name it with --set shop=…")

    def walk(self, path: str, query: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
        offset = 0
        while True:
            page = self.get(path, {**query, "limit": str(PAGE_SIZE), "offset": str(offset)})
            found, total = rows(page.get("results")), whole(page.get("count"))
            if total is None or (not found and offset < total):
                raise UnreadableAnswer(self.root, f"lists nothing from {offset} on, of {total}")
            yield from map(mapping, found)
            offset += PAGE_SIZE
            if offset >= total:
                return
            if offset >= MOST_FOUND:
                raise UnreadableAnswer(
                    self.root, f"finds {total}, and shows no more than {MOST_FOUND:,}; narrow the question"
                )

    def listings(self, ids: Sequence[str]) -> Iterator[Mapping[str, Any]]:
        for start in range(0, len(ids), PAGE_SIZE):
            asked = {"listing_ids": ",".join(ids[start : start + PAGE_SIZE]), "includes": "Images,Shop"}
            yield from map(mapping, rows(self.get("/application/listings/batch", asked).get("results")))


def read_listing(listing: Mapping[str, Any]) -> RawOffer | InvalidOffer:
    """One listing: its amount is a whole number over its own divisor, the lowest where it has variations."""
    listing_id = code(listing.get("listing_id"))
    state = text(listing.get("state"), 40)
    if listing_id is None:
        return refused("no_id", listing, title=listing.get("title"), detail="a listing without id")
    left = whole(listing.get("quantity"))
    asked = mapping(listing.get("price"))
    has_choice = listing.get("has_variations") is True
    skus = [sku for one in rows(listing.get("skus")) if (sku := code(one))]
    picture = mapping(next(iter(rows(listing.get("images"))), None))
    is_active = state in (None, "active")
    return RawOffer(
        external_id=listing_id,
        url=address("https://www.etsy.com/", listing.get("url"))
        or f"https://www.etsy.com/listing/{listing_id}",
        title=text(listing.get("title")) or "",
        price=_amount(asked),
        price_currency=text(asked.get("currency_code"), 10),
        price_kind="from" if has_choice else None,
        availability="OutOfStock" if not is_active or left == 0 else "InStock" if left else None,
        stock_level=left if is_active and not has_choice else None,
        sku=skus[0] if len(skus) == 1 else None,
        image_url=address("https://www.etsy.com/", picture.get("url_570xN") or picture.get("url_fullxfull")),
        seller=text(mapping(listing.get("shop")).get("shop_name"), 100),
        handoff={"needs_choice": "yes"} if has_choice else {},
        source="open_api",
        raw=storable(
            {
                name: listing.get(name)
                for name in ("listing_id", "title", "state", "quantity", "price", "has_variations")
            }
        ),
    )


def _amount(asked: Mapping[str, Any]) -> Decimal | None:
    amount, divisor = whole(asked.get("amount")), whole(asked.get("divisor"))
    if amount is None or divisor is None or not 0 < divisor <= 10**6:
        return None
    return Decimal(amount) / Decimal(divisor)


def detect(evidence: Evidence) -> Detection:
    """By the marketplace's own host; a shop's address names the shop to read."""
    host = read_web_address(evidence.home.url).host
    if marketplace_country(evidence.home.url, "etsy") != "US":
        return NOT_DETECTED
    parts = [part for part in evidence.home.url.split(host, 1)[-1].partition("?")[0].split("/") if part]
    shop = next((parts[place + 1] for place, part in enumerate(parts[:-1]) if part == "shop"), None)
    return Detection(
        confidence=0.98,
        signals=(
            Signal("Etsy's own host", "address"),
            Signal("needs a key: --set api_key=… --set shared_secret=…", "platform"),
            Signal(
                "reads the shop of the address" if shop else "needs a question: --set shop=… or query=…",
                "platform",
            ),
        ),
        sources=(Source(kind="open_api", url=API),),
        name=shop or "Etsy",
        options={"shop": shop} if shop else {},
    )


def check_offers(store: Store, lines: Sequence[HandOffLine], fetcher: Fetcher) -> list[OfferState]:
    """Re-read all lines in one question."""
    found: dict[str, OfferState] = {}
    problem = NO_LONGER_LISTED
    ids = [line.external_id for line in lines if line.external_id.isascii() and line.external_id.isdigit()]
    try:
        for offer in map(read_listing, _Api(store, fetcher).listings(list(dict.fromkeys(ids)))):
            found[offer.external_id] = state_of(offer, store)
    except StoreError as error:
        problem = error.problem
    return [found.get(line.external_id) or unknown_state(line.external_id, problem) for line in lines]


platform = StorePlatform(
    name="etsy",
    title="Etsy",
    detect=detect,
    source=EtsySource(),
    check_offers=check_offers,
    handoff=HandOffBuilder(kind="product_link", build=product_links),
    options=(*_ASKS, "api_url"),
    secret_options=("api_key", "shared_secret"),
)
