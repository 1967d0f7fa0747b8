"""Our own pages for machines: schema.org as JSON-LD, and absolute addresses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import request

from aggregator.domain.identifiers import shown_gtin
from aggregator.domain.products import OfferView, ProductDetail
from web.context import current_settings
from web.presenters import product_path

_MOST_OFFERS = 60


def absolute(path: str) -> str:
    """The whole address of a path on this site."""
    return (current_settings().site_url or request.url_root.rstrip("/")) + path


def product_document(detail: ProductDetail, picture: str | None) -> dict[str, Any]:
    """A schema.org Product with an AggregateOffer; only what we know stands in it."""
    card = detail.card
    address = absolute(product_path(card))
    offers = [offer for offer in detail.offers if offer.price.currency == _currency(detail)]
    document: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "Product",
        "@id": address,
        "url": address,
        "name": card.title,
        "brand": {"@type": "Brand", "name": card.brand} if card.brand else None,
        "image": absolute(picture) if picture else None,
        "category": card.category,
        "mpn": detail.mpn,
        "gtin": shown_gtin(detail.gtin) if detail.gtin else None,
    }
    if offers:
        prices = [offer.price.amount for offer in offers]
        document["offers"] = {
            "@type": "AggregateOffer",
            "priceCurrency": offers[0].price.currency,
            "lowPrice": str(min(prices)),
            "highPrice": str(max(prices)),
            "offerCount": len(offers),
            "offers": _offers(offers[:_MOST_OFFERS]),
        }
    return {name: value for name, value in document.items() if value is not None}


def _currency(detail: ProductDetail) -> str | None:
    return detail.card.lowest_price.currency if detail.card.lowest_price else None


def _offers(offers: Sequence[OfferView]) -> list[dict[str, Any]]:
    return [
        {
            "@type": "Offer",
            "price": str(offer.price.amount),
            "priceCurrency": offer.price.currency,
            "itemCondition": f"https://schema.org/{offer.item_condition}",
            "seller": {"@type": "Organization", "name": offer.seller or offer.store_name},
            **({"availability": f"https://schema.org/{offer.availability}"} if offer.availability else {}),
        }
        for offer in offers
    ]
