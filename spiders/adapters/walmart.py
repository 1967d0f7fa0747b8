"""Walmart (US): what the affiliate API finds, its requests signed; items carry a link that adds one to the cart."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from aggregator.domain.errors import FetchFailed, FetchRefused, StoreError, UnreadableAnswer
from aggregator.domain.offers import InvalidOffer, OfferState, RawOffer
from aggregator.domain.stores import NOT_DETECTED, Detection, HandOff, HandOffLine, Signal, Source, Store
from aggregator.domain.web_addresses import is_on_site
from aggregator.fetching import Fetcher
from aggregator.platforms import Evidence, HandOffBuilder, StorePlatform
from spiders.handoffs import origin, product_links
from spiders.live_checks import NO_LONGER_LISTED, state_of, unknown_state
from spiders.marketplaces import is_asked, marketplace_country
from spiders.store_options import header_value, names, needed_key
from spiders.untrusted import address, code, decimal, mapping, price, refused, rows, storable, text, whole

API = "https://developer.api.walmart.com/api-proxy/service/affil/product/v2"
SEARCH_PAGE = 25
# A question shows no more than these.
MOST_FOUND = 1000
ITEMS_PAGE = 20
MOST_PAGES = 20_000
_ASKS = ("query", "category", "ids")
_KEY_HINT = "of an application at Walmart's developer portal"
_STOCK = {
    "available": "InStock", "limited supply": "LimitedAvailability", "last few items": "LimitedAvailability",
    "not available": "OutOfStock",
}  # fmt: skip


class WalmartSource:
    """Reads the named items, what a question finds, or all of a category."""

    def fetch_offers(self, store: Store, fetcher: Fetcher) -> Iterator[RawOffer | InvalidOffer]:
        """Every item found. Raises StoreError where there are more than the API shows."""
        asked = is_asked(store, _ASKS)
        api = _Api(store, fetcher)
        for item in api.items(names(asked.get("ids"))):
            yield read_item(item, store)
        if "query" in asked:
            yield from (read_item(item, store) for item in api.search(asked["query"], asked.get("category")))
        elif "category" in asked:
            yield from (read_item(item, store) for item in api.category(asked["category"]))


class _Api:
    def __init__(self, store: Store, fetcher: Fetcher) -> None:
        self.root = (store.options.get("api_url") or API).rstrip("/")
        self._consumer = header_value(store, "consumer_id", needed_key(store, "consumer_id", _KEY_HINT))
        self._key = _private_key(store, needed_key(store, "private_key", f"{_KEY_HINT}, as =@FILE"))
        self._version = header_value(store, "key_version", store.options.get("key_version") or "1")
        self._publisher = store.options.get("publisher_id", "").strip()
        self._fetcher = fetcher

    def get(self, url: str) -> Mapping[str, Any]:
        try:
            return mapping(self._fetcher.get_json(url, headers=self._signed())[1])
        except FetchFailed as error:
            if error.status in {401, 403}:
                raise FetchRefused(
                    url,
                    f"does not accept the signature (HTTP {error.status}); set consumer_id and private_key anew",
                ) from error
            raise

    def _signed(self) -> dict[str, str]:
        """A signature is good for a few minutes only, so each request has its own."""
        at = str(int(time.time() * 1000))
        signature = self._key.sign(
            f"{self._consumer}\n{at}\n{self._version}\n".encode(), PKCS1v15(), SHA256()
        )
        return {
            "WM_CONSUMER.ID": self._consumer,
            "WM_CONSUMER.INTIMESTAMP": at,
            "WM_SEC.KEY_VERSION": self._version,
            "WM_SEC.AUTH_SIGNATURE": base64.b64encode(signature).decode(),
            "Accept": "application/json",
        }

    def _url(self, path: str, query: Mapping[str, str]) -> str:
        own = {"publisherId": self._publisher} if self._publisher else {}
        return f"{self.root}{path}?{urlencode({**query, **own})}"

    def items(self, ids: Sequence[str]) -> Iterator[Mapping[str, Any]]:
        for start in range(0, len(ids), ITEMS_PAGE):
            asked = {"ids": ",".join(ids[start : start + ITEMS_PAGE])}
            yield from map(mapping, rows(self.get(self._url("/items", asked)).get("items")))

    def search(self, words: str, category: str | None) -> Iterator[Mapping[str, Any]]:
        asked = {
            "query": words,
            **({"categoryId": category} if category else {}),
            "numItems": str(SEARCH_PAGE),
        }
        start = 1
        while True:
            page = self.get(self._url("/search", {**asked, "start": str(start)}))
            found, total = rows(page.get("items")), whole(page.get("totalResults"))
            if total is None or (not found and start <= total):
                raise UnreadableAnswer(self.root, f"lists nothing from {start} on, of {total}")
            yield from map(mapping, found)
            start += SEARCH_PAGE
            if start > total:
                return
            if start > MOST_FOUND:
                raise UnreadableAnswer(
                    self.root, f"finds {total}, and shows no more than {MOST_FOUND}; narrow the question"
                )

    def category(self, number: str) -> Iterator[Mapping[str, Any]]:
        url = self._url("/paginated/items", {"category": number})
        known: set[str] = set()
        for _ in range(MOST_PAGES):
            known.add(url)
            page = self.get(url)
            found = page.get("items")
            if not isinstance(found, list):
                raise UnreadableAnswer(url, "has no list of items")
            yield from map(mapping, found)
            following = text(page.get("nextPage"))
            if not following or not found:
                return
            onward = address(url, following)
            # Its address is the API's own: the signature must not go anywhere else.
            if onward is None or urlsplit(onward).netloc != urlsplit(url).netloc or onward in known:
                raise UnreadableAnswer(url, "leads in a circle or away, so its end cannot be found")
            url = onward
        raise UnreadableAnswer(self.root, f"has more than the {MOST_PAGES} pages that are walked")


def _private_key(store: Store, written: str) -> RSAPrivateKey:
    """The key as PEM, or as its bare base64 that the portal asks for."""
    pem = (
        written
        if "-----BEGIN" in written
        else f"-----BEGIN PRIVATE KEY-----\n{written}\n-----END PRIVATE KEY-----\n"
    )
    try:
        key = load_pem_private_key(pem.strip().encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise FetchRefused(store.url, "private_key is no RSA key; set it with --set private_key=@FILE")
    return key


def read_item(item: Mapping[str, Any], store: Store) -> RawOffer | InvalidOffer:
    """One item; prices are decimals in US dollars, before sales tax."""
    number = code(item.get("itemId"))
    if number is None or not re.fullmatch(r"\d{1,18}", number):
        return refused("no_id", item, title=item.get("name"), detail="an item without id")
    now, before = decimal(item.get("salePrice")), decimal(item.get("msrp"))
    is_reduced = before is not None and now is not None and before > now
    stock = (text(item.get("stock"), 40) or "").casefold()
    online = item.get("availableOnline")
    parent = code(item.get("parentItemId"))
    has_siblings = bool(rows(item.get("variants"))) or (parent is not None and parent != number)
    link = address(f"{origin(store)}/", item.get("affiliateAddToCartUrl") or item.get("addToCartUrl"))
    attributes = {name: value for name in ("color", "size") if (value := text(item.get(name), 200))}
    return RawOffer(
        external_id=number,
        url=f"{origin(store)}/ip/{number}",
        title=text(item.get("name")) or "",
        price=price(item.get("salePrice")),
        price_currency="USD",
        list_price=before if is_reduced else None,
        price_kind="sale" if is_reduced else None,
        availability="OutOfStock"
        if online is False
        else _STOCK.get(stock, online if isinstance(online, bool) else None),
        brand=text(item.get("brandName"), 200),
        gtin=code(item.get("upc")),
        mpn=code(item.get("modelNumber")),
        category=text(item.get("categoryPath"), 300),
        image_url=address(f"{origin(store)}/", item.get("largeImage") or item.get("mediumImage")),
        item_group_id=parent or number if has_siblings else None,
        variant_attributes=attributes if has_siblings else {},
        seller=text(item.get("sellerInfo"), 100),
        shipping_cost=decimal(item.get("standardShipRate")),
        item_condition="refurbished" if "refurbished" in (text(item.get("name")) or "").casefold() else None,
        handoff={"add_to_cart_url": link} if link and is_on_site(link, store.url) else {},
        source="affiliate_api",
        raw=storable(
            {name: item.get(name) for name in ("itemId", "name", "salePrice", "msrp", "stock", "upc")}
        ),
    )


def detect(evidence: Evidence) -> Detection:
    """By the marketplace's own host."""
    if marketplace_country(evidence.home.url, "walmart") != "US":
        return NOT_DETECTED
    return Detection(
        confidence=0.98,
        signals=(
            Signal("Walmart's own host", "address"),
            Signal("needs a key: --set consumer_id=… --set private_key=@FILE", "platform"),
            Signal("needs a question: --set query=…", "platform"),
        ),
        sources=(Source(kind="affiliate_api", url=API),),
        name="Walmart",
        currency="USD",
        country="US",
    )


