"""Products, the links that made them, and people's verdicts."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, PrimaryKeyConstraint, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from aggregator.db.base import Created, Public, Row, Serial
from aggregator.db.models.offers import Price


class ProductRow(Public, Created, Row):
    """One product over all stores. The summary columns follow its offers and are what search reads."""

    __tablename__ = "products"
    __table_args__ = (
        Index("ix_products_search_vector", "search_vector", postgresql_using="gin"),
        Index("ix_products_brand", "brand"),
        Index("ix_products_category", "category"),
        Index("ix_products_category_key", "category_key", "store_count"),
        Index("ix_products_store_ids", "store_ids", postgresql_using="gin"),
    )

    title: Mapped[str]
    brand: Mapped[str | None]
    category: Mapped[str | None]
    # Where it stands in our own taxonomy; null until that was looked at.
    category_key: Mapped[str | None]
    gtin: Mapped[str | None] = mapped_column(index=True)
    mpn: Mapped[str | None]
    image_url: Mapped[str | None]
    item_group_id: Mapped[str | None]
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("products.id", ondelete="SET NULL"))
    updated_at: Mapped[datetime]
    offer_count: Mapped[int] = mapped_column(server_default="0")
    store_count: Mapped[int] = mapped_column(server_default="0")
    store_ids: Mapped[list[int]] = mapped_column(server_default=text("'{}'::bigint[]"))
    is_available: Mapped[bool] = mapped_column(server_default=text("false"))
    lowest_price: Mapped[Decimal | None] = mapped_column(Price)
    lowest_price_currency: Mapped[str | None]
    search_vector: Mapped[Any] = mapped_column(TSVECTOR, server_default=text("''::tsvector"))


class MatchLinkRow(Serial, Created, Row):
    """Why an offer is in its product: the other offer, the evidence by level, the model that said so."""

    __tablename__ = "match_links"
    __table_args__ = (UniqueConstraint("offer_id", "other_offer_id"),)

    offer_id: Mapped[int] = mapped_column(ForeignKey("offers.id", ondelete="CASCADE"))
    other_offer_id: Mapped[int] = mapped_column(ForeignKey("offers.id", ondelete="CASCADE"), index=True)
    probability: Mapped[float]
    outcome: Mapped[str]
    evidence: Mapped[list[Any]]
    model_version: Mapped[str]


class OfferRelationRow(Created, Row):
    """Offers whose products belong together without being one: variants, multipacks, accessories, ...

    Kept between offers, so that it follows them when products are merged and split.
    """

    __tablename__ = "offer_relations"
    __table_args__ = (
        PrimaryKeyConstraint("offer_id", "other_offer_id", "kind"),
        CheckConstraint(
            "kind in ('variant', 'multipack', 'case', 'bundle', 'refurbished', 'accessory')", name="kind"
        ),
    )

    offer_id: Mapped[int] = mapped_column(ForeignKey("offers.id", ondelete="CASCADE"))
    other_offer_id: Mapped[int] = mapped_column(ForeignKey("offers.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str]


class MatchReviewRow(Public, Created, Row):
    """A doubtful pair, or one that somebody reported as wrong, that waits for a person.

    `value` says how much its answer is worth (see docs/matching.md); what was skipped comes last.
    """

    __tablename__ = "match_reviews"
    __table_args__ = (
        UniqueConstraint("left_offer_id", "right_offer_id"),
        CheckConstraint("left_offer_id < right_offer_id", name="ordered"),
        Index(
            "ix_match_reviews_queue",
            "skipped_at",
            "reported_at",
            "value",
            postgresql_where=text("settled_at is null"),
        ),
    )

    left_offer_id: Mapped[int] = mapped_column(ForeignKey("offers.id", ondelete="CASCADE"))
    right_offer_id: Mapped[int] = mapped_column(ForeignKey("offers.id", ondelete="CASCADE"), index=True)
    probability: Mapped[float]
    evidence: Mapped[list[Any]]
    value: Mapped[float] = mapped_column(server_default="0")
    model_version: Mapped[str] = mapped_column(server_default="")
    reported_at: Mapped[datetime | None]
    report: Mapped[str | None]
    skipped_at: Mapped[datetime | None]
    skipped_by_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id", ondelete="SET NULL"))
    settled_at: Mapped[datetime | None]


class MatchVerdictRow(Public, Created, Row):
    """A person's word on a pair; it outranks the model for ever, unless withdrawn.

    `applied_at` is null until the matcher has taken the word (or its withdrawal) up.
    """

    __tablename__ = "match_verdicts"
    __table_args__ = (
        CheckConstraint("left_offer_id < right_offer_id", name="ordered"),
        CheckConstraint("verdict in ('same', 'different', 'variant')", name="verdict"),
        Index(
            "uq_match_verdicts_pair",
            "left_offer_id",
            "right_offer_id",
            unique=True,
            postgresql_where=text("withdrawn_at is null"),
        ),
        Index("ix_match_verdicts_unapplied", "id", postgresql_where=text("applied_at is null")),
        Index("ix_match_verdicts_account_id", "account_id"),
    )

    left_offer_id: Mapped[int] = mapped_column(ForeignKey("offers.id", ondelete="CASCADE"))
    right_offer_id: Mapped[int] = mapped_column(ForeignKey("offers.id", ondelete="CASCADE"), index=True)
    verdict: Mapped[str]
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id", ondelete="SET NULL"))
    withdrawn_at: Mapped[datetime | None]
    withdrawn_by_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id", ondelete="SET NULL"))
    applied_at: Mapped[datetime | None]
