"""The cart and the hand-over, through the browser's eyes."""

from __future__ import annotations

import re

from sqlalchemy import select

from aggregator.db.models import CartRow, HandOffRow
from aggregator.db.session import Sessions
from tests.integration.conftest import Browser, ShopWindow
from tests.integration.test_web_pages import words


def fill(browser: Browser, *product_ids: str) -> None:
    for product_id in product_ids:
        assert browser.post("/cart/lines", product=product_id).status_code == 303


def line_of(browser: Browser, title: str) -> str:
    page = browser.page("/cart")
    found = re.search(rf'for="quantity-([a-z0-9]+)">Quantity of [^<]*{title}', page)
    assert found
    return found[1]


def check_out(browser: Browser) -> str:
    answer = browser.post("/checkout")
    assert answer.status_code == 303
    return str(answer.headers["Location"])


def step_of(page: str, store: str) -> str:
    """The address of one store's step."""
    for step in re.findall(r'<li class="step .*?</li>\s*(?=<li class="step |</ol>)', page, re.S):
        if f"<h2>{store}</h2>" in step:
            found = re.search(r'action="(/checkout/\w+/steps/\w+)"', step)
            assert found
            return found[1]
    raise AssertionError(f"no step for {store}")


def test_an_empty_cart_shows_the_next_step(browser: Browser) -> None:
    assert "See what many stores sell" in browser.page("/cart")


def test_the_first_product_sets_a_cookie_that_scripts_and_other_sites_cannot_use(
    browser: Browser, shop_window: ShopWindow
) -> None:
    answer = browser.post("/cart/lines", product=shop_window.mug, next="/search?q=mug")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/search?q=mug")
    (cookie,) = (one for one in answer.headers.getlist("Set-Cookie") if one.startswith("click2cart_cart="))
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "It is in your cart." in browser.page("/search?q=mug")
    assert 'aria-label="1 piece"' in browser.page("/")


def test_a_complete_plan_is_called_proven_and_counts_its_savings(
    browser: Browser, shop_window: ShopWindow
) -> None:
    fill(browser, shop_window.mug)
    text = words(browser.page("/cart"))
    # 7.50 + 4.90 at South beats 8.00 + 4.90 at North.
    assert "South €7.50 + €4.90 shipping" in text
    assert "Total €12.40" in text
    assert "Proven: no cheaper split exists" in text
    assert "Free shipping from €50.00; €42.50 away." in text


def test_unknown_shipping_stays_unknown_and_is_never_called_proven(
    browser: Browser, shop_window: ShopWindow
) -> None:
    fill(browser, shop_window.kettle)
    browser.post("/cart/assumed-shipping", amount="0.50")
    text = words(browser.page("/cart"))
    assert "Wild €16.50 + shipping (unknown)" in text
    assert "Total of what is known €16.50" in text
    assert "Cheapest among the known prices; some shipping is unknown" in text
    assert "we assumed €0.50 each; the total above does not contain it" in text
    assert "Proven" not in text
    browser.post("/cart/assumed-shipping", amount="9,90")
    text = words(browser.page("/cart"))
    assert "South €18.00 + €4.90 shipping" in text


def test_quantities_change_and_zero_removes(browser: Browser, shop_window: ShopWindow) -> None:
    fill(browser, shop_window.mug)
    line = line_of(browser, "Mug")
    browser.post(f"/cart/lines/{line}", quantity="7")
    text = words(browser.page("/cart"))
    assert "Your cart 7 pieces" in text
    # 7 x 7.50 reaches South's free shipping.
    assert "South €52.50 + free shipping" in text
    browser.post(f"/cart/lines/{line}", quantity="7", remove="1")
    assert "Your cart is empty" in browser.page("/cart")


def test_a_quantity_that_is_none_is_refused_and_the_cart_is_kept(
    browser: Browser, shop_window: ShopWindow
) -> None:
    fill(browser, shop_window.mug)
    line = line_of(browser, "Mug")
    for quantity in ("-1", "1.5", "many", "1000", "", "²"):
        answer = browser.post(f"/cart/lines/{line}", quantity=quantity)
        assert answer.status_code == 400, quantity
    assert "1 piece" in words(browser.page("/cart"))


