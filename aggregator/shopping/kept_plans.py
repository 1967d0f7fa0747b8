"""The plan last made for a cart, kept with a digest of its inputs: what did not change is not planned again."""

from __future__ import annotations

import dataclasses
import hashlib
import types
import typing
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from aggregator.db.models import CartPlanRow
from aggregator.domain.carts import Basket, Plan

# Raised where plans kept earlier must not be used any more.
_FORM = 1
_PLANNING = 0x506C_616E


def plan_digest(basket: Basket, time_limit: float) -> bytes:
    """The same for the same basket and patience, whatever made it."""
    told = (
        _FORM,
        time_limit,
        basket.currency,
        basket.max_stores,
        basket.assumed_shipping,
        basket.parcel_value,
        basket.lines,
        basket.stores,
    )
    digest = hashlib.blake2b(repr(told).encode(), digest_size=16)
    for offer in basket.offers:
        digest.update(
            f"{offer.id}\0{offer.line}\0{offer.store}\0{offer.price}\0{offer.stock}\0{offer.pack_size}\0"
            f"{offer.unit_shipping}\0{offer.line_shipping}\0{offer.deposit}\0"
            f"{offer.estimated:d}{offer.pinned:d}{offer.excluded:d}\1".encode()
        )
    return digest.digest()


def find_kept_plan(session: Session, cart_id: int, digest: bytes) -> Plan | None:
    """The plan of this cart made from the same inputs; None where there is none, or an older program wrote it."""
    kept = session.scalar(
        select(CartPlanRow.plan).where(CartPlanRow.cart_id == cart_id, CartPlanRow.digest == digest)
    )
    if kept is None:
        return None
    try:
        plan = _read(Plan, kept)
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return None
    assert isinstance(plan, Plan)
    return plan


def keep_plan(session: Session, cart_id: int, digest: bytes, plan: Plan) -> None:
    """Keep the cart's newest plan."""
    values = {"digest": digest, "plan": _written(plan), "made_at": datetime.now(UTC)}
    statement = insert(CartPlanRow).values(cart_id=cart_id, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["cart_id"], set_=values))


def take_turn_to_plan(session: Session, cart_id: int) -> bool:
    """Whether this transaction alone plans the cart now, so that quick changes queue no solving."""
    return bool(
        session.scalar(
            text("select pg_try_advisory_xact_lock(:class, :cart)"),
            {"class": _PLANNING, "cart": cart_id % 2**31},
        )
    )


def _written(value: Any) -> Any:
    """Frozen dataclasses as JSON: amounts as texts, words of a vocabulary as their value."""
    if dataclasses.is_dataclass(value):
        return {field.name: _written(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_written(each) for each in value]
    if isinstance(value, Decimal):
        return str(value)
    return value.value if isinstance(value, Enum) else value


def _read(form: Any, written: Any) -> Any:
    """What `_written` wrote, read as that type."""
    origin, inner = typing.get_origin(form), typing.get_args(form)
    if origin in {types.UnionType, typing.Union}:
        return (
            None
            if written is None
            else _read(next(each for each in inner if each is not type(None)), written)
        )
    if origin is tuple:
        return tuple(_read(inner[0], each) for each in written)
    if dataclasses.is_dataclass(form) and isinstance(form, type):
        hints = _hints(form)
        return form(**{name: _read(hints[name], each) for name, each in dict[str, Any](written).items()})
    if isinstance(form, type) and issubclass(form, Decimal | Enum):
        return form(written)
    if not isinstance(written, form):
        raise TypeError(f"{written!r} is no {form}")
    return written


@cache
def _hints(form: type) -> Mapping[str, Any]:
    return typing.get_type_hints(form)
