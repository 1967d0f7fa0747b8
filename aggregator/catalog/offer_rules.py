"""Offer rules: what a person says about how a store's prices are to be taken, and what nobody needs to see."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from aggregator.db import audit
from aggregator.db.models import StoreRow
from aggregator.domain.errors import InvalidInput, NotFound
from aggregator.domain.normalization.currencies import read_currency
from aggregator.domain.normalization.names import clean_text
from aggregator.domain.normalization.rules import DECIMAL_MARKS, OfferRules

RULE_NAMES = ("currency", "decimal_mark", "ignored")


def get_offer_rules(session: Session, slug: str) -> OfferRules:
    """The store's rules; raises NotFound."""
    return OfferRules.from_json(_store(session, slug).offer_rules)


def set_offer_rule(
    session: Session, slug: str, name: str, value: str, *, account_id: int | None = None
) -> OfferRules:
    """Make it the store's rule, or take it back with an empty value; the next crawl and a replay read by it.

    `currency` is an ISO 4217 code, `decimal_mark` "." or ",", `ignored` reasons of refusal, comma separated, that wait
    for nobody any more. Raises NotFound and InvalidInput.
    """
    store = _store(session, slug)
    before = dict(store.offer_rules)
    rules = {key: kept for key, kept in before.items() if key != name}
    if value.strip():
        rules[name] = _read(name, value)
    elif name not in RULE_NAMES:
        raise _unknown(name)
    store.offer_rules = rules
    audit.record_change(session, account_id, "offer_rule_set", f"store:{slug}", before=before, after=rules)
    session.flush()
    return OfferRules.from_json(rules)


def _read(name: str, value: str) -> Any:
    match name:
        case "currency":
            code = read_currency(value.strip().upper())
            if code is None:
                raise InvalidInput(
                    f"{clean_text(value, 40)!r} is no currency", place=name, remedy="give a code such as EUR"
                )
            return code
        case "decimal_mark":
            if value.strip() not in DECIMAL_MARKS:
                raise InvalidInput(
                    f"{clean_text(value, 40)!r} parts off no fraction", place=name, remedy='give "." or ","'
                )
            return value.strip()
        case "ignored":
            return sorted({clean_text(reason, 100) for reason in value.split(",")} - {""})
    raise _unknown(name)


def _unknown(name: str) -> InvalidInput:
    return InvalidInput(
        f"there is no rule {clean_text(name, 40)!r}", place="rule", remedy=f"choose {', '.join(RULE_NAMES)}"
    )


def _store(session: Session, slug: str) -> StoreRow:
    store = session.scalar(select(StoreRow).where(StoreRow.slug == slug).with_for_update())
    if store is None:
        raise NotFound("store", slug)
    return store
