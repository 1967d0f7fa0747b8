"""The hand-over: one step per store, each leading to that store's own cart. Nothing here asks a store anything."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, render_template, request, url_for
from flask_babel import gettext as _
from itsdangerous import BadSignature, URLSafeTimedSerializer

from aggregator.domain.checkouts import Checkout, HandOffState, HandOffStep
from aggregator.domain.errors import InvalidInput, NotFound
from aggregator.domain.purchases import OPEN_STATES
from aggregator.shopping.handoffs import (
    build_checkout,
    check_again,
    get_checkout,
    replan_checkout,
    set_hand_off_state,
)
from web import context
from web.checkout_view import check_view, current_check, step_words
from web.db import current_session
from web.presenters import web_address
from web.security import let_forms_lead_to

pages = Blueprint("checkouts", __name__, url_prefix="/checkout")

LINK_DAYS = 30
GRANTED_COOKIE = "click2cart_checkouts"
_MOST_GRANTED = 20
_DAY = 86_400
# Each may ask many stores, who are not to be asked on and on through this site.
_STATES: dict[str, HandOffState] = {"waiting": "waiting", "bought": "bought", "given_up": "given_up"}


@pages.post("")
def create() -> Response:
    """Turn the planned cart into hand-overs."""
    context.count_live_check()
    checkout = build_checkout(
        current_session(),
        context.cart_token(),
        **context.plan_terms(),
    )
    return _go_to(checkout.id)


@pages.get("")
def start() -> Response:
    """People try this address; the cart is where a checkout begins."""
    return context.go_to(url_for("carts.show"))


@pages.get("/<checkout_id>")
def show(checkout_id: str) -> str:
    """The steps of one checkout, and what its stores say of their prices."""
    checkout = _checkout(checkout_id)
    let_forms_lead_to(link for step in checkout.steps if (link := opening_link(step)))
    settled = sum(step.state not in OPEN_STATES for step in checkout.steps)
    is_begun = any(step.state not in OPEN_STATES and step.state != "given_up" for step in checkout.steps)
    return render_template(
        "checkouts/show.html",
        checkout=checkout,
        check=check_view(checkout),
        live=current_check(checkout),
        step_words=step_words,
        settled=settled,
        is_begun=is_begun,
        is_own=checkout_id not in _granted(),
        opening_link=opening_link,
        continue_link=_continue_link(checkout_id),
        link_days=LINK_DAYS,
    )


@pages.post("/<checkout_id>/check")
def check(checkout_id: str) -> Response:
    """Have the stores asked for their prices once more."""
    context.count_live_check()
    check_again(current_session(), context.cart_token(), checkout_id, granted=_granted())
    return _go_to(checkout_id)


@pages.post("/<checkout_id>/replan")
def replan(checkout_id: str) -> Response:
    """Plan the same cart again with what its stores said, without those named in `without`."""
    context.count_live_check()
    granted = _granted()
    checkout = replan_checkout(
        current_session(),
        context.cart_token(),
        checkout_id,
        **context.plan_terms(),
        without_stores=frozenset(request.form.getlist("without")),
        granted=granted,
    )
    response = _go_to(checkout.id)
    # Whoever came by a signed link goes on with the new plan, too.
    return _grant(response, checkout.id) if checkout_id in granted else response


@pages.post("/<checkout_id>/steps/<step_id>/open")
def open_store(checkout_id: str, step_id: str) -> Response:
    """Record that the shopper goes to the store, and send the shopper (never this server) there."""
    step = _step(checkout_id, step_id)
    link = opening_link(step)
    if link is None:
        raise InvalidInput("this store has no usable address", remedy="look for its products by name")
    if step.state == "waiting":
        _set_state(step_id, "opened")
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
    _set_state(step_id, state)
    return context.go_to(url_for("checkouts.show", checkout_id=checkout_id, _anchor=f"step-{step_id}"))


@pages.get("/<checkout_id>/continue/<key>")
def go_on(checkout_id: str, key: str) -> Response:
    """Open a checkout on another device by its signed link, which that device remembers."""
    try:
        signed = _signer("link").loads(key, max_age=LINK_DAYS * _DAY)
    except BadSignature:
        signed = None
    if signed != checkout_id:
        raise InvalidInput(
            _("this link has ended or is not whole"), remedy=_("take a new one where the checkout was begun")
        )
    return _grant(_go_to(checkout_id), checkout_id)


def opening_link(step: HandOffStep) -> str | None:
    """Where the big button leads: the link that fills the cart, else the store itself, which adds nothing twice."""
    return web_address(step.handoff.url or step.store_url)


def _checkout(checkout_id: str) -> Checkout:
    return get_checkout(current_session(), context.cart_token(), checkout_id, granted=_granted())


def _step(checkout_id: str, step_id: str) -> HandOffStep:
    for step in _checkout(checkout_id).steps:
        if step.id == step_id:
            return step
    raise NotFound("step", step_id)


def _set_state(step_id: str, state: HandOffState) -> None:
    set_hand_off_state(current_session(), context.cart_token(), step_id, state, granted=_granted())


def _go_to(checkout_id: str) -> Response:
    return context.go_to(url_for("checkouts.show", checkout_id=checkout_id))


def _signer(purpose: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.secret_key or b"", salt=f"click2cart.checkouts.{purpose}")


def _continue_link(checkout_id: str) -> str:
    site = context.current_settings().site_url or request.host_url.rstrip("/")
    return site + url_for("checkouts.go_on", checkout_id=checkout_id, key=_signer("link").dumps(checkout_id))


def _granted() -> tuple[str, ...]:
    """The checkouts that signed links opened to this browser, oldest first."""
    try:
        kept = _signer("granted").loads(
            request.cookies.get(GRANTED_COOKIE, ""), max_age=context.CART_DAYS * _DAY
        )
    except BadSignature:
        return ()
    return tuple(str(checkout_id) for checkout_id in kept) if isinstance(kept, list) else ()


def _grant(response: Response, checkout_id: str) -> Response:
    kept = [known for known in _granted() if known != checkout_id][1 - _MOST_GRANTED :]
    token = _signer("granted").dumps([*kept, checkout_id])
    return context.remember(response, GRANTED_COOKIE, str(token), days=context.CART_DAYS)
