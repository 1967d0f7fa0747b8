"""The visitor's one cart over all stores, and the cheapest way to buy it."""

from __future__ import annotations

import json
from typing import Any, Self

from flask import Blueprint, Response
from pydantic import Field

from aggregator.domain.checkouts import Cart, CartPlan
from aggregator.domain.errors import NotFound
from aggregator.domain.money import Money
from aggregator.shopping.cart_filling import empty_cart
from aggregator.shopping.cart_lines import read_cart
from aggregator.shopping.carts import MAX_QUANTITY, add_all_to_cart, find_cart, plan_cart, set_quantity
from aggregator.shopping.guest_merging import GuestTokens, merge_guest
from aggregator.shopping.plan_files import write_plan
from web import context
from web.api.operations import Given, Told, operation, told_with
from web.api.v1.schemas import Amount, Product
from web.db import current_session

resources = Blueprint("api_carts", __name__, url_prefix="/api/v1/cart")
plans = Blueprint("api_plans", __name__, url_prefix="/api/v1/plan")


class CartItem(Told):
    """So many of one product."""

    id: str
    quantity: int
    product: Product


class CartTold(Told):
    """The visitor's cart; one that nothing was put into yet is empty."""

    items: list[CartItem]
    unit_count: int
    max_stores: int | None

    @classmethod
    def of(cls, cart: Cart | None) -> Self:
        """A cart as the API writes it."""
        lines = cart.lines if cart else ()
        return cls(
            items=[
                CartItem(id=line.id, quantity=line.quantity, product=Product.of(line.product))
                for line in lines
            ],
            unit_count=cart.unit_count if cart else 0,
            max_stores=cart.max_stores if cart else None,
        )


class NewItem(Given):
    """What goes into the cart; what lies there already adds up."""

    product_id: str = Field(min_length=1, max_length=40)
    quantity: int = Field(1, ge=1, le=MAX_QUANTITY, strict=True)


class Quantity(Given):
    """So many are wanted."""

    quantity: int = Field(ge=0, le=MAX_QUANTITY, strict=True)


class Items(Given):
    """What a guest gathered elsewhere."""

    items: list[NewItem] = Field(max_length=1000, description="One product may come several times.")


class PlannedItem(Told):
    """Part of a line as it is bought at one store: so many packs at `price` each."""

    item_id: str
    offer_id: str
    title: str
    url: str
    quantity: int
    pack_size: int
    price: Amount


class PlannedStoreTold(Told):
    """One store's part; `shipping` is null where it is unknown."""

    id: str
    name: str
    subtotal: Amount
    discount: Amount | None
    deposit: Amount | None
    shipping: Amount | None
    items: list[PlannedItem]


class PlanTold(Told):
    """The cheapest split of the cart. `plan` is the whole proof as `click2cart plan` writes it, by ids of lines,
    offers and stores; a total with an unknown in it is never `complete`.
    """

    total: Amount
    complete: bool
    status: str
    assumed_shipping: Amount
    stores: list[PlannedStoreTold]
    plan: dict[str, Any]

    @classmethod
    def of(cls, planned: CartPlan) -> Self:
        """A plan as the API writes it."""
        return cls(
            total=Amount.of(Money(planned.plan.total, planned.currency)),
            complete=planned.plan.complete,
            status=planned.plan.status.value,
            assumed_shipping=Amount.of(Money(planned.assumed_shipping, planned.currency)),
            stores=[
                PlannedStoreTold(
                    id=store.store_id,
                    name=store.store_name,
                    subtotal=Amount.of(store.subtotal),
                    discount=Amount.maybe(store.discount),
                    deposit=Amount.maybe(store.deposit),
                    shipping=Amount.maybe(store.shipping),
                    items=[
                        PlannedItem(
                            item_id=line.line_id,
                            offer_id=line.offer_id,
                            title=line.offer_title,
                            url=line.url,
                            quantity=line.quantity,
                            pack_size=line.pack_size,
                            price=Amount.of(line.price),
                        )
                        for line in store.lines
                    ],
                )
                for store in planned.stores
            ],
            plan=json.loads(write_plan(planned.plan)),
        )


def _cart() -> CartTold:
    return CartTold.of(find_cart(current_session(), context.cart_token()))


def _held_cart() -> CartTold:
    """The cart, which nobody else changes until this request ends."""
    read_cart(current_session(), context.cart_token(), lock=True)
    return _cart()


@resources.get("")
@operation("The cart", answer=CartTold)
def show() -> CartTold:
    """What lies in the visitor's cart."""
    return _cart()


@resources.delete("")
@operation("Empty the cart", status=204, current=_held_cart)
def clear() -> None:
    """Take everything out."""
    empty_cart(current_session(), context.cart_token())


@resources.post("/items")
@operation("Put into the cart", body=NewItem, answer=CartTold, status=201, current=_held_cart, errors=(404,))
def add(body: NewItem) -> Response:
    """Put so many of a product into the cart; a guest's first one makes the cart and its cookie."""
    return _changed([body], status=201)


@resources.put("/items/<item_id>")
@operation("Change a quantity", body=Quantity, answer=CartTold, current=_held_cart)
def change(item_id: str, body: Quantity) -> CartTold:
    """Want so many of a line; 0 takes it out."""
    set_quantity(current_session(), context.cart_token(), item_id, body.quantity)
    return _cart()


@resources.delete("/items/<item_id>")
@operation("Take out of the cart", status=204, current=_held_cart)
def remove(item_id: str) -> None:
    """Take a line out."""
    set_quantity(current_session(), context.cart_token(), item_id, 0)


@resources.post("/merge")
@operation(
    "Merge what was gathered elsewhere", body=Items, answer=CartTold, current=_held_cart, errors=(404,)
)
def merge(body: Items) -> Response:
    """Add all items in one step, or none; signed in, the guest's cart and wishlists of this browser come along once.

    What was offline sends an Idempotency-Key, so that nothing is added twice.
    """
    account = context.current_account()
    if account is not None:
        guest = GuestTokens(cart=context.guest_cart_token())
        merge_guest(current_session(), context.current_settings(), account.account_id, guest)
    if not body.items:
        return told_with(_cart(), 200)
    return _changed(body.items, status=200)


@plans.get("")
@operation("Plan the cart", answer=PlanTold, errors=(404,))
def plan() -> PlanTold:
    """The cheapest way to buy the cart, shipping included, with its proof."""
    cart = find_cart(current_session(), context.cart_token())
    if cart is None or not cart.lines:
        raise NotFound("plan", "of an empty cart")
    return PlanTold.of(
        plan_cart(
            current_session(),
            context.cart_token(),
            **context.plan_terms(),
        )
    )


def _changed(items: list[NewItem], *, status: int) -> Response:
    cart, new_token = add_all_to_cart(
        current_session(), context.cart_token(), [(item.product_id, item.quantity) for item in items]
    )
    response = told_with(CartTold.of(cart), status)
    return context.remember_cart(response, new_token)
