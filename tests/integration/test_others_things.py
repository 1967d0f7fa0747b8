"""What belongs to one visitor is not there for any other: by every page and every operation, whoever asks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from itertools import product as combinations
from types import MappingProxyType
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from aggregator.accounts.addresses import add_address
from aggregator.accounts.api_tokens import make_api_token
from aggregator.accounts.app_tokens import open_app_sign_in
from aggregator.accounts.roles import Role
from aggregator.accounts.scopes import SCOPES
from aggregator.db.base import Row
from aggregator.db.models import (
    AccountAddressRow,
    AccountPictureRow,
    AccountRow,
    AccountSessionRow,
    AlertMessengerRow,
    ApiTokenRow,
    AppSignInRow,
    PasskeyRow,
    PastedLineRow,
    PushSubscriptionRow,
)
from aggregator.db.session import Sessions
from aggregator.domain.identifiers import new_public_id
from aggregator.domain.money import Money
from aggregator.domain.postal_addresses import PostalAddress
from aggregator.secrets import PersonalSecrets
from aggregator.settings import Settings
from aggregator.shopping.account_carts import account_cart_token, ensure_account_cart
from aggregator.shopping.alert_messengers import add_messenger
from aggregator.shopping.alerts import NewAlert, set_alert
from aggregator.shopping.carts import add_to_cart
from aggregator.shopping.handoffs import build_checkout, set_hand_off_state
from aggregator.shopping.pasted_lists import paste_list
from aggregator.shopping.purchases import Receipt, change_part
from aggregator.shopping.shared_baskets import share_basket
from aggregator.shopping.wishlists import add_items, create_wishlist
from tests.integration.conftest import Browser, ShopWindow
from web.context import CART_COOKIE
from web.permissions import declared_audience

ADDRESS = {
    "name": "Ada Byron",
    "street_address": "St James's Square 12",
    "postal_code": "10115",
    "address_locality": "Berlin",
    "address_country": "DE",
}
DISCORD = "discord://123456789012345678/" + "aB_-" * 16
# Every view whose address names something that one visitor owns, with what is sent to it. {product}, {offer} and
# {line} stand for ids.
OWNED: Mapping[str, tuple[Mapping[str, Any], ...]] = MappingProxyType(
    {
        "carts.change": ({"quantity": "5"}, {"remove": "1"}),
        "cart_options.offers": ({},),
        "cart_options.choose_offer": ({"offer": "{offer}", "action": "pin"},),
        "checkouts.show": ({},),
        "checkouts.check": ({},),
        "checkouts.replan": ({},),
        "checkouts.open_store": ({},),
        "checkouts.settle": ({"state": "bought"},),
        "purchases.show": ({},),
        "purchases.change": ({"state": "bought", "currency": "EUR"}, {"take_back": "1"}),
        "purchases.plan_again": ({},),
        "purchases.take_out": ({},),
        "shared_baskets.revoke": ({},),
        "pasted_lists.show": ({},),
        "pasted_lists.choose": ({"choice-{line}": "{product}"},),
        "pasted_lists.choose_sure_ones": ({},),
        "pasted_lists.rewrite": ({"wording": "x"},),
        "pasted_lists.forget": ({},),
        "wishlists.show": ({},),
        "wishlists.remove": ({},),
        "wishlists.change": ({"name": "Mine"}, {"delete": "1"}),
        "wishlists.buy": ({},),
        "wishlists.share": ({}, {"stop": "1"}),
        "alerts.change": ({"off": "1"}, {"delete": "1"}),
        "alert_channels.leave_browser": ({},),
        "alert_channels.leave_messenger": ({},),
        "addresses.edit": ({},),
        "addresses.change": (ADDRESS, {"remove": "1"}, {"make_default": "1"}),
        "account_security.forget_passkey": ({},),
        "account_security.sign_out_one": ({},),
        "account_security.sign_out_app": ({},),
        "account_security.revoke_token": ({},),
        "api_carts.change": ({"quantity": 5},),
        "api_carts.remove": ({},),
        "api_alerts.change": ({"is_on": False},),
        "api_alerts.remove": ({},),
        "api_alert_channels.remove": ({},),
        "api_hand_offs.show": ({},),
        "api_hand_offs.check": ({},),
        "api_hand_offs.settle": ({"state": "bought"},),
        "api_purchases.show": ({},),
        "api_purchases.change": ({"state": "bought"},),
        "api_purchases.undo": ({},),
        "api_wishlists.show": ({},),
        "api_wishlists.rename": ({"name": "Mine"},),
        "api_wishlists.remove_list": ({},),
        "api_wishlists.add": ({"product_id": "{product}"},),
        "api_wishlists.remove": ({},),
        "api_wishlists.remove_from_default": ({},),
    }
)
# What anybody may look at, and addresses that are a key by themselves.
PUBLIC = frozenset(
    {
        "static",
        "accounts.link_form",
        "accounts.sign_in_with_link",
        "alert_channels.feed",
        "alerts.stop",
        "alerts.stop_form",
        "api_products.prices",
        "api_products.show",
        "api_stores.show",
        "api_wishlists.remove_wish",
        "categories.show",
        "checkouts.go_on",
        "feeds.product",
        "pictures.show",
        "products.prices",
        "products.report",
        "products.show",
        "profile.confirm_mail",
        "profile.confirm_mail_form",
        "registration.activate_account",
        "registration.activate_form",
        "registration.look_into_mail",
        "registration.new_password_form",
        "registration.set_new_password",
        "shared_baskets.copy",
        "shared_baskets.show",
        "site_map.products",
        "stores.show",
        "wishlists.shared",
    }
)
# A path's argument to the kind of thing it names, where its name alone does not tell.
KINDS = {
    "api_carts.item_id": "line_id",
    "pasted_lists.list_id": "pasted_list_id",
    "pasted_lists.line_id": "pasted_line_id",
    "purchase_id": "checkout_id",
    "hand_off_id": "checkout_id",
    "part_id": "step_id",
}
CALLERS = ("shopper", "guest", "operator", "token", "nobody")
# Columns that tell when somebody came by, and counters: what changes by asking.
_BY_ASKING = frozenset({"last_seen_at", "last_used_at"})

Things = dict[str, str]


def things_of_cart(session: Session, token: str | None, shop: ShopWindow) -> tuple[Things, str]:
    """All that hangs on a cart, by the names of what addresses call it; and the cart's token."""
    mark = new_public_id()
    cart, new_token = add_to_cart(session, token, shop.mug, 2)
    token = new_token or token
    assert token is not None
    wishlist, _ = create_wishlist(session, token, f"Birthday {mark}")
    assert wishlist.id is not None
    wishlist, _ = add_items(session, token, [shop.mug], list_id=wishlist.id)
    checkout = build_checkout(session, token, assumed_shipping=Decimal("5.90"))
    step = checkout.steps[0].id
    set_hand_off_state(session, token, step, "opened")
    change_part(session, token, checkout.id, step, "bought", receipt=Receipt(order_number=mark))
    pasted, _ = paste_list(session, token, "mug")
    link, _secret = share_basket(session, token, name=f"Look {mark}")
    return {
        "mark": mark,
        "line_id": cart.lines[0].id,
        "list_id": wishlist.id or "",
        "item_id": wishlist.items[0].id,
        "checkout_id": checkout.id,
        "step_id": step,
        "link_id": link.id,
        "pasted_list_id": pasted,
        "pasted_line_id": session.scalars(
            select(PastedLineRow.public_id).order_by(PastedLineRow.id.desc()).limit(1)
        ).one(),
    }, token


