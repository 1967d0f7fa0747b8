"""Carts shared by a link: live, read-only, revocable, kept as a hash, copied once however often."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update

from aggregator.accounts.tokens import token_hash
from aggregator.db.models import SharedBasketRow
from aggregator.db.session import Sessions
from aggregator.domain.errors import InvalidInput, NotFound
from aggregator.shopping.carts import add_to_cart, find_cart
from aggregator.shopping.shared_baskets import MOST_LINKS, list_links, share_basket
from tests.integration.conftest import Browser, ShopWindow
from tests.integration.shop_rows import product_row
from tests.integration.test_web_cart import fill, line_of
from tests.integration.test_web_pages import words


def share(browser: Browser, **form: str) -> str:
    """The path of a new link, read from the one page that shows it."""
    answer = browser.post("/cart/shared", **form)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/cart/shared")
    found = re.search(r'value="http://localhost(/shared/[\w-]{43})"', browser.page("/cart/shared"))
    assert found
    return found[1]


def test_a_link_shows_the_live_plan_and_nothing_to_change(
    app: Flask, browser: Browser, shop_window: ShopWindow
) -> None:
    fill(browser, shop_window.mug)
    link = share(browser, name="Kitchen <b>2</b>", days="7")
    visitor = Browser(app)
    answer = visitor.get(link)
    assert answer.headers["X-Robots-Tag"] == "noindex, nofollow"
    assert "private" in answer.headers["Cache-Control"]
    text = words(answer.text)
    assert "Kitchen &lt;b&gt;2&lt;/b&gt;" in answer.text
    assert "South €7.50 + €4.90 shipping" in text
    assert "Total €12.40 Proven: no cheaper split exists" in text
    assert 'action="/cart/lines' not in answer.text
    browser.post(f"/cart/lines/{line_of(browser, 'Mug')}", quantity="7")
    assert "South €52.50 + free shipping" in words(visitor.page(link))
    assert "opened just now" in words(browser.page("/cart/shared"))


def test_the_link_is_shown_once_and_kept_as_a_hash(
    browser: Browser, sessions: Sessions, shop_window: ShopWindow
) -> None:
    fill(browser, shop_window.mug)
    link = share(browser)
    secret = link.rpartition("/")[2]
    assert secret not in browser.page("/cart/shared")
    with sessions() as session:
        row = session.scalars(select(SharedBasketRow)).one()
        assert row.token_hash == token_hash(secret)
        assert secret not in repr(vars(row))


def test_a_closed_link_and_one_that_ran_out_show_nothing(
    app: Flask, browser: Browser, sessions: Sessions, shop_window: ShopWindow
) -> None:
    fill(browser, shop_window.mug)
    revoked, ran_out = share(browser, days="1"), share(browser, days="30")
    with sessions.begin() as session:
        links = session.scalars(select(SharedBasketRow).order_by(SharedBasketRow.id)).all()
        first = links[0].public_id
        session.execute(
            update(SharedBasketRow)
            .where(SharedBasketRow.id == links[1].id)
            .values(expires_at=datetime.now(UTC) - timedelta(seconds=1))
        )
    assert browser.post(f"/cart/shared/{first}/revoke").status_code == 303
    assert browser.post(f"/cart/shared/{first}/revoke").status_code == 303
    visitor = Browser(app)
    for link in (revoked, ran_out, "/shared/nothing", f"/shared/{'x' * 5000}", "/shared/%F0%9F%91%BB"):
        answer = visitor.get(link)
        assert answer.status_code == 404
        assert "This link shows nothing" in words(answer.text)
        assert visitor.post(f"{link}/copy").status_code == 404
    text = words(browser.page("/cart/shared"))
    assert "closed" in text
    assert "ran out" in text


def test_a_link_is_copied_into_ones_own_cart_once_however_often(
    app: Flask, browser: Browser, shop_window: ShopWindow
) -> None:
    fill(browser, shop_window.mug, shop_window.kettle)
    browser.post(f"/cart/lines/{line_of(browser, 'Mug')}", quantity="3")
    link = share(browser)
    visitor = Browser(app)
    answer = visitor.post(f"{link}/copy")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/cart")
    assert "HttpOnly" in answer.headers["Set-Cookie"]
    assert "2 products came into your cart." in words(visitor.page("/cart"))
    visitor.post(f"{link}/copy")
    assert "4 pieces" in words(visitor.page("/cart"))
    visitor.post(f"/cart/lines/{line_of(visitor, 'Mug')}", quantity="5")
    visitor.post(f"{link}/copy")
    text = words(visitor.page("/cart"))
    assert "6 pieces" in text
    assert "2 lay there already; the larger numbers stay." in text
    assert "4 pieces" in words(browser.page("/cart"))


def test_what_finds_no_room_is_told(
    app: Flask, browser: Browser, sessions: Sessions, shop_window: ShopWindow
) -> None:
    fill(browser, shop_window.mug)
    link = share(browser)
    with sessions.begin() as session:
        token = None
        for number in range(200):
            _, new = add_to_cart(session, token, product_row(session, f"Thing {number}").public_id)
            token = new or token
    visitor = Browser(app)
    assert token is not None
    visitor.client.set_cookie("click2cart_cart", token)
    visitor.post(f"{link}/copy")
    with sessions() as session:
        cart = find_cart(session, token)
        assert cart is not None
        assert len(cart.lines) == 200
    assert "There was no room for: Mug" in words(visitor.page("/cart/shared"))


def test_an_empty_cart_has_no_link_and_a_link_to_an_emptied_one_says_so(
    app: Flask, browser: Browser, shop_window: ShopWindow
) -> None:
    assert browser.post("/cart/shared").status_code == 404
    assert "Your cart is empty" in words(browser.page("/cart/shared"))
    fill(browser, shop_window.mug)
    link = share(browser)
    browser.post(f"/cart/lines/{line_of(browser, 'Mug')}", remove="1")
    assert "The cart is empty at the moment." in words(Browser(app).page(link))


def test_limits_of_names_times_and_numbers(sessions: Sessions, shop_window: ShopWindow) -> None:
    with sessions() as session:
        _, token = add_to_cart(session, None, shop_window.mug)
        with pytest.raises(InvalidInput, match="at most 80 letters"):
            share_basket(session, token, name="x" * 81)
        for days in (0, 366):
            with pytest.raises(InvalidInput, match="are no time"):
                share_basket(session, token, days=days)
        for _ in range(MOST_LINKS):
            share_basket(session, token)
        with pytest.raises(InvalidInput, match="revoke one first"):
            share_basket(session, token)
        assert len(list_links(session, token)) == MOST_LINKS
        with pytest.raises(NotFound):
            share_basket(session, None)


def test_a_form_that_was_tampered_with_is_refused(browser: Browser, shop_window: ShopWindow) -> None:
    fill(browser, shop_window.mug)
    assert browser.post("/cart/shared", days="9999").status_code == 400
    answer = browser.post("/cart/shared", name="x" * 81)
    assert answer.status_code == 400
    assert "at most 80 letters" in words(answer.text)
