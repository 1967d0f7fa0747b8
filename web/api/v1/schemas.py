"""Values as the API's JSON: snake_case keys, amounts as strings, instants in RFC 3339 UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aggregator.domain.money import Money
from aggregator.domain.products import (
    OfferView,
    ProductCard,
    ProductDetail,
    RelatedView,
    ShippingEstimate,
    VariantView,
)
from web.presenters import product_path


def product(card: ProductCard) -> dict[str, Any]:
    """One product of a list."""
    return {
        "id": card.id,
        "title": card.title,
        "brand": card.brand,
        "category": card.category,
        "image": card.image_url,
        "store_count": card.store_count,
        "offer_count": card.offer_count,
        "lowest_price": price(card.lowest_price),
        "url": product_path(card),
    }


def product_detail(detail: ProductDetail) -> dict[str, Any]:
    """One product with its offers, cheapest total first, and the products around it."""
    return {
        **product(detail.card),
        "gtin": detail.gtin,
        "mpn": detail.mpn,
        "offers": [offer(one) for one in detail.offers],
        "variants": [{**neighbour(one), "attributes": dict(one.attributes)} for one in detail.variants],
        "related": [{**neighbour(one), "relationship": one.how} for one in detail.related],
        "may_be_same": [
            {
                "id": one.id,
                "title": one.other_title,
                "probability": round(one.probability, 4),
                "url": product_path(one),
            }
            for one in detail.doubtful
        ],
    }


def neighbour(view: VariantView | RelatedView) -> dict[str, Any]:
    """Another product, as the product it belongs to names it."""
    return {
        "id": view.id,
        "title": view.title,
        "lowest_price": price(view.lowest_price),
        "url": product_path(view),
    }


def offer(view: OfferView) -> dict[str, Any]:
    """One offer of a product; `shipping` is null where it is unknown."""
    return {
        "id": view.id,
        "store": {"id": view.store_id, "name": view.store_name},
        "title": view.title,
        "url": view.url,
        "price": price(view.price),
        "shipping": shipping(view.shipping),
        "availability": view.availability.value if view.availability else None,
        "item_condition": view.item_condition.value,
        "checked_at": instant(view.checked_at),
    }


def price(money: Money | None) -> dict[str, str] | None:
    """An amount in major units with its currency."""
    return None if money is None else {"amount": money.plain(), "currency": money.currency}


def shipping(estimate: ShippingEstimate | None) -> dict[str, str] | None:
    """What one unit's shipping costs, and whether the store itself says so."""
    if estimate is None:
        return None
    return {
        "amount": estimate.cost.plain(),
        "currency": estimate.cost.currency,
        "basis": estimate.basis,
    }


def instant(moment: datetime) -> str:
    """RFC 3339 in UTC, to the second."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