def things_of_account(
    session: Session, settings: Settings, email: str, shop: ShopWindow
) -> tuple[Things, str]:
    """The same of an account with what else it has, and an API token that may all."""
    account_id = session.scalars(select(AccountRow.id).where(AccountRow.email == email)).one()
    ensure_account_cart(session, settings, account_id)
    things, _ = things_of_cart(session, account_cart_token(settings, account_id), shop)
    add_address(session, settings, account_id, PostalAddress.read(**ADDRESS))
    open_app_sign_in(session, settings, account_id, f"Phone {things['mark']}")
    token = make_api_token(session, account_id, f"Sheet {things['mark']}", SCOPES, days=1)
    credential = new_public_id().encode()
    session.add(PasskeyRow(account_id=account_id, name="Key", credential_id=credential, public_key=b"k"))
    session.add(AccountPictureRow(account_id=account_id, content=b"RIFF", updated_at=datetime.now(UTC)))
    seal = PersonalSecrets.from_settings(settings).seal
    session.add(
        PushSubscriptionRow(
            account_id=account_id, endpoint_hash=credential, content_sealed=seal("{}"), device=things["mark"]
        )
    )
    session.flush()
    add_messenger(session, settings, account_id, DISCORD)
    owned: dict[str, Any] = {
        "address_id": AccountAddressRow,
        "app_id": AppSignInRow,
        "token_id": ApiTokenRow,
        "passkey_id": PasskeyRow,
        "session_id": AccountSessionRow,
        "browser_id": PushSubscriptionRow,
        "messenger_id": AlertMessengerRow,
    }
    for name, table in owned.items():
        things[name] = session.scalars(select(table.public_id).where(table.account_id == account_id)).one()
    alert = NewAlert(product_id=shop.mug, rule="below", amount=Money(Decimal("5.00"), "EUR"))
    things["alert_id"] = set_alert(session, account_id, alert).id
    return things, token


