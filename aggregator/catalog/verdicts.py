"""People's words on pairs of offers: said, refused where they contradict earlier ones, withdrawn, listed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import Row, Select, or_, select, text, update
from sqlalchemy.orm import Session, aliased

from aggregator.catalog.search import product_slug
from aggregator.db.models import (
    AccountRow,
    AuditEntryRow,
    MatchReviewRow,
    MatchVerdictRow,
    OfferRow,
    ProductRow,
    StoreRow,
)
from aggregator.domain.errors import ContradictedVerdict, InvalidInput, NotFound
from aggregator.domain.matches import WORDS, PairLabel, VerdictView, Word
from aggregator.domain.verdicts import Verdict, contradiction

# Any constant will do, as long as everybody who adds a verdict agrees on it.
_VERDICTS = 0x436C_7664


def record_verdict(
    session: Session, offer_id: str, other_offer_id: str, word: str, *, account_id: int | None
) -> str:
    """Keep a person's word on two offers (public ids); returns the verdict's public id.

    Saying the same again changes nothing; "different" and "variant" of one pair replace each other. Raises
    ContradictedVerdict where earlier verdicts exclude it, InvalidInput for one offer or another word,
    NotFound for an offer that there is not. The matcher acts on it within seconds.
    """
    if word not in WORDS:
        raise InvalidInput(f"no verdict {word!r}", place="verdict", remedy=f"say one of {', '.join(WORDS)}")
    left, right = sorted((_offer(session, offer_id), _offer(session, other_offer_id)))
    if left == right:
        raise InvalidInput("these are one and the same offer", remedy="name two different offers")
    # Two people at once could each say half of a contradiction.
    session.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _VERDICTS})
    standing = _standing_around(session, (left, right))
    own = next((row for row in standing if (row.left_offer_id, row.right_offer_id) == (left, right)), None)
    if own is not None and own.verdict == word:
        return own.public_id
    if own is not None and "same" not in (own.verdict, word):
        standing.remove(own)
        _withdraw(own, account_id)
        session.flush()
    _refuse_contradiction(standing, Verdict(str(left), str(right), word == "same"))
    row = MatchVerdictRow(left_offer_id=left, right_offer_id=right, verdict=word, account_id=account_id)
    session.add(row)
    session.flush()
    session.execute(
        update(MatchReviewRow)
        .where(MatchReviewRow.left_offer_id == left, MatchReviewRow.right_offer_id == right)
        .values(settled_at=datetime.now(UTC))
    )
    _audit(session, account_id, "verdict_said", row, verdict=word)
    return row.public_id


def withdraw_verdict(session: Session, verdict_id: str, *, account_id: int | None) -> str | None:
    """Take a verdict back: the matcher decides again, and a pair that waited for a person waits again.

    Returns the public id of the pair's review, if it had one. Withdrawing twice changes nothing. Raises
    NotFound.
    """
    row = session.scalar(select(MatchVerdictRow).where(MatchVerdictRow.public_id == verdict_id))
    if row is None:
        raise NotFound("verdict", verdict_id)
    review = session.scalar(
        select(MatchReviewRow).where(
            MatchReviewRow.left_offer_id == row.left_offer_id,
            MatchReviewRow.right_offer_id == row.right_offer_id,
        )
    )
    if row.withdrawn_at is None:
        _withdraw(row, account_id)
        if review is not None:
            review.settled_at = review.skipped_at = None
        _audit(session, account_id, "verdict_withdrawn", row, verdict=row.verdict)
        session.flush()
    return review.public_id if review else None


def undo_last(session: Session, account_id: int) -> str | None:
    """Undo what this person did last, a verdict or a skip; the public id of the pair's review.

    None where there is nothing to undo, or where the pair never stood in the queue.
    """
    verdict = session.scalar(
        select(MatchVerdictRow)
        .where(MatchVerdictRow.account_id == account_id, MatchVerdictRow.withdrawn_at.is_(None))
        .order_by(MatchVerdictRow.id.desc())
        .limit(1)
    )
    skipped = session.scalar(
        select(MatchReviewRow)
        .where(
            MatchReviewRow.skipped_by_id == account_id,
            MatchReviewRow.skipped_at.is_not(None),
            MatchReviewRow.settled_at.is_(None),
        )
        .order_by(MatchReviewRow.skipped_at.desc())
        .limit(1)
    )
    if skipped and skipped.skipped_at and (verdict is None or skipped.skipped_at > verdict.created_at):
        skipped.skipped_at = skipped.skipped_by_id = None
        session.flush()
        return skipped.public_id
    if verdict is None:
        return None
    # An offer parted from a product is one deed and several verdicts, all of one transaction.
    deed = session.scalars(
        select(MatchVerdictRow.public_id).where(
            MatchVerdictRow.account_id == account_id,
            MatchVerdictRow.created_at == verdict.created_at,
            MatchVerdictRow.withdrawn_at.is_(None),
        )
    ).all()
    reviews = [withdraw_verdict(session, verdict_id, account_id=account_id) for verdict_id in deed]
    return next((review for review in reviews if review), None)


def part_offer(session: Session, product_id: str, offer_id: str, *, account_id: int | None) -> None:
    """Say that an offer is not the product it is in: "different" from each other offer of that product.

    Raises NotFound, InvalidInput where it is the product's only offer, ContradictedVerdict.
    """
    offers = _offers_of_product(session, product_id)
    if offer_id not in offers:
        raise NotFound("offer of this product", offer_id)
    others = [other for other in offers if other != offer_id]
    if not others:
        raise InvalidInput("the product has no other offer", remedy="there is nothing to part")
    for other in others:
        record_verdict(session, offer_id, other, "different", account_id=account_id)


def join_products(
    session: Session, product_id: str, other_product_id: str, *, account_id: int | None
) -> None:
    """Say that two products are one: "same" of an offer of each, that of a doubtful pair where there is one.

    Raises NotFound for a product that there is not or that has no current offer, InvalidInput, ContradictedVerdict.
    """
    if product_id == other_product_id:
        raise InvalidInput("this is the same product", remedy="give the other product's address")
    lefts, rights = (_offers_of_product(session, one) for one in (product_id, other_product_id))
    left_offer, right_offer = aliased(OfferRow), aliased(OfferRow)
    asked = session.execute(
        select(left_offer.public_id, right_offer.public_id)
        .select_from(MatchReviewRow)
        .join(left_offer, left_offer.id == MatchReviewRow.left_offer_id)
        .join(right_offer, right_offer.id == MatchReviewRow.right_offer_id)
        .where(
            MatchReviewRow.settled_at.is_(None),
            or_(
                left_offer.public_id.in_(lefts) & right_offer.public_id.in_(rights),
                left_offer.public_id.in_(rights) & right_offer.public_id.in_(lefts),
            ),
        )
        .order_by(MatchReviewRow.probability.desc())
        .limit(1)
    ).first()
    left, right = asked or (lefts[0], rights[0])
    record_verdict(session, left, right, "same", account_id=account_id)


def get_verdicts(session: Session, verdict_ids: Sequence[str]) -> tuple[VerdictView, ...]:
    """These verdicts, in this order."""
    views = {
        view.id: view
        for view in map(_view, session.execute(_views().where(MatchVerdictRow.public_id.in_(verdict_ids))))
    }
    return tuple(views[verdict_id] for verdict_id in verdict_ids if verdict_id in views)


def list_verdicts(
    session: Session,
    *,
    account_id: int | None = None,
    words: str = "",
    with_withdrawn: bool = True,
    before: str | None = None,
    limit: int = 50,
) -> tuple[VerdictView, ...]:
    """The newest verdicts first: of one person, with these words in a title; `before` is the last one shown."""
    statement = _views().order_by(MatchVerdictRow.id.desc()).limit(limit)
    if account_id is not None:
        statement = statement.where(MatchVerdictRow.account_id == account_id)
    if not with_withdrawn:
        statement = statement.where(MatchVerdictRow.withdrawn_at.is_(None))
    if words:
        pattern = like_pattern(words)
        statement = statement.where(or_(_LEFT.title.ilike(pattern), _RIGHT.title.ilike(pattern)))
    if before:
        last = select(MatchVerdictRow.id).where(MatchVerdictRow.public_id == before).scalar_subquery()
        statement = statement.where(MatchVerdictRow.id < last)
    return tuple(map(_view, session.execute(statement)))


def like_pattern(words: str) -> str:
    """Words as a LIKE pattern that finds them anywhere; what they hold of its signs means itself."""
    return "%" + words.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") + "%"


_LEFT, _RIGHT = aliased(OfferRow), aliased(OfferRow)
_LEFT_STORE, _RIGHT_STORE = aliased(StoreRow), aliased(StoreRow)
_LEFT_PRODUCT, _RIGHT_PRODUCT = aliased(ProductRow), aliased(ProductRow)
_SAYER, _WITHDRAWER = aliased(AccountRow), aliased(AccountRow)


def _views() -> Select[*tuple[Any, ...]]:
    return (
        select(
            MatchVerdictRow.public_id,
            MatchVerdictRow.verdict,
            MatchVerdictRow.created_at,
            MatchVerdictRow.withdrawn_at,
            _SAYER.email.label("by"),
            _WITHDRAWER.email.label("withdrawn_by"),
            MatchReviewRow.public_id.label("review_id"),
            _LEFT.public_id.label("left_id"),
            _LEFT.title.label("left_title"),
            _LEFT_STORE.name.label("left_store"),
            _LEFT_PRODUCT.public_id.label("left_product"),
            _LEFT_PRODUCT.title.label("left_product_title"),
            _RIGHT.public_id.label("right_id"),
            _RIGHT.title.label("right_title"),
            _RIGHT_STORE.name.label("right_store"),
            _RIGHT_PRODUCT.public_id.label("right_product"),
            _RIGHT_PRODUCT.title.label("right_product_title"),
        )
        .join(_LEFT, _LEFT.id == MatchVerdictRow.left_offer_id)
        .join(_RIGHT, _RIGHT.id == MatchVerdictRow.right_offer_id)
        .join(_LEFT_STORE, _LEFT_STORE.id == _LEFT.store_id)
        .join(_RIGHT_STORE, _RIGHT_STORE.id == _RIGHT.store_id)
        .outerjoin(_LEFT_PRODUCT, _LEFT_PRODUCT.id == _LEFT.product_id)
        .outerjoin(_RIGHT_PRODUCT, _RIGHT_PRODUCT.id == _RIGHT.product_id)
        .outerjoin(_SAYER, _SAYER.id == MatchVerdictRow.account_id)
        .outerjoin(_WITHDRAWER, _WITHDRAWER.id == MatchVerdictRow.withdrawn_by_id)
        .outerjoin(
            MatchReviewRow,
            (MatchReviewRow.left_offer_id == MatchVerdictRow.left_offer_id)
            & (MatchReviewRow.right_offer_id == MatchVerdictRow.right_offer_id),
        )
    )


def _view(row: Row[*tuple[Any, ...]]) -> VerdictView:
    def label(side: str) -> PairLabel:
        product_title = getattr(row, f"{side}_product_title")
        return PairLabel(
            id=getattr(row, f"{side}_id"),
            title=getattr(row, f"{side}_title"),
            store_name=getattr(row, f"{side}_store"),
            product_id=getattr(row, f"{side}_product"),
            product_slug=None if product_title is None else product_slug(product_title),
        )

    return VerdictView(
        id=row.public_id,
        word=cast(Word, row.verdict),
        left=label("left"),
        right=label("right"),
        said_at=row.created_at,
        by=row.by,
        withdrawn_at=row.withdrawn_at,
        withdrawn_by=row.withdrawn_by,
        review_id=row.review_id,
    )


def _offer(session: Session, public_id: str) -> int:
    offer_id = session.scalar(select(OfferRow.id).where(OfferRow.public_id == public_id))
    if offer_id is None:
        raise NotFound("offer", public_id)
    return offer_id


def _offers_of_product(session: Session, product_id: str) -> list[str]:
    """The product's current offers, the oldest first."""
    offers = session.scalars(
        select(OfferRow.public_id)
        .join(ProductRow, ProductRow.id == OfferRow.product_id)
        .where(ProductRow.public_id == product_id, OfferRow.gone_at.is_(None))
        .order_by(OfferRow.id)
    ).all()
    if not offers:
        raise NotFound("product with current offers", product_id)
    return list(offers)


