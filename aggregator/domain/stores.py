"""Stores as values: what detection sees, what it concludes, and how a cart is handed over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from aggregator.domain.normalization.rules import NO_RULES, OfferRules
from aggregator.domain.shipping import ShippingRule
from aggregator.domain.vocabulary import TaxBasis

HandOffKind = Literal["cart_link", "item_link", "product_link"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """A store as adapters, spiders and hand-offs see it; `options` holds its decrypted `--set` values.

    `reading_rules` names by field the source a person chose to believe where pages contradict themselves;
    `offer_rules` say how its prices are to be taken.
    """

    id: str
    slug: str
    name: str
    url: str
    platform: str
    country: str | None = None
    currency: str | None = None
    tax_basis: TaxBasis = TaxBasis.UNKNOWN
    shipping: ShippingRule | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    reading_rules: Mapping[str, str] = field(default_factory=dict)
    offer_rules: OfferRules = NO_RULES


@dataclass(frozen=True, slots=True)
class Page:
    """One fetched answer that detection may look at. Header names are lower-case."""

    url: str
    status: int
    headers: Mapping[str, str]
    text: str


@dataclass(frozen=True, slots=True)
class Signal:
    """One piece of evidence: what was seen and where."""

    what: str
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A place offers can be read from: `kind` such as "store_api", "feed", "sitemap", "pages"."""

    kind: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """How sure a platform is (0..1) that a site is its own, why, and what it learned on the way.

    `options` go into the store when it is registered, below those that its operator sets. `listed` is how many
    offers or pages its listing says there are, None where it does not say.
    """

    confidence: float
    signals: tuple[Signal, ...] = ()
    sources: tuple[Source, ...] = ()
    name: str | None = None
    currency: str | None = None
    country: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    listed: int | None = None


NOT_DETECTED = Detection(confidence=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOffLine:
    """One line to hand over: the store's own id, what the shopper reads, where its page is."""

    external_id: str
    title: str
    url: str
    quantity: int
    sku: str | None = None
    handoff: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOff:
    """How a shopper's part of the cart reaches one store.

    `cart_link` fills the store's cart with all lines by `url`; `item_link` has one link a line in
    `item_urls`; `product_link` leaves the adding to the shopper, line by line (`item_urls` are the pages).
    A `cart_link` may name in `item_urls` how each line is added by itself, for who has something in that cart already.
    `replaces_cart`: what lies in the shopper's cart there is lost; None where only the store knows.
    `is_affiliate`: whoever runs this site may earn by the links.
    """

    kind: HandOffKind
    url: str | None
    item_urls: tuple[str, ...] = ()
    replaces_cart: bool | None = False
    is_affiliate: bool = False
