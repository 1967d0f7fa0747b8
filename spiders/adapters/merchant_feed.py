"""Product feeds (Google, Meta, Awin, CJ; XML, text, JSON), streamed; items may carry a link that fills the cart."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from aggregator.domain.errors import FetchRefused, InvalidInput, StoreError, UnreadableAnswer
from aggregator.domain.money import CURRENCIES
from aggregator.domain.normalization.prices import UnreadablePrice, read_price
from aggregator.domain.offers import InvalidOffer, OfferState, RawOffer
from aggregator.domain.stores import (
    NOT_DETECTED,
    Detection,
    HandOffLine,
    Page,
    Signal,
    Source,
    Store,
)
from aggregator.domain.web_addresses import is_on_site, join_web_address
from aggregator.fetching import Fetcher
from aggregator.platforms import Evidence, HandOffBuilder, StorePlatform
from spiders import cart_technologies
from spiders.adapters import generic
from spiders.adapters.feed_delivery import read_delivery, shipping_groups
from spiders.feed_columns import NEEDED, USUAL_COLUMNS, FeedColumns, column_name, read_columns
from spiders.feed_rows import read_rows
from spiders.live_checks import NO_LONGER_LISTED, state_of, unknown_state
from spiders.page_walks import following_feed
from spiders.untrusted import address, code, decimal, price, refused, storable, text, whole

_NAMESPACE = "base.google.com/ns/1.0"
_USUAL_PLACE = "/feed.xml"
# A shopper waits, and no store is to send a whole catalogue for a few prices.
_MOST_LIVE_BYTES = 10_000_000
_FEED_LINK = re.compile(r"<link\b[^>]*\btype=[\"']?application/(?:rss|atom)\+xml[^>]*>", re.IGNORECASE)
_HREF = re.compile(r"\bhref=[\"']?([^\"'>\s]+)", re.IGNORECASE)
_PRODUCT_FEED = re.compile(r"google|merchant|product|shopping|feed\.xml", re.IGNORECASE)
_PRICE = re.compile(r"(?:([A-Za-z]{3})\s*)?([\d.,' ]*\d)(?:\s*([A-Za-z]{3}))?")
_JSON_FEED_NAMES = ("title", "price", "availability", "(?:image_link|image_url|imageLink)", "(?:link|url)")
_VARIANT_NAMES = ("color", "size", "material", "pattern", "gender", "age_group")


class MerchantFeedSource:
    """Streams the feed; each item is an offer."""

    def fetch_offers(self, store: Store, fetcher: Fetcher) -> Iterator[RawOffer | InvalidOffer]:
        """Every item. Raises StoreError where the feed breaks off or is none."""
        url = _feed_url(store)
        now = datetime.now(UTC)
        with following_feed(url, fetcher) as feed:
            if feed.is_unchanged:
                return
            for row in read_rows(feed.pieces, url=url, columns=columns_of(store.options)):
                if _will_change(_text(row, "sale_price_effective_date"), now):
                    feed.is_lasting = False
                yield read_item(row, url, country=store.country, now=now)


def columns_of(options: Mapping[str, str]) -> FeedColumns:
    """The column map that an operator set. Raises FetchRefused for one that cannot be read."""
    try:
        return read_columns(options.get("columns"))
    except InvalidInput as error:
        raise FetchRefused(options.get("feed_url", ""), f"{error}: --set columns=…") from error


def _feed_url(store: Store) -> str:
    url = store.options.get("feed_url")
    if not url:
        raise FetchRefused(store.url, "no feed is known; give it with --set feed_url=https://…")
    return url


def read_item(
    row: Mapping[str, Any], feed_url: str, *, country: str | None = None, now: datetime | None = None
) -> RawOffer | InvalidOffer:
    """One item of a feed, its prices as "15.00 EUR" or in the wilder forms that normalization reads."""
    external_id, title = _text(row, "id"), _text(row, "title")
    url = address(feed_url, _text(row, "link"))
    if external_id is None or title is None or url is None:
        missing = [
            name for name, value in (("id", external_id), ("title", title), ("link", url)) if not value
        ]
        return refused(
            f"no_{missing[0]}", dict(row), external_id=external_id, title=title, url=url or "",
            detail=f"a feed item without {' and '.join(missing)}",
        )  # fmt: skip
    if "subscription_cost" in row:
        return refused(
            "subscription", dict(row), external_id=external_id, title=title, url=url,
            detail="the price is only the first payment",
        )  # fmt: skip
    return listed_item(row, feed_url, country=country, now=now)


def listed_item(
    row: Mapping[str, Any], feed_url: str, *, country: str | None = None, now: datetime | None = None
) -> RawOffer:
    """What the feed says of any item, also of one without an id, a title or a link: those are empty then."""
    told = _text(row, "currency")
    asked, currency = _price(row.get("price"), told)
    sale, sale_currency = _price(row.get("sale_price"), told)
    before, before_currency = _price(row.get("list_price"), told)
    is_reduced = (
        sale_currency in (None, currency)
        and _is_lower(sale, asked, currency)
        and _is_now(_text(row, "sale_price_effective_date"), now or datetime.now(UTC))
    )
    shipping = _shipping(row.get("shipping"), currency, country)
    template = _text(row, "checkout_link_template")
    return RawOffer(
        external_id=_text(row, "id") or "",
        url=address(feed_url, _text(row, "link")) or "",
        title=_text(row, "title") or "",
        price=sale if is_reduced else asked,
        price_currency=currency,
        list_price=asked if is_reduced else before if before_currency in (None, currency) else None,
        price_kind="sale" if is_reduced else None,
        availability=_availability(row.get("availability")),
        stock_level=whole(_text(row, "quantity")),
        item_condition=_text(row, "condition"),
        brand=_text(row, "brand"),
        gtin=code(_text(row, "gtin")),
        mpn=code(_text(row, "mpn")),
        category=_text(row, "product_type") or _text(row, "google_product_category"),
        image_url=address(feed_url, _text(row, "image_link")),
        item_group_id=code(_text(row, "item_group_id")),
        variant_attributes={name: value for name in _VARIANT_NAMES if (value := _text(row, name))},
        shipping_cost=_delivery(row, currency) if shipping is None else shipping,
        delivery=read_delivery(row, currency, read_feed_price),
        handoff={"checkout_link_template": template} if template else {},
        source="feed",
        raw=storable(dict(row)),
    )


def _text(row: Mapping[str, Any], name: str) -> str | None:
    value = row.get(name)
    return text(value[0] if isinstance(value, list) else value)


def _price(value: Any, currency: str | None) -> tuple[Decimal | str | None, str | None]:
    """A price in words ("15.00 EUR"), as a number, or as the objects of Google's APIs; `currency` is the row's own."""
    if isinstance(value, list):
        value = value[0] if value else None
    if not isinstance(value, dict):
        amount, named = read_feed_price(text(value, 100))
        return amount, named or currency
    micros = whole(value.get("amount_micros"))
    amount = Decimal(micros).scaleb(-6) if micros is not None else price(_either(value, "value", "amount"))
    return amount, text(_either(value, "currency_code", "currency"), 3) or currency


def _either(value: Mapping[str, Any], *names: str) -> Any:
    return next((value[name] for name in names if value.get(name) is not None), None)


def _availability(value: Any) -> str | bool | None:
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, bool):
        return value
    words = text(value, 100)
    return {"1": True, "0": False}.get(words, words) if words else None


def _delivery(row: Mapping[str, Any], currency: str | None) -> Decimal | None:
    """What a column of delivery costs says: an amount in the row's currency, or that it is free."""
    words = _text(row, "delivery_cost")
    if words and words.lower() in {"free", "gratis", "kostenlos", "gratuit"}:
        return Decimal(0)
    amount, named = read_feed_price(words)
    return amount if isinstance(amount, Decimal) and amount >= 0 and named in (None, currency) else None


