"""Products as people see them: search pages, product pages and their parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal

from aggregator.domain.money import Money
from aggregator.domain.vocabulary import Availability, ItemCondition, PriceKind

Sorting = Literal["relevance", "total", "price", "-price", "unit", "drop", "stores", "newest"]
SORTINGS: tuple[Sorting, ...] = ("relevance", "total", "price", "-price", "unit", "drop", "stores", "newest")

FacetName = Literal["brand", "category", "store", "condition", "attribute", "price"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchQuery:
    """What a shopper asks for. Several values of one facet widen, several facets narrow.

    `attributes` are "name:value", such as "capacity:256 GB", each name a facet of its own. `assumed_shipping` is
    what an unknown shipping cost is ranked with, in major units. With `as_typed` no spelling is repaired.
    `cursor` is opaque and comes from the page before; `limit` is 1 to 100.
    """

    text: str = ""
    brands: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    stores: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    min_price: Decimal | None = None
    max_price: Decimal | None = None
    available_only: bool = False
    sorting: Sorting = "relevance"
    assumed_shipping: Decimal = Decimal(0)
    as_typed: bool = False
    cursor: str | None = None
    limit: int = 24


@dataclass(frozen=True, slots=True)
class FacetValue:
    """One choice of a facet: what goes into the address, what people read, how many products have it."""

    value: str
    label: str
    count: int
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Facet:
    """One facet with its most frequent choices; `name` is the address's parameter.

    `about` names the attribute where `name` is "attribute". The values of "price" are ranges "20-50", "500-".
    """

    name: FacetName
    values: tuple[FacetValue, ...]
    about: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductCard:
    """One product as a row of a list. `id` is the public id, `slug` decorates the address."""

    id: str
    slug: str
    title: str
    brand: str | None
    category: str | None
    image_url: str | None
    store_count: int
    offer_count: int
    lowest_price: Money | None
    is_available: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPage:
    """One page of results. `total` counts all; `next_cursor` is None on the last page.

    `repaired` says what was looked for in place of words that nothing has. `totals` are by product id: the lowest
    price with shipping, and whether some of that shipping is only assumed. `available` counts what can be bought.
    Without the index (`is_indexed` is false) there are fewer facets and orders.
    """

    query: SearchQuery
    products: tuple[ProductCard, ...]
    total: int
    facets: tuple[Facet, ...]
    next_cursor: str | None
    repaired: str | None = None
    totals: Mapping[str, tuple[Money, bool]] = field(default_factory=dict)
    available: int | None = None
    is_indexed: bool = True


@dataclass(frozen=True, slots=True)
class Suggestions:
    """What may be meant by what is being typed: products, and categories with how many of those found they hold."""

    products: tuple[ProductCard, ...]
    categories: tuple[FacetValue, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HomePage:
    """What the front page shows: `popular` are sold by most stores, `recent` were seen first of late."""

    popular: tuple[ProductCard, ...]
    recent: tuple[ProductCard, ...]
    categories: tuple[FacetValue, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippingEstimate:
    """What one unit's shipping costs from that store; `basis` says whether it is the store's own word."""

    cost: Money
    basis: Literal["known", "estimated"]
    free_from: Money | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """One comparison level of a link: its weight in log-odds and the sentence people read."""

    comparison: str
    level: str
    weight: float
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkView:
    """Why one offer is in this product: compared with which other offer, how sure, from what.

    Where a person said that the two are the same, `said_at` tells when, and `said_by` who (for operators'
    eyes; None for the command line).
    """

    other_title: str
    other_store: str
    probability: float
    evidence: tuple[Evidence, ...]
    said_at: datetime | None = None
    said_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferView:
    """One offer on a product page. `total` is None where shipping is unknown."""

    id: str
    store_id: str
    store_slug: str
    store_name: str
    title: str
    url: str
    price: Money
    list_price: Money | None
    price_kind: PriceKind
    shipping: ShippingEstimate | None
    total: Money | None
    availability: Availability | None
    item_condition: ItemCondition
    seller: str | None
    stock_level: int | None
    variant_attributes: tuple[tuple[str, str], ...]
    checked_at: datetime
    links: tuple[LinkView, ...] = ()


@dataclass(frozen=True, slots=True)
class PricePoint:
    """From `recorded_at` on, the offer asked this price (None: not available)."""

    recorded_at: datetime
    price: Decimal
    is_available: bool


@dataclass(frozen=True, slots=True)
class PriceSeries:
    """One store's price over time, oldest first, in one currency."""

    store_name: str
    currency: str
    points: tuple[PricePoint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantView:
    """Another product of the same group: an item group of some store, or variants by the matcher or a person."""

    id: str
    slug: str
    title: str
    attributes: tuple[tuple[str, str], ...]
    lowest_price: Money | None


Relationship = Literal[
    "multipack", "case", "bundle", "refurbished", "accessory", "single", "contained", "new", "main_product"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RelatedView:
    """Another product that belongs to this one without being it; `how` is what it is to this one."""

    how: Relationship
    id: str
    slug: str
    title: str
    lowest_price: Money | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubtfulView:
    """Another product that may be the same: the offers of both that are alike, how sure, from what."""

    review_id: str
    id: str
    slug: str
    own_title: str
    own_store: str
    other_title: str
    other_store: str
    price: Money
    probability: float
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductDetail:
    """All that a product page shows. Offers come cheapest total first; unknown shipping is assumed."""

    card: ProductCard
    gtin: str | None
    mpn: str | None
    offers: tuple[OfferView, ...]
    variants: tuple[VariantView, ...]
    assumed_shipping: Money | None
    related: tuple[RelatedView, ...] = ()
    doubtful: tuple[DoubtfulView, ...] = ()


@dataclass(frozen=True, slots=True)
class MovedProduct:
    """The product was merged into another one, which stands at this id and slug now."""

    id: str
    slug: str
