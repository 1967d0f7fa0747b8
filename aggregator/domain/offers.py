"""An offer on its road: as the store words it (RawOffer), as the catalogue holds it (Offer), or refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from aggregator.domain.money import Money
from aggregator.domain.vocabulary import Availability, ItemCondition, PriceKind


@dataclass(slots=True, kw_only=True)
class RawOffer:
    """What a source says of one sellable unit, in its own words. It is the Scrapy item itself.

    `price` and `list_price` are Decimal major units where the source declares its unit, else the raw text.
    `external_id` is the store's own key of the sellable unit (variant id, SKU, else the canonical address).
    `raw` keeps what the quarantine shows a person; `source` names where it was read ("json_ld", "store_api");
    `delivery` is what it says of weight, deposit, and sending by country, in the form that `DeliveryTerms` reads;
    `reading` keeps by field what else the page said: {"price": [["json_ld", "19.99"], ["visible_text", "19.99"]]}.
    """

    external_id: str
    url: str
    title: str
    price: Decimal | str | None = None
    price_currency: str | None = None
    list_price: Decimal | str | None = None
    price_kind: str | None = None
    availability: str | bool | None = None
    stock_level: int | None = None
    item_condition: str | None = None
    brand: str | None = None
    gtin: str | None = None
    mpn: str | None = None
    sku: str | None = None
    category: str | None = None
    image_url: str | None = None
    item_group_id: str | None = None
    variant_attributes: Mapping[str, str] = field(default_factory=dict)
    seller: str | None = None
    shipping_cost: Decimal | str | None = None
    delivery: Mapping[str, Any] | None = None
    handoff: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    reading: Mapping[str, Any] | None = None
    raw: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One sellable unit of one store, normalized. `gtin` has 14 digits; `handoff` holds what a link needs."""

    external_id: str
    url: str
    title: str
    price: Money
    list_price: Money | None = None
    price_kind: PriceKind = PriceKind.REGULAR
    availability: Availability | None = None
    stock_level: int | None = None
    item_condition: ItemCondition = ItemCondition.NEW
    brand: str | None = None
    gtin: str | None = None
    mpn: str | None = None
    sku: str | None = None
    category: str | None = None
    image_url: str | None = None
    item_group_id: str | None = None
    variant_attributes: tuple[tuple[str, str], ...] = ()
    pack_size: int = 1
    seller: str | None = None
    shipping_cost: Decimal | None = None
    delivery: Mapping[str, Any] | None = None
    handoff: tuple[tuple[str, str], ...] = ()
    source: str = ""
    reading: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InvalidOffer:
    """What could not be read: kept with its reason and raw text, never dropped.

    `offer` is the raw offer by field, from which it is read again under another rule; None where there was none.
    """

    external_id: str
    title: str
    url: str
    reason: str
    detail: str
    raw: Mapping[str, Any]
    offer: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferState:
    """What a live re-check of one offer found; `price` is None where it could not be read.

    `is_gone`: the store answered, and does not list it any more.
    """

    external_id: str
    price: Money | None
    availability: Availability | None
    checked_at: datetime
    problem: str | None = None
    stock_level: int | None = None
    is_gone: bool = False
