"""Pasted lists: found by number or words, chosen line by line, nothing lost, nobody else's."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from aggregator.catalog.products import describe_products
from aggregator.db.models import PastedLineRow, ProductRow
from aggregator.db.session import Sessions
from aggregator.domain.errors import InvalidInput, NotFound
from aggregator.shopping.carts import find_cart
from aggregator.shopping.pasted_lists import (
    LINES_A_PAGE,
    MOST_LISTS,
    Choice,
    list_pasted_lists,
    paste_list,
    put_into_cart,
    put_sure_ones_into_cart,
    rewrite_line,
    show_pasted_list,
)
from tests.integration.conftest import Browser, ShopWindow
from tests.integration.shop_rows import offer_row, product_row, store_row
from tests.integration.test_web_pages import words

EAN = "4242005253227"


@pytest.fixture
def catalogue(session: Session) -> dict[str, str]:
    """Public ids by title of three products; the drill has a number."""
    store = store_row(session, "near")
    found = {}
    for title, gtin in (("Bosch GSR 12V drill", f"0{EAN}"), ("Alfi Kettle K-100", None), ("Alfi Mug", None)):
        product = product_row(session, title)
        offer_row(session, store, product, "10.00", title=title, gtin=gtin)
        describe_products(session, [product.id])
        found[title] = product.public_id
    return found


def pasted(session: Session, text: str) -> tuple[str, str]:
    """(the token of the cart that was made, the list's id)."""
    list_id, token = paste_list(session, None, text)
    assert token is not None
    return token, list_id


def in_cart(session: Session, token: str) -> dict[str, int]:
    cart = find_cart(session, token)
    assert cart is not None
    return {line.product.title: line.quantity for line in cart.lines}


def test_every_line_is_kept_with_what_was_found(session: Session, catalogue: dict[str, str]) -> None:
    token, list_id = pasted(
        session, f"2x kettle K-100\n{EAN} 3\n- Alfi\nno such thing anywhere\nkettle pink shiny"
    )
    shown = show_pasted_list(session, token, list_id)
    found = [
        (line.quantity, [product.title for product in line.suggestions], line.is_sure, line.left_out_words)
        for line in shown.lines
    ]
    assert found == [
        (2, ["Alfi Kettle K-100"], False, ""),
        (3, ["Bosch GSR 12V drill"], True, ""),
        (1, [product.title for product in shown.lines[2].suggestions], False, ""),
        (1, [], False, ""),
        (1, ["Alfi Kettle K-100"], False, "pink shiny"),
    ]
    assert {product.title for product in shown.lines[2].suggestions} == {"Alfi Kettle K-100", "Alfi Mug"}
    assert [line.text for line in shown.lines][3] == "no such thing anywhere"
    assert (shown.open_count, shown.added_count, shown.pages) == (5, 0, 1)


def test_what_is_chosen_goes_into_the_cart_once_and_the_rest_stays(
    session: Session, catalogue: dict[str, str]
) -> None:
    token, list_id = pasted(session, "2x kettle\nmug\nnothing like it")
    lines = show_pasted_list(session, token, list_id).lines
    choices = {
        lines[0].id: Choice(catalogue["Alfi Kettle K-100"], 4),
        lines[1].id: Choice(None, 1),
        lines[2].id: Choice(catalogue["Alfi Mug"], 1),
    }
    assert put_into_cart(session, token, list_id, choices) == (2, ())
    assert put_into_cart(session, token, list_id, choices) == (0, ())
    assert in_cart(session, token) == {"Alfi Kettle K-100": 4, "Alfi Mug": 1}
    session.expire_all()
    shown = show_pasted_list(session, token, list_id)
    assert [line.state for line in shown.lines] == ["added", "open", "added"]
    assert shown.lines[0].chosen is not None
    assert (shown.lines[0].chosen.title, shown.lines[0].quantity) == ("Alfi Kettle K-100", 4)


def test_every_line_with_a_known_number_goes_in_at_once(session: Session, catalogue: dict[str, str]) -> None:
    text = "\n".join(
        [*(f"thing {number}" for number in range(LINES_A_PAGE)), f"{EAN};2", f"EAN {EAN}", "9780306406157"]
    )
    token, list_id = pasted(session, text)
    assert put_sure_ones_into_cart(session, token, list_id) == (2, ())
    assert in_cart(session, token) == {"Bosch GSR 12V drill": 3}
    second = show_pasted_list(session, token, list_id, page=2)
    assert (second.page, second.pages, second.open_count, second.added_count) == (2, 2, LINES_A_PAGE + 1, 2)
    assert show_pasted_list(session, token, list_id, page=99).page == 2


def test_what_finds_no_room_stays_open(session: Session, catalogue: dict[str, str]) -> None:
    token, list_id = pasted(session, "999 x kettle\n999 x kettle, please")
    lines = show_pasted_list(session, token, list_id).lines
    kettle = catalogue["Alfi Kettle K-100"]
    assert put_into_cart(session, token, list_id, {lines[0].id: Choice(kettle, 999)}) == (1, ())
    session.expire_all()
    assert put_into_cart(session, token, list_id, {lines[1].id: Choice(kettle, 1)}) == (0, (lines[1].text,))
    session.expire_all()
    assert [line.state for line in show_pasted_list(session, token, list_id).lines] == ["added", "open"]


def test_a_line_is_looked_for_anew_left_out_and_taken_up(session: Session, catalogue: dict[str, str]) -> None:
    token, list_id = pasted(session, "ketle pot")
    line = show_pasted_list(session, token, list_id).lines[0]
    rewrite_line(session, token, list_id, line.id, wording="  kettle ")
    line = show_pasted_list(session, token, list_id).lines[0]
    assert (line.text, line.wording, len(line.suggestions)) == ("ketle pot", "kettle", 1)
    for state in ("left_out", "open"):
        rewrite_line(session, token, list_id, line.id, state=state)
        session.expire_all()
        assert show_pasted_list(session, token, list_id).lines[0].state == state
    for wrong in ({"wording": " "}, {"wording": "x" * 301}, {"state": "added"}, {"quantity": 0}):
        with pytest.raises(InvalidInput):
            rewrite_line(session, token, list_id, line.id, **wrong)  # type: ignore[arg-type]  # wrong on purpose


def test_nobody_else_sees_or_changes_a_list(session: Session, catalogue: dict[str, str]) -> None:
    mine, list_id = pasted(session, "mug")
    theirs, other_id = pasted(session, "kettle")
    line = show_pasted_list(session, mine, list_id).lines[0]
    for token in (theirs, None, "made up"):
        for attempt in (
            lambda t: show_pasted_list(session, t, list_id),
            lambda t: put_into_cart(session, t, list_id, {line.id: Choice(catalogue["Alfi Mug"], 1)}),
            lambda t: put_sure_ones_into_cart(session, t, list_id),
            lambda t: rewrite_line(session, t, list_id, line.id, wording="x"),
            lambda t: rewrite_line(session, t, other_id, line.id, wording="x"),
        ):
            with pytest.raises(NotFound):
                attempt(token)
        assert list_id not in {found[0] for found in list_pasted_lists(session, token)}
    # Another list's line under one's own list changes nothing.
    assert put_into_cart(session, theirs, other_id, {line.id: Choice(catalogue["Alfi Mug"], 1)}) == (0, ())
    assert show_pasted_list(session, mine, list_id).lines[0].state == "open"


def test_the_newest_lists_are_kept(session: Session) -> None:
    token, _ = pasted(session, "list 0")
    for number in range(1, MOST_LISTS + 3):
        paste_list(session, token, f"list {number}")
    kept = list_pasted_lists(session, token)
    assert [first for _, _, _, first in kept] == [f"list {n}" for n in range(MOST_LISTS + 2, 2, -1)]
    assert session.scalar(select(func.count()).select_from(PastedLineRow)) == MOST_LISTS


def test_a_list_goes_from_the_form_into_the_cart(browser: Browser, shop_window: ShopWindow) -> None:
    answer = browser.post("/lists", list="2x mug\nsomething else entirely\n<script>alert(1)</script>")
    assert answer.status_code == 303
    assert "HttpOnly" in answer.headers["Set-Cookie"]
    address = answer.headers["Location"]
    page = browser.page(address)
    assert "<script>alert" not in page
    assert words(page).count("Nothing was found.") == 2
    (name, product) = re.findall(r'name="(choice-\w+)" value="(\w+)"', page)[0]
    assert product == shop_window.mug
    browser.post(address, **{name: product, name.replace("choice", "quantity"): "2"})
    page = browser.page(address)
    assert "1 line is in your cart." in words(page)
    assert "1 in the cart, 2 open" in words(page)
    assert "2 pieces" in words(browser.page("/cart"))
    assert "2 lines open" in words(browser.page("/lists"))
    browser.post(address)
    assert "Nothing was chosen; every line is still here." in words(browser.page(address))
    (line,) = re.findall(rf'action="({address}/lines/\w+)"', page)[:1]
    browser.post(line, wording="kettle")
    assert "Kettle" in browser.page(address)
    browser.post(f"{address}/forget")
    assert browser.get(address).status_code == 404
    assert "2 pieces" in words(browser.page("/cart"))


def test_a_list_that_is_too_long_stays_in_the_form(browser: Browser) -> None:
    answer = browser.post("/lists", list="mug\n" * 501)
    assert answer.status_code == 400
    assert "501 lines, at most 500 can be read" in answer.text
    assert answer.text.count("mug\n") >= 500
    assert browser.post("/lists", list=" \n ").status_code == 400


def test_the_web_keeps_odd_numbers_out(browser: Browser, sessions: Sessions, shop_window: ShopWindow) -> None:
    address = browser.post("/lists", list="mug").headers["Location"]
    page = browser.page(address)
    (name, product) = re.findall(r'name="(choice-\w+)" value="(\w+)"', page)[0]
    for quantity in ("0", "-1", "1000", "many"):
        form = {name: product, name.replace("choice", "quantity"): quantity}
        assert browser.post(address, **form).status_code == 400
    assert browser.post(address, **{name: "2" * 12}).status_code == 404
    assert browser.get(f"{address}?page=99999").status_code == 200
    with sessions.begin() as session:
        session.execute(update(ProductRow).values(offer_count=0))
    assert "Nothing was found" in words(browser.page(address))