def _standing_around(session: Session, offer_ids: tuple[int, int]) -> list[MatchVerdictRow]:
    """Standing verdicts on these offers, and on all that "same" ties to them."""
    found: dict[int, MatchVerdictRow] = {}
    seen: set[int] = set(offer_ids)
    frontier = seen
    while frontier:
        rows = session.scalars(
            select(MatchVerdictRow).where(
                MatchVerdictRow.withdrawn_at.is_(None),
                MatchVerdictRow.left_offer_id.in_(frontier) | MatchVerdictRow.right_offer_id.in_(frontier),
            )
        ).all()
        found.update((row.id, row) for row in rows)
        ends = {
            end for row in rows if row.verdict == "same" for end in (row.left_offer_id, row.right_offer_id)
        }
        frontier = ends - seen
        seen |= frontier
    return sorted(found.values(), key=lambda row: row.id)


def _refuse_contradiction(standing: Sequence[MatchVerdictRow], new: Verdict) -> None:
    said = {
        Verdict(str(row.left_offer_id), str(row.right_offer_id), row.verdict == "same"): row.public_id
        for row in standing
    }
    chain = contradiction(said, new)
    if chain is not None:
        raise ContradictedVerdict(tuple(said[link] for link in chain))


def _withdraw(row: MatchVerdictRow, account_id: int | None) -> None:
    row.withdrawn_at = datetime.now(UTC)
    row.withdrawn_by_id = account_id
    row.applied_at = None


def _audit(
    session: Session, account_id: int | None, action: str, row: MatchVerdictRow, *, verdict: str
) -> None:
    session.add(
        AuditEntryRow(
            account_id=account_id,
            action=action,
            subject=f"verdict:{row.public_id}",
            detail={"verdict": verdict},
        )
    )
