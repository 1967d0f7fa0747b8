"""The queue of pairs that wait for a person: what comes next, what was skipped, what somebody reported."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, aliased

from aggregator.catalog.search import product_slug
from aggregator.catalog.verdicts import like_pattern
from aggregator.db.models import (
    AuditEntryRow,
    MatchReviewRow,
    MatchVerdictRow,
    OfferRow,
    ProductRow,
    StoreRow,
)
from aggregator.domain.errors import InvalidInput, NotFound
from aggregator.domain.identifiers import new_public_id
from aggregator.domain.matches import ComparedOffer, PairFilter, PairReview, QueueState
from aggregator.domain.money import Money
from aggregator.domain.products import Evidence
from aggregator.domain.vocabulary import Availability, ItemCondition

_LEFT, _RIGHT = aliased(OfferRow), aliased(OfferRow)

_MOST_CHOICES = 60
_LONGEST_REPORT = 500


def find_next_review(session: Session, wanted: PairFilter) -> PairReview | None:
    """The pair that is worth most: what was reported first, then by value, what was skipped last."""
    public_id = session.scalar(
        _open(MatchReviewRow.public_id, wanted)
        .order_by(
            MatchReviewRow.skipped_at.asc().nulls_first(),
            MatchReviewRow.reported_at.asc().nulls_last(),
            MatchReviewRow.value.desc(),
            MatchReviewRow.id,
        )
        .limit(1)
    )
    return None if public_id is None else get_review(session, public_id)


def get_review(session: Session, public_id: str) -> PairReview:
    """One pair with both offers and the evidence; raises NotFound."""
    review = session.scalar(select(MatchReviewRow).where(MatchReviewRow.public_id == public_id))
    if review is None:
        raise NotFound("pair", public_id)
    sides = {
        offer.id: _side(offer, store, product)
        for offer, store, product in session.execute(
            select(OfferRow, StoreRow, ProductRow)
            .join(StoreRow, StoreRow.id == OfferRow.store_id)
            .outerjoin(ProductRow, ProductRow.id == OfferRow.product_id)
            .where(OfferRow.id.in_((review.left_offer_id, review.right_offer_id)))
        )
    }
    return PairReview(
        id=review.public_id,
        left=sides[review.left_offer_id],
        right=sides[review.right_offer_id],
        probability=review.probability,
        evidence=tuple(Evidence(**item) for item in review.evidence),
        value=review.value,
        reported_at=review.reported_at,
        report=review.report,
        was_skipped=review.skipped_at is not None,
        is_settled=review.settled_at is not None,
    )


def get_queue_state(session: Session, wanted: PairFilter, account_id: int) -> QueueState:
    """How much is left, and how much this person has settled since midnight (UTC)."""
    total, skipped = session.execute(
        _open(func.count(), wanted).add_columns(func.count(case((MatchReviewRow.skipped_at.is_not(None), 1))))
    ).one()
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    settled = session.scalar(
        select(func.count()).where(
            MatchVerdictRow.account_id == account_id,
            MatchVerdictRow.created_at >= midnight,
            MatchVerdictRow.withdrawn_at.is_(None),
        )
    )
    return QueueState(total, skipped, settled or 0)


def list_choices(session: Session) -> tuple[Sequence[tuple[str, str]], Sequence[str]]:
    """What the queue can be filtered by: (slug, name) of stores and brands with open pairs, the most frequent."""
    stores = session.execute(
        _open(StoreRow.slug, PairFilter())
        .add_columns(StoreRow.name)
        .join(StoreRow, or_(StoreRow.id == _LEFT.store_id, StoreRow.id == _RIGHT.store_id))
        .group_by(StoreRow.id)
        .order_by(func.count().desc(), StoreRow.id)
        .limit(_MOST_CHOICES)
    ).all()
    brand = func.coalesce(_LEFT.brand, _RIGHT.brand)
    brands = session.scalars(
        _open(brand, PairFilter())
        .where(brand.is_not(None))
        .group_by(brand)
        .order_by(func.count().desc(), func.min(MatchReviewRow.id))
        .limit(_MOST_CHOICES)
    ).all()
    return [(row.slug, row.name) for row in stores], sorted(brands, key=str.casefold)


def skip_review(session: Session, public_id: str, *, account_id: int | None) -> None:
    """Put a pair to the end of the queue; raises NotFound."""
    review = session.scalar(select(MatchReviewRow).where(MatchReviewRow.public_id == public_id))
    if review is None:
        raise NotFound("pair", public_id)
    review.skipped_at, review.skipped_by_id = datetime.now(UTC), account_id
    session.flush()


def report_wrong_match(
    session: Session, offer_id: str, other_offer_id: str, report: str = "", *, account_id: int | None = None
) -> None:
    """Put a pair of offers (public ids) to the head of the queue because somebody doubts what was made of it.

    A pair on which an operator has spoken stays as it is. `report` is what the person wrote. Raises NotFound,
    and InvalidInput for one and the same offer.
    """
    found = dict(
        session.execute(
            select(OfferRow.public_id, OfferRow.id).where(OfferRow.public_id.in_((offer_id, other_offer_id)))
        ).all()
    )
    for wanted in (offer_id, other_offer_id):
        if wanted not in found:
            raise NotFound("offer", wanted)
    if len(found) < 2:
        raise InvalidInput("these are one and the same offer", remedy="name two different offers")
    left, right = sorted(found.values())
    now = datetime.now(UTC)
    session.execute(
        insert(MatchReviewRow)
        .values(
            public_id=new_public_id(),
            left_offer_id=left,
            right_offer_id=right,
            probability=0.5,
            evidence=[],
            reported_at=now,
            report=report.strip()[:_LONGEST_REPORT] or None,
        )
        .on_conflict_do_update(
            index_elements=[MatchReviewRow.left_offer_id, MatchReviewRow.right_offer_id],
            set_={"reported_at": now, "report": report.strip()[:_LONGEST_REPORT] or None, "skipped_at": None},
            where=MatchReviewRow.settled_at.is_(None),
        )
    )
    session.add(
        AuditEntryRow(
            account_id=account_id,
            action="match_reported",
            subject=f"offer:{offer_id}",
            detail={"other": other_offer_id},
        )
    )


def _open(what: Any, wanted: PairFilter) -> Select[Any]:
    """Open pairs of current offers that are still two products, or that somebody reported."""
    return (
        select(what)
        .select_from(MatchReviewRow)
        .join(_LEFT, _LEFT.id == MatchReviewRow.left_offer_id)
        .join(_RIGHT, _RIGHT.id == MatchReviewRow.right_offer_id)
        .where(
            MatchReviewRow.settled_at.is_(None),
            _LEFT.gone_at.is_(None),
            _RIGHT.gone_at.is_(None),
            or_(
                MatchReviewRow.reported_at.is_not(None), _LEFT.product_id.is_distinct_from(_RIGHT.product_id)
            ),
            *_conditions(wanted),
        )
    )


def _conditions(wanted: PairFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.store:
        store = select(StoreRow.id).where(StoreRow.slug == wanted.store).scalar_subquery()
        conditions.append(or_(_LEFT.store_id == store, _RIGHT.store_id == store))
    if wanted.brand:
        conditions.append(or_(_LEFT.brand == wanted.brand, _RIGHT.brand == wanted.brand))
    for word in wanted.text.split():
        pattern = like_pattern(word)
        conditions.append(and_(or_(_LEFT.title.ilike(pattern), _RIGHT.title.ilike(pattern))))
    return conditions


def _side(offer: OfferRow, store: StoreRow, product: ProductRow | None) -> ComparedOffer:
    return ComparedOffer(
        id=offer.public_id,
        title=offer.title,
        store_slug=store.slug,
        store_name=store.name,
        url=offer.url,
        brand=offer.brand,
        gtin=offer.gtin,
        mpn=offer.mpn,
        sku=offer.sku,
        category=offer.category,
        image_url=offer.image_url,
        price=Money(offer.price, offer.price_currency).rounded(),
        list_price=None
        if offer.list_price is None
        else Money(offer.list_price, offer.price_currency).rounded(),
        availability=None if offer.availability is None else Availability(offer.availability),
        item_condition=ItemCondition(offer.item_condition),
        pack_size=offer.pack_size,
        variant_attributes=tuple(offer.variant_attributes.items()),
        is_gone=offer.gone_at is not None,
        product_id=product.public_id if product else None,
        product_slug=product_slug(product.title) if product else None,
        product_stores=product.store_count if product else 0,
    )
