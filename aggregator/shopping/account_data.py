"""Everything that an account has here, as one document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from aggregator.accounts.privacy import EXPORTS as ACCOUNT_EXPORTS
from aggregator.accounts.privacy import Export
from aggregator.db.models import (
    AlertEventRow,
    CartLineRow,
    CartRow,
    CheckoutRow,
    HandOffRow,
    PastedLineRow,
    PastedListRow,
    ProductRow,
    SharedBasketRow,
)
from aggregator.settings import Settings
from aggregator.shopping.account_carts import account_cart_token
from aggregator.shopping.alert_channels import export_alert_channels
from aggregator.shopping.alerts import find_telling, list_alerts_of
from aggregator.shopping.part_history import read_history
from aggregator.shopping.wishlists import list_wishlists

FORMAT = "click2cart-account-1"


def _carts(session: Session, settings: Settings, account_id: int) -> list[dict[str, Any]]:
    carts = session.scalars(select(CartRow).where(CartRow.account_id == account_id).order_by(CartRow.id))
    return [
        {
            "id": cart.public_id,
            "updated_at": cart.updated_at,
            "max_stores": cart.max_stores,
            "assumed_shipping": cart.assumed_shipping,
            "country": cart.country,
            "options": cart.options,
            "lines": [
                dict(row._mapping)
                for row in session.execute(
                    select(
                        ProductRow.public_id.label("product_id"),
                        ProductRow.title,
                        CartLineRow.quantity,
                        CartLineRow.created_at,
                    )
                    .join(ProductRow, ProductRow.id == CartLineRow.product_id)
                    .where(CartLineRow.cart_id == cart.id)
                    .order_by(CartLineRow.id)
                )
            ],
        }
        for cart in carts
    ]


def _purchases(session: Session, settings: Settings, account_id: int) -> list[dict[str, Any]]:
    rows = session.execute(
        select(HandOffRow, CheckoutRow.public_id, CheckoutRow.created_at)
        .join(CheckoutRow, CheckoutRow.id == HandOffRow.checkout_id)
        .join(CartRow, CartRow.id == CheckoutRow.cart_id)
        .where(CartRow.account_id == account_id)
        .order_by(HandOffRow.id)
    ).all()
    history = read_history(session, [hand_off.id for hand_off, _, _ in rows])
    return [
        {
            "checkout": checkout,
            "planned_at": planned_at,
            **_columns(hand_off),
            "history": history.get(hand_off.id, ()),
        }
        for hand_off, checkout, planned_at in rows
    ]


def _shared_baskets(session: Session, settings: Settings, account_id: int) -> list[dict[str, Any]]:
    rows = session.scalars(
        select(SharedBasketRow)
        .join(CartRow, CartRow.id == SharedBasketRow.cart_id)
        .where(CartRow.account_id == account_id)
    )
    return [_columns(row) for row in rows]


def _pasted_lists(session: Session, settings: Settings, account_id: int) -> list[dict[str, Any]]:
    rows = session.scalars(
        select(PastedLineRow)
        .join(PastedListRow, PastedListRow.id == PastedLineRow.list_id)
        .join(CartRow, CartRow.id == PastedListRow.cart_id)
        .where(CartRow.account_id == account_id)
        .order_by(PastedLineRow.id)
    )
    return [_columns(row) for row in rows]


# Each area that keeps something of people adds itself here.
def _wishlists(session: Session, settings: Settings, account_id: int) -> list[Any]:
    return list(list_wishlists(session, account_cart_token(settings, account_id)))


def _alerts(session: Session, settings: Settings, account_id: int) -> dict[str, Any]:
    fired = session.execute(
        select(
            AlertEventRow.created_at,
            AlertEventRow.price,
            AlertEventRow.total,
            AlertEventRow.currency,
            AlertEventRow.store_name,
            AlertEventRow.told_at,
        )
        .where(AlertEventRow.account_id == account_id)
        .order_by(AlertEventRow.id)
    )
    return {
        "alerts": list_alerts_of(session, account_id),
        "telling": find_telling(session, account_id),
        **export_alert_channels(session, settings, account_id),
        "fired": [dict(row._mapping) for row in fired],
    }


EXPORTS: Mapping[str, Export] = MappingProxyType(
    {
        **ACCOUNT_EXPORTS,
        "carts": _carts,
        "purchases": _purchases,
        "shared_baskets": _shared_baskets,
        "pasted_lists": _pasted_lists,
        "wishlists": _wishlists,
        "alerts": _alerts,
    }
)


def export_account(session: Session, settings: Settings, account_id: int) -> dict[str, Any]:
    """All that is kept of an account, ready for JSON: amounts as text, instants as RFC 3339."""
    parts = {name: export(session, settings, account_id) for name, export in EXPORTS.items()}
    return {"format": FORMAT, "exported_at": _plain(datetime.now(UTC)), **_plain(parts)}


def _columns(row: Any) -> dict[str, Any]:
    """A row's columns but the inner keys and the hashes of secrets."""
    return {
        column.name: getattr(row, column.name)
        for column in row.__table__.columns
        if (column.name != "id" and not column.name.endswith(("_id", "_hash"))) or column.name == "public_id"
    }


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple | frozenset | set):
        return [_plain(part) for part in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal | bytes) else value
