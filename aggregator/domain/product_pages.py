"""What a product's page shows beside the product itself: what its price is worth, and what else there is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from aggregator.domain.money import Money
from aggregator.domain.price_history import PriceDrop, PriceVerdict
from aggregator.domain.products import PriceSeries, ProductCard, ProductDetail
from aggregator.domain.unit_prices import UnitPrice


@dataclass(frozen=True, slots=True, kw_only=True)
class DroppedPrice:
    """A product that costs less than in the 30 days before; `share` of one is what it fell by."""

    card: ProductCard
    lowest_before: Money
    share: float
    dropped_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductPage:
    """A product with the verdict on its lowest price, in the currency that most of its offers ask.

    `category` is a key of the taxonomy. `history` goes back as far as was asked. `lowest_30_days` is the lowest price
    of the last 30 days, today included. `unit_prices` are by offer id, for those whose title tells the content.
    `attributes` are (name, value) pairs such as ("capacity", "256 GB").
    """

    detail: ProductDetail
    category: str | None
    history: tuple[PriceSeries, ...]
    verdict: PriceVerdict | None
    drop: PriceDrop | None
    lowest_30_days: Money | None
    unit_prices: Mapping[str, UnitPrice]
    attributes: tuple[tuple[str, str], ...]
    similar: tuple[ProductCard, ...]
