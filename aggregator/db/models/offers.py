"""Offers, the staging rows they wait in, their prices over time and when they were checked."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Numeric,
    PrimaryKeyConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from aggregator.db.base import Row

Price = Numeric(18, 4)


class OfferFields:
    """What an offer says; staging rows and offers hold the same columns."""

    external_id: Mapped[str]
    url: Mapped[str]
    title: Mapped[str]
    brand: Mapped[str | None]
    gtin: Mapped[str | None]
    mpn: Mapped[str | None]
    sku: Mapped[str | None]
    category: Mapped[str | None]
    image_url: Mapped[str | None]
    item_group_id: Mapped[str | None]
    variant_attributes: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    pack_size: Mapped[int] = mapped_column(server_default="1")
    price: Mapped[Decimal] = mapped_column(Price)
    price_currency: Mapped[str]
    list_price: Mapped[Decimal | None] = mapped_column(Price)
    price_kind: Mapped[str] = mapped_column(server_default="regular")
    availability: Mapped[str | None]
    stock_level: Mapped[int | None]
    item_condition: Mapped[str] = mapped_column(server_default="NewCondition")
    seller: Mapped[str | None]
    shipping_cost: Mapped[Decimal | None] = mapped_column(Price)
    handoff: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    # Weight, deposit and what sending costs and takes by country, see `DeliveryTerms`; null where nothing is said.
    delivery: Mapped[dict[str, Any] | None]
    source: Mapped[str] = mapped_column(server_default="")
    # What else the page said of the chosen values, by field; no part of the digest.
    reading: Mapped[dict[str, Any] | None]
    # Of all that the offer says; equal digests mean that nothing changed.
    digest: Mapped[bytes] = mapped_column(BYTEA)


class StagedOfferRow(OfferFields, Row):
    """An offer read by a run that was not judged yet. Nobody but the judgement sees these rows.

    Every run has an unlogged partition of its own, which comes and goes with it. There is no key: COPY is free of
    conflicts, and a store may list one offer twice.
    """

    __tablename__ = "staged_offers"
    __table_args__ = ({"postgresql_partition_by": "LIST (run_id)"},)

    run_id: Mapped[int]
    position: Mapped[int]
    __mapper_args__ = {"primary_key": ["run_id", "position"]}  # noqa: RUF012  # SQLAlchemy reads it from the class


class OfferRow(OfferFields, Row):
    """One sellable unit of one store, as of the last released run that changed it."""

    __tablename__ = "offers"
    __table_args__ = (
        Index("uq_offers_store_id_external_id", "store_id", "external_id", unique=True),
        # Most new offers wait for their product: an index of what has none would only cost.
        Index("ix_offers_product_id", "product_id", postgresql_where=text("product_id is not null")),
        # A product's other versions: those that its stores list as one article.
        Index(
            "ix_offers_item_group",
            "store_id",
            "item_group_id",
            postgresql_where=text("item_group_id is not null"),
        ),
        Index("ix_offers_pending", "id", postgresql_where=text("match_state = 'pending'")),
        CheckConstraint("match_state in ('pending', 'linked')", name="match_state"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    # Made by the server, because offers are born in a set-based merge: 76 random bits.
    public_id: Mapped[str] = mapped_column(
        unique=True, server_default=text("left(replace(gen_random_uuid()::text, '-', ''), 20)")
    )
    store_id: Mapped[int] = mapped_column(ForeignKey("stores.id", ondelete="CASCADE"))
    product_id: Mapped[int | None] = mapped_column(ForeignKey("products.id", ondelete="SET NULL"))
    match_state: Mapped[str] = mapped_column(server_default="pending")
    country: Mapped[str | None]
    tax_basis: Mapped[str] = mapped_column(server_default="unknown")
    # Which run changed it last; no foreign key, since runs are forgotten and offers stay.
    run_id: Mapped[int | None]
    first_seen_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    gone_at: Mapped[datetime | None]


class OfferCheckRow(Row):
    """When an offer was last checked, where that is not its store's `checked_at`.

    A sighting must not rewrite an offer, so a complete run moves one value on its store; only offers
    that were checked at another time have a row here.
    """

    __tablename__ = "offer_checks"

    offer_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("offers.id", ondelete="CASCADE"), primary_key=True
    )
    checked_at: Mapped[datetime]


class OfferPriceRow(Row):
    """Price history: append-only, one row when the price, its kind or the availability changed."""

    __tablename__ = "offer_prices"
    __table_args__ = (
        PrimaryKeyConstraint("offer_id", "recorded_at"),
        # Rows come in the order of time, so that a few pages say where the old ones are.
        Index("ix_offer_prices_recorded_at", "recorded_at", postgresql_using="brin"),
    )

    offer_id: Mapped[int] = mapped_column(ForeignKey("offers.id", ondelete="CASCADE"))
    recorded_at: Mapped[datetime]
    price: Mapped[Decimal] = mapped_column(Price)
    price_currency: Mapped[str]
    list_price: Mapped[Decimal | None] = mapped_column(Price)
    price_kind: Mapped[str]
    availability: Mapped[str | None]
    source: Mapped[str] = mapped_column(server_default="")
    run_id: Mapped[int | None]


class OfferProductRow(Row):
    """The history of which product an offer belonged to."""

    __tablename__ = "offer_products"
    __table_args__ = (PrimaryKeyConstraint("offer_id", "assigned_at"),)

    offer_id: Mapped[int] = mapped_column(ForeignKey("offers.id", ondelete="CASCADE"))
    assigned_at: Mapped[datetime]
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id", ondelete="CASCADE"), index=True)
    reason: Mapped[str]