def read_feed_price(words: str | None) -> tuple[Decimal | str | None, str | None]:
    """("15.00 EUR") as (15.00, "EUR"); amounts in other notations stay text beside their currency."""
    found = _PRICE.fullmatch(words.strip()) if words else None
    currency = (found[3] or found[1] or "").upper() if found else ""
    if found is None or (currency and currency not in CURRENCIES):
        return words, None
    # "1.299 EUR" may be a thousand: that is for normalization to judge.
    exact = None if re.fullmatch(r"[1-9]\d{0,2}\.\d{3}", found[2]) else decimal(found[2])
    return (exact if exact is not None else found[2]), currency or None


def _is_lower(sale: Decimal | str | None, asked: Decimal | str | None, currency: str | None) -> bool:
    """Whether both are prices, in whatever notation, and the first is the lower one."""
    try:
        # Without a currency any will do to compare the two.
        return read_price(sale, currency or "EUR")[0] < read_price(asked, currency or "EUR")[0]
    except UnreadablePrice:
        return False


def _is_now(dates: str | None, now: datetime) -> bool:
    """Whether a sale is on: always without dates, never with dates that cannot be read."""
    if not dates:
        return True
    try:
        start, end = (datetime.fromisoformat(part.strip()) for part in dates.split("/"))
        begins, ends = (at if at.tzinfo else at.replace(tzinfo=UTC) for at in (start, end))
    except ValueError:
        return False
    return begins <= now <= ends


