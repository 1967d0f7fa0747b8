"""Stores: who is read here, how fresh."""

from __future__ import annotations

from typing import Self

from flask import Blueprint

from aggregator.catalog.stores import get_store_summary, list_stores
from aggregator.domain.operations import StoreSummary
from web.api.operations import Told, operation
from web.api.v1.schemas import instant
from web.db import current_session

resources = Blueprint("api_stores", __name__, url_prefix="/api/v1/stores")


class StoreTold(Told):
    """A store with how much it offers; `checked_at` is when it was last read whole."""

    id: str
    slug: str
    name: str
    url: str
    country: str | None
    currency: str | None
    offer_count: int
    is_shipping_known: bool
    checked_at: str | None

    @classmethod
    def of(cls, store: StoreSummary) -> Self:
        """A store as shoppers may see it."""
        return cls(
            id=store.id,
            slug=store.slug,
            name=store.name,
            url=store.url,
            country=store.country,
            currency=store.currency,
            offer_count=store.offer_count,
            is_shipping_known=store.shipping_known,
            checked_at=instant(store.checked_at) if store.checked_at else None,
        )


class StoreList(Told):
    """Every store."""

    items: list[StoreTold]


@resources.get("")
@operation("All stores", answer=StoreList)
def index() -> StoreList:
    """Every store that is read."""
    return StoreList(
        items=[StoreTold.of(store) for store in list_stores(current_session()) if store.is_active]
    )


@resources.get("/<slug>")
@operation("One store", answer=StoreTold)
def show(slug: str) -> StoreTold:
    """A store by its slug."""
    return StoreTold.of(get_store_summary(current_session(), slug))
