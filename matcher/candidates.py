"""The catalogue as the matcher reads it: what is pending, what is linked, what people have said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, ColumnElement, Row, Text, any_, exists, func, literal, or_, select
from sqlalchemy.orm import Session, aliased

from aggregator.catalog.matches import standing_verdicts
from aggregator.db.models import MatchVerdictRow, OfferRow, StoreRow
from matcher.records import OfferRecord, Verdict

_COLUMNS = (
    OfferRow.id,
    OfferRow.public_id,
    OfferRow.title,
    StoreRow.slug,
    OfferRow.brand,
    OfferRow.mpn,
    OfferRow.gtin,
    OfferRow.price,
    OfferRow.price_currency,
    OfferRow.category,
    OfferRow.item_group_id,
    OfferRow.variant_attributes,
    OfferRow.product_id,
    OfferRow.changed_at,
)
_IS_PENDING = or_(OfferRow.match_state == "pending", OfferRow.product_id.is_(None))
# Rows fetched at a time: a million offers never stand in memory as rows and as records at once.
_FETCHED_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class LinkingWork:
    """What a linking needs: records by inner offer id, each linked one with its product's id.

    `read_as` tells when each pending offer had changed last as it was read.
    """

    pending: tuple[OfferRecord, ...]
    existing: tuple[tuple[OfferRecord, str], ...]
    verdicts: tuple[Verdict, ...]
    read_as: dict[int, datetime]


def read_work(session: Session) -> LinkingWork | None:
    """Everything that is pending, beside everything that is linked; None when nothing is pending."""
    if not session.scalar(select(exists().where(OfferRow.gone_at.is_(None), _IS_PENDING))):
        return None
    pending, read_as = _read(session, _IS_PENDING)
    existing = tuple((_record(row), str(row.product_id)) for row in _rows(session, ~_IS_PENDING))
    return LinkingWork(pending, existing, _verdicts(session), read_as)


def count_linked(session: Session) -> int:
    """How many current offers are in a product and wait for nothing."""
    return session.scalar(select(func.count()).where(OfferRow.gone_at.is_(None), ~_IS_PENDING)) or 0


def read_changes(session: Session) -> tuple[LinkingWork, dict[str, str]] | None:
    """What is pending, and the product of each linked offer (record id -> key), without their records."""
    if not session.scalar(select(exists().where(OfferRow.gone_at.is_(None), _IS_PENDING))):
        return None
    pending, read_as = _read(session, _IS_PENDING)
    linked = session.execute(
        select(OfferRow.id, OfferRow.product_id).where(OfferRow.gone_at.is_(None), ~_IS_PENDING),
        execution_options={"yield_per": _FETCHED_AT_ONCE},
    )
    keys = {record_id(row.id): str(row.product_id) for row in linked}
    return LinkingWork(pending, (), _verdicts(session), read_as), keys


def read_records(session: Session, record_ids: Iterable[str]) -> list[OfferRecord]:
    """The records of these current offers."""
    wanted = literal([int(one) for one in record_ids], ARRAY(BigInteger))
    return [_record(row) for row in _rows(session, OfferRow.id == any_(wanted))]


def read_whole_catalogue(session: Session) -> LinkingWork:
    """Every current offer as if nothing were linked yet."""
    pending, read_as = _read(session)
    return LinkingWork(pending, (), _verdicts(session), read_as)


def read_current(session: Session) -> list[OfferRecord]:
    """Every current offer as a record that goes by its public id."""
    return [replace(_record(row), offer_id=row.public_id) for row in _rows(session)]


def read_named(session: Session, public_ids: Iterable[str]) -> list[tuple[str, OfferRecord]]:
    """The current offers of these public ids: each with the id that linking gives it, and a record by its public id."""
    wanted = literal(list(public_ids), ARRAY(Text))
    return [
        (record_id(row.id), replace(_record(row), offer_id=row.public_id))
        for row in _rows(session, OfferRow.public_id == any_(wanted))
    ]


def read_judged(session: Session, others: int) -> tuple[list[OfferRecord], list[tuple[str, str, bool]]]:
    """What people said, to learn from: offers by their public ids, and (left, right, whether they are one).

    Beside the offers that were judged come up to `others` more, always the same ones: how rare a word is,
    and who the rivals are, can only be told in company.
    """
    left, right = aliased(OfferRow), aliased(OfferRow)
    said = session.execute(
        select(left.public_id, right.public_id, MatchVerdictRow.verdict == "same", left.id, right.id)
        .select_from(MatchVerdictRow)
        .join(left, left.id == MatchVerdictRow.left_offer_id)
        .join(right, right.id == MatchVerdictRow.right_offer_id)
        .where(MatchVerdictRow.withdrawn_at.is_(None))
        .order_by(MatchVerdictRow.id)
    ).all()
    judged = {offer_id for row in said for offer_id in (row[3], row[4])}
    company = session.scalars(
        select(OfferRow.id)
        .where(OfferRow.gone_at.is_(None))
        .order_by(func.md5(OfferRow.public_id), OfferRow.id)
        .limit(others)
    )
    wanted = literal(sorted(judged.union(company)), ARRAY(BigInteger))
    records = [
        replace(_record(row), offer_id=row.public_id)
        for row in _rows(session, OfferRow.id == any_(wanted), with_gone=True)
    ]
    return records, [(row[0], row[1], row[2]) for row in said]


def record_id(offer_id: int) -> str:
    """An inner offer id that sorts as text as it does as a number, so that the oldest offer names a cluster."""
    return f"{offer_id:012d}"


def _read(
    session: Session, *conditions: ColumnElement[bool]
) -> tuple[tuple[OfferRecord, ...], dict[int, datetime]]:
    records, read_as = [], {}
    for row in _rows(session, *conditions):
        records.append(_record(row))
        read_as[row.id] = row.changed_at
    return tuple(records), read_as


def _rows(
    session: Session, *conditions: ColumnElement[bool], with_gone: bool = False
) -> Iterator[Row[*tuple[Any, ...]]]:
    current = () if with_gone else (OfferRow.gone_at.is_(None),)
    statement = (
        select(*_COLUMNS)
        .join(StoreRow, StoreRow.id == OfferRow.store_id)
        .where(*current, *conditions)
        .order_by(OfferRow.id)
    )
    yield from session.execute(statement, execution_options={"yield_per": _FETCHED_AT_ONCE})


def _verdicts(session: Session) -> tuple[Verdict, ...]:
    """People's standing words; variants of one another are two products."""
    return tuple(
        Verdict(
            record_id(verdict.left_offer_id), record_id(verdict.right_offer_id), verdict.verdict == "same"
        )
        for verdict in standing_verdicts(session)
    )


def _record(row: Row[*tuple[Any, ...]]) -> OfferRecord:
    return OfferRecord(
        offer_id=record_id(row.id),
        title=row.title,
        store=row.slug,
        brand=row.brand or "",
        mpn=row.mpn or "",
        gtin=row.gtin or "",
        price=row.price,
        currency=row.price_currency,
        category=row.category or "",
        item_group_id=row.item_group_id,
        variant_attributes=tuple(row.variant_attributes.items()),
    )
