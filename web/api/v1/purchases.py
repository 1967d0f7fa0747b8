"""Purchases: what was handed over, and what became of it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal, Self

from flask import Blueprint, url_for
from pydantic import Field

from aggregator.domain.errors import InvalidInput
from aggregator.domain.identifiers import is_public_id
from aggregator.domain.money import Money
from aggregator.domain.purchases import Purchase, PurchasePart
from aggregator.shopping.purchases import (
    LONGEST_NOTE,
    LONGEST_ORDER_NUMBER,
    Receipt,
    change_part,
    get_purchase,
    list_purchases,
    take_back,
)
from web import context
from web.api.operations import Given, Told, operation
from web.api.v1.schemas import Amount, Page, instant
from web.db import current_session

resources = Blueprint("api_purchases", __name__, url_prefix="/api/v1/purchases")


class PurchaseItem(Told):
    """So many of one article."""

    title: str
    quantity: int
    price: Amount | None
    product_id: str | None


class PartTold(Told):
    """One store's part; what was paid is the shopper's own word."""

    id: str
    store: str
    state: str
    planned: Amount
    paid: Amount | None
    order_number: str | None
    bought_on: date | None
    items: list[PurchaseItem]

    @classmethod
    def of(cls, part: PurchasePart) -> Self:
        """A part as the API writes it."""
        return cls(
            id=part.id,
            store=part.store_name,
            state=part.state,
            planned=Amount.of(part.planned),
            paid=Amount.maybe(part.paid),
            order_number=part.order_number,
            bought_on=part.bought_on,
            items=[
                PurchaseItem(
                    title=line.title,
                    quantity=line.quantity,
                    price=Amount.maybe(line.price),
                    product_id=line.product_id,
                )
                for line in part.lines
            ],
        )


class PurchaseTold(Told):
    """A handed-over basket with a part for each store."""

    id: str
    created_at: str
    planned_total: Amount
    complete: bool
    parts: list[PartTold]

    @classmethod
    def of(cls, purchase: Purchase) -> Self:
        """A purchase as the API writes it."""
        return cls(
            id=purchase.id,
            created_at=instant(purchase.created_at),
            planned_total=Amount.of(purchase.planned_total),
            complete=purchase.is_complete,
            parts=[PartTold.of(part) for part in purchase.parts],
        )


class PurchaseList(Told):
    """One page of purchases, newest first."""

    items: list[PurchaseTold]
    next: str | None


class PartChange(Given):
    """How a part moves on. With `paid`, `order_number` or `bought_on` the receipt is replaced as a whole."""

    state: Literal["opened", "bought", "shipped", "delivered", "returned", "given_up"]
    paid: str | None = Field(None, pattern=r"^\d{1,9}(\.\d{1,4})?$", description="In the part's currency.")
    order_number: str | None = Field(None, min_length=1, max_length=LONGEST_ORDER_NUMBER)
    bought_on: date | None = None
    note: str = Field("", max_length=LONGEST_NOTE)


@resources.get("")
@operation("Purchases", query=Page, answer=PurchaseList)
def index(query: Page) -> PurchaseList:
    """What this visitor handed over and opened, newest first."""
    if query.cursor is not None and not is_public_id(query.cursor):
        raise InvalidInput("this cursor is not from here", place="cursor")
    found = list_purchases(
        current_session(), context.cart_token(), before=query.cursor, limit=query.limit + 1
    )
    shown = found[: query.limit]
    return PurchaseList(
        items=[PurchaseTold.of(purchase) for purchase in shown],
        next=url_for("api_purchases.index", limit=query.limit, cursor=shown[-1].id)
        if len(found) > query.limit
        else None,
    )


@resources.get("/<purchase_id>")
@operation("One purchase", answer=PurchaseTold)
def show(purchase_id: str) -> PurchaseTold:
    """A purchase, store by store."""
    return PurchaseTold.of(get_purchase(current_session(), context.cart_token(), purchase_id))


@resources.patch("/<purchase_id>/parts/<part_id>")
@operation("Move a part on", body=PartChange, answer=PurchaseTold, errors=(409,))
def change(purchase_id: str, part_id: str, body: PartChange) -> PurchaseTold:
    """Say what became of one store's part, and what its receipt says."""
    session, token = current_session(), context.cart_token()
    part = next((one for one in get_purchase(session, token, purchase_id).parts if one.id == part_id), None)
    receipt = None
    if part is not None and (body.paid or body.order_number or body.bought_on):
        receipt = Receipt(
            paid=Money(Decimal(body.paid), part.subtotal.currency) if body.paid else None,
            order_number=body.order_number,
            bought_on=body.bought_on,
        )
    change_part(session, token, purchase_id, part_id, body.state, receipt=receipt, note=body.note)
    return PurchaseTold.of(get_purchase(session, token, purchase_id))


@resources.post("/<purchase_id>/parts/<part_id>/take-back")
@operation("Take the last change back", answer=PurchaseTold, errors=(409,))
def undo(purchase_id: str, part_id: str) -> PurchaseTold:
    """Return a part to the state before."""
    session, token = current_session(), context.cart_token()
    take_back(session, token, purchase_id, part_id)
    return PurchaseTold.of(get_purchase(session, token, purchase_id))
