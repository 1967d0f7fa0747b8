"""From what a store says to what the catalogue holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from aggregator.domain.delivery import DeliveryTerms
from aggregator.domain.identifiers import read_gtin
from aggregator.domain.money import Money
from aggregator.domain.normalization.measures import read_pack_size
from aggregator.domain.normalization.names import MAX_TITLE, clean_brand, clean_text, clean_url
from aggregator.domain.normalization.prices import UnreadablePrice, read_price
from aggregator.domain.normalization.rules import NO_RULES, OfferRules, raw_offer_to_json
from aggregator.domain.offers import InvalidOffer, Offer, RawOffer
from aggregator.domain.vocabulary import ItemCondition, PriceKind, read_availability, read_condition

_MAX_RAW = 20_000


def normalize_offer(
    raw: RawOffer, *, default_currency: str | None = None, rules: OfferRules = NO_RULES
) -> Offer | InvalidOffer:
    """Read one raw offer; what cannot be trusted comes back as an InvalidOffer with reason and raw text.

    Title, address, the store's key and a positive price in a known currency are required. Everything
    else that cannot be read is left out of the offer, because a wrong GTIN or picture must not cost
    the shopper the offer.
    """
    try:
        return _read(rules.apply(raw), default_currency)
    except UnreadablePrice as error:
        return refuse(raw, error.reason, error.text)
    except (ValueError, TypeError, AttributeError, ArithmeticError) as error:
        return refuse(raw, "malformed", f"{type(error).__name__}: {error}"[:200])


def refuse(raw: RawOffer, reason: str, detail: str) -> InvalidOffer:
    """The quarantined form of a raw offer."""
    return InvalidOffer(
        external_id=clean_text(raw.external_id),
        title=clean_text(raw.title, MAX_TITLE),
        url=clean_text(raw.url, 2000),
        reason=reason,
        detail=clean_text(detail),
        raw=safe_json(raw.raw if raw.raw is not None else asdict(raw)),
        offer=safe_json(raw_offer_to_json(raw)),
    )


def safe_json(value: Any) -> Mapping[str, Any]:
    """A JSON object that PostgreSQL can keep: no NUL, no lone surrogate, no NaN, bounded in size."""
    text = json.dumps(value, default=str, ensure_ascii=True, skipkeys=True)
    if len(text) > _MAX_RAW:
        return {"cut": clean_text(text, _MAX_RAW)}
    try:
        kept = json.loads(text.replace("\\u0000", ""), parse_constant=str)
        json.dumps(kept, ensure_ascii=False).encode()
    except (ValueError, UnicodeEncodeError):
        return {"text": clean_text(text, _MAX_RAW)}
    return kept if isinstance(kept, dict) else {"value": kept}


def _read(raw: RawOffer, default_currency: str | None) -> Offer | InvalidOffer:
    external_id = clean_text(raw.external_id, 500)
    title = clean_text(raw.title, MAX_TITLE)
    url = clean_url(raw.url)
    if not external_id:
        return refuse(raw, "no_id", "")
    if not title:
        return refuse(raw, "no_title", "")
    if url is None:
        return refuse(raw, "bad_url", str(raw.url))
    price, is_from = read_price(raw.price, raw.price_currency or default_currency)
    list_price = _optional_price(raw.list_price, price.currency)
    if list_price is not None and not price < list_price:
        list_price = None
    return Offer(
        external_id=external_id,
        url=url,
        title=title,
        price=price,
        list_price=list_price,
        price_kind=_price_kind(raw.price_kind, is_from=is_from, is_reduced=list_price is not None),
        availability=read_availability(raw.availability),
        stock_level=_stock_level(raw.stock_level),
        item_condition=read_condition(raw.item_condition) or ItemCondition.NEW,
        brand=clean_brand(raw.brand),
        gtin=read_gtin(clean_text(raw.gtin)),
        mpn=clean_text(raw.mpn, 100) or None,
        sku=clean_text(raw.sku, 100) or None,
        category=clean_text(raw.category) or None,
        image_url=clean_url(raw.image_url),
        item_group_id=clean_text(raw.item_group_id) or None,
        variant_attributes=_pairs(raw.variant_attributes),
        pack_size=read_pack_size(title),
        seller=clean_text(raw.seller, 100) or None,
        shipping_cost=_shipping_cost(raw.shipping_cost),
        delivery=None if raw.delivery is None else DeliveryTerms.read(raw.delivery).to_json(),
        handoff=tuple(
            (clean_text(key, 50), clean_text(value, 2000)) for key, value in sorted(raw.handoff.items())
        ),
        source=raw.source,
        reading=None if raw.reading is None else safe_json(raw.reading),
    )


def _optional_price(value: Decimal | str | None, currency: str) -> Money | None:
    try:
        return read_price(value, currency)[0]
    except UnreadablePrice:
        return None


def _price_kind(word: str | None, *, is_from: bool, is_reduced: bool) -> PriceKind:
    if word in set(PriceKind):
        return PriceKind(word)
    if is_from:
        return PriceKind.FROM
    return PriceKind.SALE if is_reduced else PriceKind.REGULAR


def _stock_level(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return min(value, 1_000_000_000) if value >= 0 else None


def _shipping_cost(value: Decimal | str | None) -> Decimal | None:
    if value is None or isinstance(value, str):
        return None
    return value.quantize(Decimal("0.0001")) if value.is_finite() and 0 <= value < 100_000 else None


def _pairs(attributes: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    cleaned = ((clean_text(name, 50), clean_text(value, 100)) for name, value in attributes.items())
    return tuple((name, value) for name, value in cleaned if name and value)[:20]