class Visitor:
    """Somebody who asks: with what cookies or token, and what is theirs."""

    def __init__(self, app: Flask, things: Things, token: str | None = None) -> None:
        self.browser = Browser(app)
        self.things = things
        self.token = token
        self._form_token: str | None = None

    def ask(self, method: str, address: str, sent: Mapping[str, Any]) -> TestResponse:
        """Send what the view takes: JSON to the API, forms to pages."""
        if address.startswith("/api/"):
            headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
            body = None if method == "GET" else sent
            return self.browser.client.open(address, method=method, json=body, headers=headers)
        if method == "GET":
            return self.browser.client.get(address)
        self._form_token = self._form_token or self.browser.form_token()
        return self.browser.client.open(address, method=method, data={"csrf_token": self._form_token, **sent})


@pytest.fixture
def owner(app: Flask, sessions: Sessions, site_settings: Settings, shop_window: ShopWindow) -> Things:
    Browser(app).sign_in(sessions, "shopper", "ada@example.org")
    with sessions.begin() as session:
        things, _token = things_of_account(session, site_settings, "ada@example.org", shop_window)
    return things


@pytest.fixture
def visitor(
    request: pytest.FixtureRequest,
    app: Flask,
    sessions: Sessions,
    site_settings: Settings,
    shop_window: ShopWindow,
) -> Visitor:
    if request.param == "nobody":
        return Visitor(app, {})
    if request.param == "guest":
        with sessions.begin() as session:
            things, token = things_of_cart(session, None, shop_window)
        guest = Visitor(app, things)
        guest.browser.client.set_cookie(CART_COOKIE, token)
        return guest
    role: Role = "operator" if request.param == "operator" else "shopper"
    signed_in = Visitor(app, {})
    signed_in.browser.sign_in(sessions, role, "eve@example.org")
    with sessions.begin() as session:
        things, token = things_of_account(session, site_settings, "eve@example.org", shop_window)
    if request.param == "token":
        return Visitor(app, things, token)
    signed_in.things = things
    return signed_in


def rules_with_arguments(app: Flask) -> Iterator[Rule]:
    """Every address that names something, but the operators' own."""
    with app.test_request_context():
        for rule in app.url_map.iter_rules():
            if rule.arguments and declared_audience(rule.endpoint) in {"anyone", "account"}:
                yield rule


def kind_of(endpoint: str, argument: str) -> str:
    return KINDS.get(f"{endpoint.partition('.')[0]}.{argument}") or KINDS.get(argument, argument)


def filled_in(value: Any, names: Mapping[str, str]) -> Any:
    if not isinstance(value, str):
        return value
    return re.sub(r"\{(\w+)\}", lambda found: names[found[1]], value)


def everything_kept(sessions: Sessions) -> dict[str, list[str]]:
    """Every row of every table, but what changes by asking."""
    with sessions() as session:
        return {
            name: sorted(
                repr(row)
                for row in session.execute(
                    select(*(column for column in table.columns if column.name not in _BY_ASKING))
                )
            )
            for name, table in Row.metadata.tables.items()
            if name != "rate_limits"
        }


