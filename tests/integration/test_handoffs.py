"""Checkouts: one hand-off a store, links that lead to the store alone, steps that are ticked off."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, get_args

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from aggregator.db.models import CheckoutRow, HandOffRow, StoreRow
from aggregator.domain.checkouts import Checkout, HandOffState
from aggregator.domain.errors import InvalidInput, NotFound
from aggregator.domain.money import Money
from aggregator.domain.stores import HandOff, HandOffLine, Store
from aggregator.shopping.carts import add_to_cart, find_cart, set_quantity
from aggregator.shopping.hand_off_links import is_trustworthy, product_links
from aggregator.shopping.handoffs import build_checkout, get_checkout, set_hand_off_state
from tests.integration.plugged_platforms import plugged_in
from tests.integration.shop_rows import cart_of, flat_shipping, offer_row, product_row, store_row

ASSUMED = Decimal("5.90")


@pytest.fixture(autouse=True)
def platforms() -> Iterator[None]:
    with plugged_in():
        yield


def cart_at(session: Session, *stores: StoreRow, price: str = "10.00") -> str:
    """A cart with two of one product of each store; returns its token."""
    products = [product_row(session, f"Article of {store.slug}") for store in stores]
    for store, product in zip(stores, products, strict=True):
        offer_row(session, store, product, price, number=1, sku="SKU-1", handoff={"b": "2", "a": "1"})
    return cart_of(session, *(product.public_id for product in products), quantity=2)


def check_out(session: Session, token: str) -> Checkout:
    return build_checkout(session, token, assumed_shipping=ASSUMED)


def test_hands_over_one_step_for_each_store_as_planned(session: Session) -> None:
    near = store_row(session, "near", options={"region": "south"}, secret_options={"key": "sealed"})
    far = store_row(session, "far", shipping=None)
    token = cart_at(session, near, far)

    checkout = check_out(session, token)

    assert (checkout.total, checkout.is_complete) == (Money(Decimal("44.90"), "EUR"), False)
    by_name = {step.store_name: step for step in checkout.steps}
    step = by_name["Near"]
    assert step.lines == (
        HandOffLine(
            external_id="near-1",
            title="Article of near at Near",
            url="https://near.example/p/1",
            quantity=2,
            sku="SKU-1",
            handoff=(("a", "1"), ("b", "2")),
        ),
    )
    assert step.handoff == HandOff(
        kind="cart_link", url="https://near.example/fill/near-1:2?region=south", replaces_cart=True
    )
    assert (step.subtotal, step.shipping) == (Money(Decimal("20.00"), "EUR"), Money(Decimal("4.90"), "EUR"))
    assert (step.store_url, step.state, step.opened_at, step.settled_at) == (
        "https://near.example",
        "waiting",
        None,
        None,
    )
    assert by_name["Far"].shipping is None
    assert get_checkout(session, token, checkout.id) == checkout


def test_a_checkout_stays_as_it_was_shown(session: Session) -> None:
    near = store_row(session, "near")
    token = cart_at(session, near)
    checkout = check_out(session, token)
    cart = find_cart(session, token)
    assert cart is not None

    set_quantity(session, token, cart.lines[0].id, 9)
    near.shipping = flat_shipping("1.00")
    session.flush()

    assert get_checkout(session, token, checkout.id) == checkout
    later = check_out(session, token)
    assert (later.id != checkout.id, later.total) == (True, Money(Decimal("91.00"), "EUR"))


def test_keeps_the_plan_with_its_proof(session: Session) -> None:
    check_out(session, cart_at(session, store_row(session, "near")))
    kept = session.scalars(select(CheckoutRow.plan)).one()
    assert (kept["status"], kept["total"], kept["bound"], kept["currency"], kept["assumed_shipping"]) == (
        "optimal",
        "24.90",
        "24.90",
        "EUR",
        "5.90",
    )


@pytest.mark.parametrize("platform", ["crooked", "broken", "removed"])
def test_falls_back_to_product_links(
    session: Session, platform: str, caplog: pytest.LogCaptureFixture
) -> None:
    token = cart_at(session, store_row(session, "near", platform=platform), store_row(session, "far"))

    checkout = check_out(session, token)

    by_name = {step.store_name: step.handoff for step in checkout.steps}
    assert by_name["Near"] == HandOff(kind="product_link", url=None, item_urls=("https://near.example/p/1",))
    assert by_name["Far"].kind == "cart_link"
    assert "store near" in caplog.text


def test_our_own_platforms_fill_the_stores_carts(session: Session) -> None:
    template = {"checkout_link_template": "https://feed.example/cart/add?id={id}&n={quantity}"}
    offered: list[tuple[StoreRow, str, dict[str, str]]] = [
        (store_row(session, "perma", platform="shopify"), "41", {}),
        (
            store_row(session, "press", platform="woocommerce", options={"woocommerce_version": "10.1.2"}),
            "42",
            {},
        ),
        (store_row(session, "feed", platform="merchant_feed"), "A/43", template),
    ]
    token: str | None = None
    for store, external_id, handoff in offered:
        for suffix in ("1", "2"):
            product = product_row(session, f"Article {suffix} of {store.slug}")
            offer_row(session, store, product, "10.00", external_id=external_id + suffix, handoff=handoff)
            _, new = add_to_cart(session, token, product.public_id, int(suffix))
            token = new or token
    assert token is not None

    checkout = check_out(session, token)

    assert {step.store_name: step.handoff for step in checkout.steps} == {
        "Perma": HandOff(kind="cart_link", url="https://perma.example/cart/411:1,412:2", replaces_cart=True),
        "Press": HandOff(
            kind="cart_link",
            url="https://press.example/checkout-link/?products=421:1,422:2",
            item_urls=(
                "https://press.example/?add-to-cart=421&quantity=1",
                "https://press.example/?add-to-cart=422&quantity=2",
            ),
            replaces_cart=True,
        ),
        "Feed": HandOff(
            kind="item_link",
            url=None,
            item_urls=(
                "https://feed.example/cart/add?id=A%2F431&n=1",
                "https://feed.example/cart/add?id=A%2F432&n=2",
            ),
            replaces_cart=None,
        ),
    }


STORE = Store(id="s", slug="near", name="Near", url="https://near.example/shop", platform="plugged")
LINES = (
    HandOffLine(external_id="1", title="One", url="https://brand.example/one", quantity=1),
    HandOffLine(external_id="2", title="Two", url="javascript:alert(1)", quantity=1),
)


@pytest.mark.parametrize(
    "url",
    [
        "https://near.example/cart/1:2",
        "https://NEAR.example:443/cart?x=https://evil.example/",
        "https://near.example",
    ],
)
def test_trusts_a_link_to_the_stores_own_address(url: str) -> None:
    assert is_trustworthy(HandOff(kind="cart_link", url=url), STORE, LINES)


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "http://near.example/cart",
        "https://near.example:8443/cart",
        "https://evil.example/cart",
        "https://near.example.evil.example/cart",
        "https://near.example@evil.example/cart",
        "https://user:password@near.example/cart",
        "https://evil.example\\@near.example/cart",
        "https://near.example\\.evil.example/cart",
        "//near.example/cart",
        "/cart",
        "https:near.example/cart",
        "https:///near.example/cart",
        "javascript:alert(1)//near.example",
        "https://near.example/cart\nLocation: https://evil.example",
        "https://near.example\t.evil.example/",
        " https://near.example/cart",
        "https://www.near.example/cart",
        "https://near.example:x/cart",
        "https://[near.example/cart",
    ],
)
def test_distrusts_a_link_that_leads_anywhere_else(url: str | None) -> None:
    assert not is_trustworthy(HandOff(kind="cart_link", url=url), STORE, LINES)


def test_distrusts_item_links_when_one_is_missing_or_leads_elsewhere() -> None:
    good, evil = "https://near.example/add/1", "https://evil.example/add/2"
    for item_urls, trusted in (((good, good), True), ((good,), False), ((good, evil), False)):
        built = HandOff(kind="item_link", url=None, item_urls=item_urls)
        assert is_trustworthy(built, STORE, LINES) is trusted
    assert not is_trustworthy(HandOff(kind="cart_link", url=good, item_urls=(evil,)), STORE, LINES)
    # Merchants' own add-to-cart links lie on a host beside their shop.
    for link, trusted in (("https://add.near.example/1", True), ("http://add.near.example/1", False)):
        assert (
            is_trustworthy(HandOff(kind="item_link", url=None, item_urls=(link, good)), STORE, LINES)
            is trusted
        )
    # A line that takes no link has its own page among them.
    mixed = HandOff(kind="item_link", url=None, item_urls=(LINES[0].url, good))
    assert is_trustworthy(mixed, STORE, LINES)
    assert not is_trustworthy(HandOff(kind="cart_link", url=LINES[0].url), STORE, LINES)


def test_product_links_may_be_the_lines_own_pages_but_never_a_script() -> None:
    fallback = product_links(STORE, LINES)
    assert fallback.item_urls == ("https://brand.example/one", "https://near.example/shop")
    assert is_trustworthy(fallback, STORE, LINES)
    with_script = HandOff(kind="product_link", url=None, item_urls=tuple(line.url for line in LINES))
    assert not is_trustworthy(with_script, STORE, LINES)


def test_nothing_to_buy_is_no_checkout(session: Session) -> None:
    near = store_row(session, "near")
    product = product_row(session, "Kettle")
    offer_row(session, near, product, "10.00", availability="SoldOut")
    _, token = add_to_cart(session, None, product.public_id)
    assert token is not None

    with pytest.raises(InvalidInput, match="nothing in this cart can be bought now"):
        check_out(session, token)
    with pytest.raises(NotFound):
        build_checkout(session, None, assumed_shipping=ASSUMED)
    assert session.scalars(select(CheckoutRow)).all() == []


def test_nobody_sees_or_settles_the_checkout_of_another_cart(session: Session) -> None:
    near = store_row(session, "near")
    mine, theirs = cart_at(session, near), cart_at(session, store_row(session, "far"))
    checkout = check_out(session, mine)

    for token in (theirs, None, "", "made up"):
        with pytest.raises(NotFound):
            get_checkout(session, token, checkout.id)
        with pytest.raises(NotFound):
            set_hand_off_state(session, token, checkout.steps[0].id, "bought")
    assert get_checkout(session, mine, checkout.id) == checkout


@pytest.mark.parametrize("identifier", ["", "\x00", "2" * 12, "../etc", "\ud800"])
def test_an_id_that_nothing_has_is_not_found(session: Session, identifier: str) -> None:
    token = cart_at(session, store_row(session, "near"))
    check_out(session, token)
    with pytest.raises(NotFound):
        get_checkout(session, token, identifier)
    with pytest.raises(NotFound):
        set_hand_off_state(session, token, identifier, "opened")


@pytest.mark.parametrize(
    ("states", "ends_as", "was_opened", "is_settled"),
    [
        (["opened"], "opened", True, False),
        (["opened", "bought"], "bought", True, True),
        (["bought"], "bought", False, True),
        (["opened", "given_up"], "given_up", True, True),
        (["opened", "bought", "opened"], "bought", True, True),
        (["opened", "bought", "waiting"], "opened", True, False),
        (["bought", "waiting"], "waiting", False, False),
        (["bought", "given_up"], "given_up", False, True),
    ],
)
def test_a_step_is_ticked_off_and_can_be_taken_back(
    session: Session, states: list[HandOffState], ends_as: str, was_opened: bool, is_settled: bool
) -> None:
    token = cart_at(session, store_row(session, "near"))
    checkout = check_out(session, token)

    for state in states:
        set_hand_off_state(session, token, checkout.steps[0].id, state)

    (step,) = get_checkout(session, token, checkout.id).steps
    assert (step.state, step.opened_at is not None, step.settled_at is not None) == (
        ends_as,
        was_opened,
        is_settled,
    )


def test_repeating_a_tick_keeps_its_first_time(session: Session) -> None:
    token = cart_at(session, store_row(session, "near"))
    checkout = check_out(session, token)
    for state in ("opened", "bought"):
        set_hand_off_state(session, token, checkout.steps[0].id, state)
    before = get_checkout(session, token, checkout.id)
    for state in ("opened", "bought"):
        set_hand_off_state(session, token, checkout.steps[0].id, state)
    assert get_checkout(session, token, checkout.id) == before


def test_only_the_step_that_was_meant_changes(session: Session) -> None:
    token = cart_at(session, store_row(session, "near"), store_row(session, "far"))
    first, second = check_out(session, token).steps
    set_hand_off_state(session, token, second.id, "bought")
    states = {
        row.public_id: row.state for row in session.execute(select(HandOffRow.public_id, HandOffRow.state))
    }
    assert states == {first.id: "waiting", second.id: "bought"}


def test_knows_every_state_the_table_knows_and_no_other(session: Session) -> None:
    token = cart_at(session, store_row(session, "near"))
    step = check_out(session, token).steps[0]
    for state in get_args(HandOffState):
        set_hand_off_state(session, token, step.id, state)
    unknown: Any = "paid"
    with pytest.raises(InvalidInput, match="no state 'paid'"):
        set_hand_off_state(session, token, step.id, unknown)
