"""Reading rules: where a store's pages contradict themselves, a person says which source to believe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from aggregator.db.models import AuditEntryRow, QuarantinedOfferRow, StoreRow
from aggregator.domain.errors import InvalidInput, NotFound
from aggregator.domain.normalization.names import clean_text
from aggregator.domain.operations import ReadingCandidate

_MOST_CANDIDATES = 40


def read_candidates(raw: Mapping[str, Any]) -> tuple[ReadingCandidate, ...]:
    """The candidates that an ambiguous offer's raw text holds; what is no candidate is left out."""
    found = raw.get("candidates")
    read = []
    for candidate in found[:_MOST_CANDIDATES] if isinstance(found, list) else ():
        if isinstance(candidate, Mapping):
            words = [clean_text(candidate.get(key), 200) for key in ("field", "value", "source", "where")]
            if words[0] and words[2]:
                read.append(ReadingCandidate(*words))
    return tuple(read)


def get_reading_rules(session: Session, slug: str) -> dict[str, str]:
    """By field the source that is believed at this store; raises NotFound."""
    return {name: str(source) for name, source in _store(session, slug).reading_rules.items()}


def believe_source(
    session: Session, slug: str, field: str, source: str, *, account_id: int | None = None
) -> None:
    """Make it the store's rule to take this field from this source; the next crawl reads by it.

    Raises NotFound, and InvalidInput for a choice that no ambiguous offer of the store gives.
    """
    store = _store(session, slug)
    quarantined = session.scalars(
        select(QuarantinedOfferRow.raw).where(
            QuarantinedOfferRow.store_id == store.id,
            QuarantinedOfferRow.state == "open",
            QuarantinedOfferRow.reason == "ambiguous",
        )
    )
    if not any(
        (candidate.field, candidate.source) == (field, source)
        for raw in quarantined
        for candidate in read_candidates(raw)
    ):
        raise InvalidInput(
            f"no ambiguous offer takes {field!r} from {source!r}",
            place="source",
            remedy="choose one of the candidates shown",
        )
    _write(session, store, {**store.reading_rules, field: source}, account_id, field=field, source=source)


def forget_rule(session: Session, slug: str, field: str, *, account_id: int | None = None) -> None:
    """Take a rule back: contradictions about this field wait for a person again. Raises NotFound."""
    store = _store(session, slug)
    rules = {name: source for name, source in store.reading_rules.items() if name != field}
    _write(session, store, rules, account_id, field=field, source="")


def _write(
    session: Session, store: StoreRow, rules: dict[str, Any], account_id: int | None, **detail: str
) -> None:
    store.reading_rules = rules
    session.add(
        AuditEntryRow(
            account_id=account_id,
            action="reading_rule_set",
            subject=f"store:{store.slug}",
            detail={name: clean_text(value, 100) for name, value in detail.items()},
        )
    )
    session.flush()


def _store(session: Session, slug: str) -> StoreRow:
    store = session.scalar(select(StoreRow).where(StoreRow.slug == slug).with_for_update())
    if store is None:
        raise NotFound("store", slug)
    return store
