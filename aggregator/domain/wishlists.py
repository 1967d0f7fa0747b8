"""Wishlists as people see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from aggregator.domain.money import Money
from aggregator.domain.products import ProductCard


@dataclass(frozen=True, slots=True, kw_only=True)
class WishlistItem:
    """A product on a list; `price_then` was its lowest price when it was put there, if it had one."""

    id: str
    product: ProductCard
    added_at: datetime
    price_then: Money | None

    @property
    def change(self) -> Money | None:
        """By how much the lowest price moved since, less being negative; None where it cannot be told."""
        now = self.product.lowest_price
        if now is None or self.price_then is None or now.currency != self.price_then.currency:
            return None
        return now - self.price_then


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishlist:
    """One list, what was put there last first; the default one, which everybody has, may have no name."""

    id: str
    name: str
    is_default: bool
    is_shared: bool
    items: tuple[WishlistItem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WishPlace:
    """One of a visitor's lists, and whether it holds the product that is looked at."""

    id: str
    name: str
    is_default: bool
    holds_it: bool
