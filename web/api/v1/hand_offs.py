"""Handing a planned cart over to its stores, one step for each."""

from __future__ import annotations

from typing import Literal, Self

from flask import Blueprint

from aggregator.domain.checkouts import Checkout, HandOffStep
from aggregator.domain.errors import NotFound
from aggregator.domain.live_checks import LiveOfferState
from aggregator.shopping.handoffs import build_checkout, check_again, get_checkout, set_hand_off_state
from web import context
from web.api.operations import Given, Told, operation
from web.api.v1.schemas import Amount, instant
from web.db import current_session

resources = Blueprint("api_hand_offs", __name__, url_prefix="/api/v1/hand-offs")


class StepItem(Told):
    """So many of one article at the store."""

    title: str
    quantity: int
    url: str


class CheckedPrice(Told):
    """What the store says of an offer now."""

    offer_id: str
    state: LiveOfferState
    before: Amount
    now: Amount | None


class Step(Told):
    """One store's step. `url` fills its cart and is for the shopper alone to open; `item_urls` do so one by one."""

    id: str
    store: str
    state: str
    kind: str
    url: str | None
    item_urls: list[str]
    replaces_cart: bool | None
    is_affiliate: bool
    items: list[StepItem]
    subtotal: Amount
    shipping: Amount | None

    @classmethod
    def of(cls, step: HandOffStep) -> Self:
        """A step as the API writes it."""
        return cls(
            id=step.id,
            store=step.store_name,
            state=step.state,
            kind=step.handoff.kind,
            url=step.handoff.url,
            item_urls=list(step.handoff.item_urls),
            replaces_cart=step.handoff.replaces_cart,
            is_affiliate=step.handoff.is_affiliate,
            items=[StepItem(title=line.title, quantity=line.quantity, url=line.url) for line in step.lines],
            subtotal=Amount.of(step.subtotal),
            shipping=Amount.maybe(step.shipping),
        )


class HandOffTold(Told):
    """A planned cart on its way to the stores."""

    id: str
    created_at: str
    total: Amount
    complete: bool
    steps: list[Step]
    is_checking: bool
    prices: list[CheckedPrice]

    @classmethod
    def of(cls, checkout: Checkout) -> Self:
        """A hand-over as the API writes it."""
        check = checkout.check
        return cls(
            id=checkout.id,
            created_at=instant(checkout.created_at),
            total=Amount.of(checkout.total),
            complete=checkout.is_complete,
            steps=[Step.of(step) for step in checkout.steps],
            is_checking=check is not None and check.is_open,
            prices=[
                CheckedPrice(
                    offer_id=one.offer_id,
                    state=one.state,
                    before=Amount.of(one.before),
                    now=Amount.maybe(one.now),
                )
                for one in (check.offers.values() if check else ())
            ],
        )


class StepState(Given):
    """What the shopper did; "waiting" takes it back."""

    state: Literal["waiting", "opened", "bought", "given_up"]


@resources.post("")
@operation("Hand the cart over", answer=HandOffTold, status=201, errors=(404,))
def create() -> HandOffTold:
    """Plan the cart and make a step for each store of the plan; the cart stays, and the stores are asked once more."""
    context.count_live_check()
    return HandOffTold.of(
        build_checkout(
            current_session(),
            context.cart_token(),
            **context.plan_terms(),
        )
    )


@resources.get("/<hand_off_id>")
@operation("One hand-over", answer=HandOffTold)
def show(hand_off_id: str) -> HandOffTold:
    """Its steps, and what the stores said of their prices since."""
    return _told(hand_off_id)


@resources.post("/<hand_off_id>/check")
@operation("Ask the stores once more", status=202, answer=HandOffTold)
def check(hand_off_id: str) -> HandOffTold:
    """A worker looks at the chosen offers again; read the hand-over until `is_checking` is false."""
    context.count_live_check()
    check_again(current_session(), context.cart_token(), hand_off_id)
    return _told(hand_off_id)


@resources.put("/<hand_off_id>/steps/<step_id>")
@operation("Settle a step", body=StepState, answer=HandOffTold)
def settle(hand_off_id: str, step_id: str, body: StepState) -> HandOffTold:
    """Say what became of one store's step."""
    session, token = current_session(), context.cart_token()
    checkout = get_checkout(session, token, hand_off_id)
    if step_id not in {step.id for step in checkout.steps}:
        raise NotFound("step", step_id)
    set_hand_off_state(session, token, step_id, body.state)
    return _told(hand_off_id)


def _told(hand_off_id: str) -> HandOffTold:
    return HandOffTold.of(get_checkout(current_session(), context.cart_token(), hand_off_id))
