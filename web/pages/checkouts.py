"""The hand-over: one step per store, each leading to that store's own cart. Nothing here asks a store anything."""

from __future__ import annotations

from flask import Blueprint, Response, render_template, request, url_for

from aggregator.domain.checkouts import Checkout, HandOffState, HandOffStep
from aggregator.domain.errors import InvalidInput, NotFound
from aggregator.domain.purchases import OPEN_STATES
from aggregator.shopping.handoffs import build_checkout, get_checkout, set_hand_off_state
from web import context
from web.db import current_session
from web.presenters import web_address
from web.security import let_forms_lead_to

pages = Blueprint("checkouts", __name__, url_prefix="/checkout")

_STATES: dict[str, HandOffState] = {"waiting": "waiting", "bought": "bought", "given_up": "given_up"}


@pages.post("")
def create() -> Response:
    """Turn the planned cart into hand-overs."""
    settings = context.current_settings()
    checkout = build_checkout(
        current_session(),
        context.cart_token(),
        assumed_shipping=context.assumed_shipping(),
        country=settings.country,
        time_limit=settings.plan_seconds,
    )
    return context.go_to(url_for("checkouts.show", checkout_id=checkout.id))


@pages.get("")
def start() -> Response:
    """People try this address; the cart is where a checkout begins."""
    return context.go_to(url_for("carts.show"))


@pages.get("/<checkout_id>")
def show(checkout_id: str) -> str:
    """The steps of one checkout."""
    checkout = get_checkout(current_session(), context.cart_token(), checkout_id)
    let_forms_lead_to(link for step in checkout.steps if (link := opening_link(step)))
    settled = sum(step.state not in OPEN_STATES for step in checkout.steps)
    return render_template(
        "checkouts/show.html", checkout=checkout, settled=settled, opening_link=opening_link
    )


@pages.post("/<checkout_id>/steps/<step_id>/open")
def open_store(checkout_id: str, step_id: str) -> Response:
    """Record that the shopper goes to the store, and send the shopper (never this server) there."""
    step = _step(checkout_id, step_id)
    link = opening_link(step)
    if link is None:
        raise InvalidInput("this store has no usable address", remedy="look for its products by name")
    if step.state == "waiting":
        set_hand_off_state(current_session(), context.cart_token(), step_id, "opened")
    if "quiet" in request.form:  # the page's script: the link itself has taken the shopper there
        return Response(status=204)
    return context.go_to(link)


@pages.post("/<checkout_id>/steps/<step_id>")
def settle(checkout_id: str, step_id: str) -> Response:
    """Tick a step off as bought or given up, or take the tick back."""
    _step(checkout_id, step_id)
    state = _STATES.get(request.form.get("state", ""))
    if state is None:
        raise InvalidInput("a step is waiting, bought or given_up", place="state")
    set_hand_off_state(current_session(), context.cart_token(), step_id, state)
    return context.go_to(url_for("checkouts.show", checkout_id=checkout_id, _anchor=f"step-{step_id}"))


def opening_link(step: HandOffStep) -> str | None:
    """Where the big button leads: the link that fills the cart, the only item's link, else the store itself."""
    if step.handoff.url:
        return web_address(step.handoff.url)
    if step.handoff.kind == "item_link" and len(step.handoff.item_urls) == 1:
        return web_address(step.handoff.item_urls[0])
    return web_address(step.store_url)


def _step(checkout_id: str, step_id: str) -> HandOffStep:
    checkout: Checkout = get_checkout(current_session(), context.cart_token(), checkout_id)
    for step in checkout.steps:
        if step.id == step_id:
            return step
    raise NotFound("step", step_id)
