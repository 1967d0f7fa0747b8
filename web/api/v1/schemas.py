"""What the API answers with: snake_case keys, amounts as strings, instants in RFC 3339 UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal, Self

from pydantic import BaseModel, Field

from aggregator.domain.money import Money
from aggregator.domain.products import (
    OfferView,
    ProductCard,
    ProductDetail,
    RelatedView,
    Relationship,
    ShippingEstimate,
    VariantView,
)
from web.api.operations import Told
from web.presenters import product_path


class Amount(Told):
    """An amount in major units with its currency (ISO 4217)."""

    amount: str = Field(pattern=r"^-?\d+(\.\d+)?$", examples=["19.99"])
    currency: str = Field(pattern="^[A-Z]{3}$")

    @classmethod
    def of(cls, money: Money) -> Self:
        """The amount as the API writes it."""
        return cls(amount=money.plain(), currency=money.currency)

    @classmethod
    def maybe(cls, money: Money | None) -> Self | None:
        """The same, null where it is not known."""
        return None if money is None else cls.of(money)


class ShippingCost(Amount):
    """What one unit's shipping costs; "known" is the store's own word."""

    basis: Literal["known", "estimated"]

    @classmethod
    def from_estimate(cls, estimate: ShippingEstimate | None) -> Self | None:
        """Null where shipping is unknown."""
        if estimate is None:
            return None
        return cls(amount=estimate.cost.plain(), currency=estimate.cost.currency, basis=estimate.basis)


class Product(Told):
    """One product of a list."""

    id: str
    title: str
    brand: str | None
    category: str | None
    image: str | None
    store_count: int
    offer_count: int
    lowest_price: Amount | None
    url: str

    @classmethod
    def of(cls, card: ProductCard) -> Self:
        """A product as lists show it."""
        return cls(**_card(card))


def _card(card: ProductCard) -> dict[str, Any]:
    return {
        "id": card.id,
        "title": card.title,
        "brand": card.brand,
        "category": card.category,
        "image": card.image_url,
        "store_count": card.store_count,
        "offer_count": card.offer_count,
        "lowest_price": Amount.maybe(card.lowest_price),
        "url": product_path(card),
    }


class StoreName(Told):
    """A store, by name."""

    id: str
    name: str


class Offer(Told):
    """One offer of a product; `shipping` is null where it is unknown."""

    id: str
    store: StoreName
    title: str
    url: str
    price: Amount
    shipping: ShippingCost | None
    availability: str | None
    item_condition: str
    checked_at: str

    @classmethod
    def of(cls, view: OfferView) -> Self:
        """An offer as its product's page shows it."""
        return cls(
            id=view.id,
            store=StoreName(id=view.store_id, name=view.store_name),
            title=view.title,
            url=view.url,
            price=Amount.of(view.price),
            shipping=ShippingCost.from_estimate(view.shipping),
            availability=view.availability.value if view.availability else None,
            item_condition=view.item_condition.value,
            checked_at=instant(view.checked_at),
        )


class Neighbour(Told):
    """Another product, as the product it belongs to names it."""

    id: str
    title: str
    lowest_price: Amount | None
    url: str


class Variant(Neighbour):
    """Another variant of the same thing."""

    attributes: dict[str, str]


class Related(Neighbour):
    """A product that belongs to this one without being it."""

    relationship: Relationship


class MaybeSame(Told):
    """Another product that may be the same one: nobody has decided yet."""

    id: str
    title: str
    probability: float
    url: str


class ProductWithOffers(Product):
    """One product with its offers, cheapest total first, and the products around it."""

    gtin: str | None
    mpn: str | None
    offers: list[Offer]
    variants: list[Variant]
    related: list[Related]
    may_be_same: list[MaybeSame]

    @classmethod
    def from_detail(cls, detail: ProductDetail) -> Self:
        """A product as its page shows it."""
        return cls(
            **_card(detail.card),
            gtin=detail.gtin,
            mpn=detail.mpn,
            offers=[Offer.of(one) for one in detail.offers],
            variants=[Variant(**_neighbour(one), attributes=dict(one.attributes)) for one in detail.variants],
            related=[Related(**_neighbour(one), relationship=one.how) for one in detail.related],
            may_be_same=[
                MaybeSame(
                    id=one.id,
                    title=one.other_title,
                    probability=round(one.probability, 4),
                    url=product_path(one),
                )
                for one in detail.doubtful
            ],
        )


def _neighbour(view: VariantView | RelatedView) -> dict[str, Any]:
    return {
        "id": view.id,
        "title": view.title,
        "lowest_price": Amount.maybe(view.lowest_price),
        "url": product_path(view),
    }


class Page(BaseModel):
    """How long a page is, and where it begins."""

    limit: int = Field(24, ge=1, le=100)
    cursor: str | None = Field(
        None, max_length=500, description="Opaque: the part of `next` of the page before."
    )


def instant(moment: datetime) -> str:
    """RFC 3339 in UTC, to the second."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def amount(value: Decimal, currency: str) -> Amount:
    """An amount that is no Money yet."""
    return Amount.of(Money(value, currency))