def plain(answer: TestResponse, ids: Mapping[str, str]) -> tuple[int, str]:
    """What an answer says, whatever was asked for and whichever form it would be."""
    text = re.sub(r'name="csrf_token" value="[^"]+"', "", answer.text) + answer.headers.get("Location", "")
    for one in ids.values():
        text = text.replace(one, "")
    return answer.status_code, text


def test_every_address_that_names_something_is_known_to_be_somebodys_or_everybodys(app: Flask) -> None:
    assert {rule.endpoint for rule in rules_with_arguments(app)} == PUBLIC | set(OWNED)


@pytest.mark.parametrize("visitor", CALLERS, indirect=True)
def test_anothers_things_are_answered_like_what_never_was_and_stay_as_they_are(
    app: Flask, sessions: Sessions, shop_window: ShopWindow, owner: Things, visitor: Visitor
) -> None:
    before = everything_kept(sessions)
    names = {"product": shop_window.mug, "offer": shop_window.cheap_offer, "line": owner["pasted_line_id"]}
    wrong = {}
    for rule in rules_with_arguments(app):
        if rule.endpoint not in OWNED or (visitor.token and not rule.rule.startswith("/api/")):
            continue
        kinds = {argument: kind_of(rule.endpoint, argument) for argument in sorted(rule.arguments)}
        for whose in combinations((owner, visitor.things), repeat=len(kinds)):
            if owner not in whose:
                continue
            # Things of the owner's, and then in their place what never was.
            ids, never = (
                {
                    argument: new_public_id() if things is left_out else things.get(kind, new_public_id())
                    for (argument, kind), things in zip(kinds.items(), whose, strict=True)
                }
                for left_out in (None, owner)
            )
            for given in OWNED[rule.endpoint]:
                sent = {filled_in(name, names): filled_in(value, names) for name, value in given.items()}
                (method,) = (rule.methods or set()) - {"HEAD", "OPTIONS"}
                answers = [
                    plain(visitor.ask(method, address_of(app, rule, which), sent), which)
                    for which in (ids, never)
                ]
                is_closed = answers[0][0] in {303, 401} and not is_for(app, rule, visitor)
                if answers[0] != answers[1] or not (answers[0][0] == 404 or is_closed):
                    wrong[f"{method} {rule.rule} {[*given]}"] = [answer[0] for answer in answers]
    assert wrong == {}
    assert everything_kept(sessions) == before


def address_of(app: Flask, rule: Rule, ids: Mapping[str, str]) -> str:
    return app.url_map.bind("localhost").build(rule.endpoint, ids, method=next(iter(rule.methods or ())))


def is_for(app: Flask, rule: Rule, visitor: Visitor) -> bool:
    """Whether the visitor gets to the view at all: guests do not where an account is needed."""
    with app.test_request_context():
        return declared_audience(rule.endpoint) == "anyone" or "address_id" in visitor.things


@pytest.mark.parametrize("visitor", ["shopper", "guest", "token"], indirect=True)
def test_no_list_export_or_picture_tells_of_anothers_things(
    app: Flask, owner: Things, visitor: Visitor
) -> None:
    told = {}
    marks = {*owner.values(), "ada@example.org"}
    with app.test_request_context():
        addresses = {
            rule.rule
            for rule in app.url_map.iter_rules()
            if not rule.arguments
            and "GET" in (rule.methods or ())
            and declared_audience(rule.endpoint) in {"anyone", "account"}
        }
    for address in sorted(addresses):
        answer = visitor.ask("GET", address, {})
        assert answer.status_code < 500, address
        told[address] = [mark for mark in marks if mark.encode() in answer.data]
    told["export"] = [
        mark for mark in marks if mark.encode() in visitor.ask("POST", "/account/data/export", {}).data
    ]
    assert {address: found for address, found in told.items() if found} == {}
    named = visitor.ask("POST", "/wishlist/items", {"product": "{product}", "list": owner["list_id"]})
    assert named.status_code == 404