def _will_change(dates: str | None, now: datetime) -> bool:
    """Whether a sale begins or ends later, so that the same words will mean another price."""
    return bool(dates) and _is_now(f"{now.isoformat()}/{(dates or '').rpartition('/')[2].strip()}", now)


def _shipping(value: Any, currency: str | None, country: str | None) -> Decimal | None:
    """What the feed asks for shipping to the store's own country, where it says exactly one price."""
    groups = shipping_groups(value)
    chosen = {group.price for group in groups if country is None or group.country in (None, country)}
    if len(chosen) != 1:
        return None
    amount, named = read_feed_price(chosen.pop())
    return amount if isinstance(amount, Decimal) and named in (None, currency) else None


def looks_like_feed(beginning: str) -> bool:
    """Whether a text begins like a product feed: Google's XML, or a table or JSON with all that an offer needs."""
    start = beginning[:4000].lstrip("\ufeff").lstrip()
    if start.startswith("<"):
        return _NAMESPACE in start and bool(
            re.match(r"(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<(\w+:)?(rss|feed|rdf)\b", start, re.I | re.S)
        )
    if start.startswith(("[", "{")):
        # Many APIs answer lists of things; a feed's items tell their availability and picture under feed names, too.
        return all(re.search(rf'"(?:\w+:)?{name}"\s*:', start) for name in _JSON_FEED_NAMES)
    header = re.split(r"[\t,;|]", start.split("\n")[0])
    return set(NEEDED) <= USUAL_COLUMNS.names_of(column_name(name) for name in header)


def detect(evidence: Evidence) -> Detection:
    """A feed at the given address itself, linked from the home page, or at its usual place."""
    home = evidence.home
    if home.status == 200 and looks_like_feed(home.text):
        return _detection(home, 0.97, "the address itself")
    linked = [
        found[1]
        for tag in _FEED_LINK.findall(home.text)
        if (found := _HREF.search(tag)) and _PRODUCT_FEED.search(tag)
    ]
    place = join_web_address(home.url, text(linked[0]) or "") if linked else _USUAL_PLACE
    if place is None or not (place.startswith("/") or is_on_site(place, home.url)):
        return NOT_DETECTED
    page = evidence.get(place)
    if page is None or page.status != 200 or not looks_like_feed(page.text):
        return NOT_DETECTED
    return _detection(page, 0.85, "linked from the home page" if linked else _USUAL_PLACE)


def _detection(page: Page, confidence: float, where: str) -> Detection:
    try:
        first = next(read_rows([page.text.encode("utf-8", "replace")], url=page.url), {})
    except UnreadableAnswer:
        return NOT_DETECTED
    if not all(first.get(wanted) for wanted in NEEDED):
        return NOT_DETECTED
    channel = re.search(
        r"<(?:channel|feed)\b.*?<title>(?:<!\[CDATA\[)?([^<\]]{1,200})", page.text[:4000], re.I | re.S
    )
    name = text(channel[1]) if channel else None
    currency = _price(first.get("price"), _text(first, "currency"))[1]
    return Detection(
        confidence=confidence,
        signals=(Signal("a product feed with Google's attribute names", where),),
        sources=(Source(kind="feed", url=page.url),),
        name=name,
        currency=currency,
        options={"feed_url": page.url},
    )


def check_offers(store: Store, lines: Sequence[HandOffLine], fetcher: Fetcher) -> list[OfferState]:
    """Re-read the feed up to the last of the wanted items; of a feed too large for that, each item's own page."""
    wanted = {line.external_id for line in lines}
    found: dict[str, OfferState] = {}
    problem = NO_LONGER_LISTED
    try:
        url = _feed_url(store)
        pieces = fetcher.stream(url, max_bytes=_MOST_LIVE_BYTES)
        for row in read_rows(pieces, url=url, columns=columns_of(store.options)):
            if _text(row, "id") in wanted:
                item = read_item(row, url, country=store.country)
                found[item.external_id] = state_of(item, store)
                if len(found) == len(wanted):
                    break
    except FetchRefused as error:
        problem = error.problem
        missing = [line for line in lines if line.external_id not in found]
        found |= {state.external_id: state for state in generic.check_offers(store, missing, fetcher)}
    except StoreError as error:
        problem = error.problem
    return [found.get(line.external_id) or unknown_state(line.external_id, problem) for line in lines]


platform = StorePlatform(
    name="merchant_feed",
    title="Product feed",
    detect=detect,
    source=MerchantFeedSource(),
    check_offers=check_offers,
    handoff=HandOffBuilder(kind="cart_link", build=cart_technologies.build_handoff),
    options=("feed_url", "columns", *cart_technologies.OPTIONS),
)