def test_a_limit_of_stores_is_kept_and_lifted(browser: Browser, shop_window: ShopWindow) -> None:
    fill(browser, shop_window.mug, shop_window.kettle)
    browser.post("/cart/max-stores", max_stores="1")
    page = browser.page("/cart")
    assert re.search(r'name="max_stores" value="1" aria-pressed="true"', page)
    assert "Proven: no cheaper split over at most 1 store exists" in words(page)
    browser.post("/cart/max-stores", max_stores="")
    assert "Proven: no cheaper split exists" in words(browser.page("/cart"))


def test_what_no_store_sells_is_missing_with_its_reason(browser: Browser, shop_window: ShopWindow) -> None:
    fill(browser, shop_window.mug, shop_window.lonely)
    text = words(browser.page("/cart"))
    assert "Not bought by this plan Lonely lamp No store offers it now." in text
    assert "Cheapest among what can be bought" in text


def test_a_hand_over_has_one_step_a_store_with_its_own_link(
    browser: Browser, shop_window: ShopWindow
) -> None:
    fill(browser, shop_window.mug)
    page = browser.page(check_out(browser))
    assert "1 store, one step" in words(page)
    assert "This replaces what already lies in your cart at South." in words(page)
    (link,) = re.findall(
        r'<a class="button button-main[^>]*href="([^"]+)" target="_blank" rel="([^"]+)"', page
    )
    assert link[0].startswith("https://south.example/fill/")
    assert link[1] == "noopener noreferrer nofollow"


def test_without_scripts_a_form_records_the_opening_and_sends_the_shopper_there(
    browser: Browser, sessions: Sessions, shop_window: ShopWindow
) -> None:
    fill(browser, shop_window.mug)
    address = check_out(browser)
    answer = browser.get(address)
    assert "form-action 'self' https://south.example;" in answer.headers["Content-Security-Policy"]
    opened = browser.post(f"{step_of(answer.text, 'South')}/open")
    assert opened.status_code == 303
    assert opened.headers["Location"].startswith("https://south.example/fill/")
    with sessions() as session:
        assert session.scalars(select(HandOffRow.state)).all() == ["opened"]
    text = words(browser.page(address))
    assert "Opened just now" in text
    assert "Fill the cart at South again" in text


def test_the_pages_script_records_without_being_sent_anywhere(
    browser: Browser, shop_window: ShopWindow
) -> None:
    fill(browser, shop_window.mug)
    step = step_of(browser.page(check_out(browser)), "South")
    answer = browser.post(f"{step}/open", quiet="1")
    assert (answer.status_code, answer.data) == (204, b"")


def test_a_step_is_ticked_off_and_the_tick_taken_back(browser: Browser, shop_window: ShopWindow) -> None:
    fill(browser, shop_window.mug)
    address = check_out(browser)
    step = step_of(browser.page(address), "South")
    browser.post(step, state="bought")
    text = words(browser.page(address))
    assert "1 of 1 settled" in text
    assert "South Bought" in text
    assert "Fill the cart" not in text
    assert "This replaces" not in text
    browser.post(step, state="waiting")
    assert "0 of 1 settled" in words(browser.page(address))
    assert browser.post(step, state="stolen").status_code == 400


def test_an_empty_cart_cannot_be_checked_out(browser: Browser) -> None:
    assert browser.post("/checkout").status_code == 404
    assert browser.get("/checkout").headers["Location"] == "/cart"


def test_a_form_without_its_token_changes_nothing(
    browser: Browser, sessions: Sessions, shop_window: ShopWindow
) -> None:
    answer = browser.client.post("/cart/lines", data={"product": shop_window.mug})
    assert answer.status_code == 400
    assert "The page was open for too long" in answer.text
    with sessions() as session:
        assert session.scalars(select(CartRow.id)).all() == []