def check_offers(store: Store, lines: Sequence[HandOffLine], fetcher: Fetcher) -> list[OfferState]:
    """Re-read all lines, twenty in a question."""
    found: dict[str, OfferState] = {}
    problem = NO_LONGER_LISTED
    ids = [line.external_id for line in lines if re.fullmatch(r"\d{1,18}", line.external_id)]
    try:
        for item in _Api(store, fetcher).items(list(dict.fromkeys(ids))):
            offer = read_item(item, store)
            found[offer.external_id] = state_of(offer, store)
    except StoreError as error:
        gone = isinstance(error, FetchFailed) and error.status == 404
        problem = problem if gone else error.problem
    return [found.get(line.external_id) or unknown_state(line.external_id, problem) for line in lines]


def build_handoff(store: Store, lines: Sequence[HandOffLine]) -> HandOff:
    """The API's own add-to-cart link for single items; it carries no quantity, so several are a page."""
    links = [_add_link(line, store) if line.quantity == 1 else None for line in lines]
    if not any(links):
        return product_links(store, lines)
    urls = tuple(link or line.url for link, line in zip(links, lines, strict=True))
    is_affiliate = bool(store.options.get("publisher_id"))
    return HandOff(kind="item_link", url=None, item_urls=urls, is_affiliate=is_affiliate)


def _add_link(line: HandOffLine, store: Store) -> str | None:
    link = dict(line.handoff).get("add_to_cart_url")
    return link if link and is_on_site(link, store.url) else None


platform = StorePlatform(
    name="walmart",
    title="Walmart",
    detect=detect,
    source=WalmartSource(),
    check_offers=check_offers,
    handoff=HandOffBuilder(kind="item_link", build=build_handoff),
    options=(*_ASKS, "publisher_id", "key_version", "api_url"),
    secret_options=("consumer_id", "private_key"),
)
