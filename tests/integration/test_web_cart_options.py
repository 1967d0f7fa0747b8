"""The shopper's options through the browser's eyes, without scripts: every form, and every wrong word in one."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from flask import Flask
from sqlalchemy import select, update

from aggregator.db.models import OfferRow, StoreRow
from aggregator.db.session import Sessions
from tests.integration.conftest import Browser, ShopWindow
from tests.integration.test_web_cart import fill, line_of
from tests.integration.test_web_pages import words

USUAL = {"country": "DE", "condition": "NewCondition", "packs": "1"}


def store_id(sessions: Sessions, slug: str) -> str:
    with sessions() as session:
        return session.scalars(select(StoreRow.public_id).where(StoreRow.slug == slug)).one()


def test_each_line_says_why_it_is_bought_where_it_is(browser: Browser, shop_window: ShopWindow) -> None:
    fill(browser, shop_window.mug, shop_window.kettle)
    text = words(browser.page("/cart"))
    assert "Nobody asks less." in text
    assert (
        "€1.50 less at Wild, but the cart would cost €4.40 more with it there, unknown shipping as assumed."
        in text
    )


def test_another_country_asks_the_stores_rule_for_it(
    browser: Browser, shop_window: ShopWindow, sessions: Sessions
) -> None:
    rule = {"AT": {"tiers": [{"min_subtotal": "0", "cost": "9.00"}], "min_order": None}}
    with sessions.begin() as session:
        session.execute(update(StoreRow).where(StoreRow.slug == "south").values(shipping_by_country=rule))
        session.execute(update(StoreRow).values(country="DE"))
    fill(browser, shop_window.mug)
    answer = browser.post("/cart/options", **{**USUAL, "country": "AT"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/cart#options")
    page = browser.page("/cart")
    text = words(page)
    assert "Planned anew with your options." in text
    assert re.search(r'<details class="options" id="options" open>', page)
    assert '<option value="AT" selected>Austria</option>' in page
    # North's rule is a general one: for Austria it is an estimate.
    assert "North €8.00 + €4.90 shipping estimated" in text
    assert "Total about €12.90" in text
    assert "to Austria · new only" in text


def test_options_are_kept_and_summed_up(browser: Browser, shop_window: ShopWindow) -> None:
    fill(browser, shop_window.mug, shop_window.kettle)
    day = datetime.now(UTC).date() + timedelta(days=30)
    browser.post(
        "/cart/options",
        country="DE",
        condition=["NewCondition", "UsedCondition"],
        parcel_value="2,50",
        deliver_by=day.isoformat(),
    )
    page = browser.page("/cart")
    text = words(page)
    assert "to Germany · new, used · there by" in text
    assert "a parcel less is worth €2.50" in text
    assert f'type="date" value="{day.isoformat()}"' in page
    assert 'name="packs" value="1">' in page
    # No store tells when it delivers.
    assert "Not bought by this plan" in text
    assert "Not used: 2 do not tell when they come." in text


def test_a_store_is_left_out_and_allowed_again(
    browser: Browser, shop_window: ShopWindow, sessions: Sessions
) -> None:
    fill(browser, shop_window.mug)
    south = store_id(sessions, "south")
    browser.post("/cart/stores", exclude=south)
    text = words(browser.page("/cart"))
    assert "North €8.00" in text
    assert "South · left out Allow again South" in text
    assert "1 store left out" in text
    browser.post("/cart/stores", include=south)
    assert "South €7.50" in words(browser.page("/cart"))


def test_an_offer_is_pinned_left_out_and_let_go(
    browser: Browser, shop_window: ShopWindow, sessions: Sessions
) -> None:
    fill(browser, shop_window.mug)
    address = f"/cart/lines/{line_of(browser, 'Mug')}/offers"
    assert f'href="{address}"' in browser.page("/cart")
    text = words(browser.page(address))
    assert "South Mug, white" in text
    assert "€12.40 €7.50 + €4.90 shipping" in text
    with sessions() as session:
        north = session.scalars(
            select(OfferRow.public_id).join(StoreRow).where(StoreRow.slug == "north", OfferRow.title == "Mug")
        ).one()
    browser.post(address, offer=north, action="pin")
    text = words(browser.page("/cart"))
    assert "North €8.00" in text
    assert "You chose this offer." in text
    browser.post(address, offer="", action="unpin")
    assert "South €7.50" in words(browser.page("/cart"))
    browser.post(address, offer=north, action="exclude")
    assert "You left it out" in words(browser.page(address))
    assert "Offers you left out Mug · North, €8.00" in words(browser.page("/cart"))
    browser.post("/cart/offers", offer=north)
    assert "Offers you left out" not in words(browser.page("/cart"))


def test_a_coupon_is_counted_and_removed(
    browser: Browser, shop_window: ShopWindow, sessions: Sessions
) -> None:
    fill(browser, shop_window.mug)
    north = store_id(sessions, "north")
    browser.post("/cart/coupons", store=north, code="SPRING", value="50", kind="percent", min_subtotal="")
    text = words(browser.page("/cart"))
    assert "North €4.00 + €4.90 shipping Coupon SPRING: €4.00 less" in text
    assert "Coupons −€4.00" in text
    assert "SPRING · North: 50 %" in text
    browser.post("/cart/coupons", store=north, code="SPRING", remove="1")
    assert "SPRING" not in browser.page("/cart")


def test_members_prices_are_asked_for(browser: Browser, shop_window: ShopWindow, sessions: Sessions) -> None:
    with sessions.begin() as session:
        session.execute(update(OfferRow).where(OfferRow.title == "Mug, white").values(price_kind="member"))
    fill(browser, shop_window.mug)
    text = words(browser.page("/cart"))
    assert "North €8.00" in text
    assert "I am a member South" in text
    browser.post("/cart/stores", join=store_id(sessions, "south"))
    text = words(browser.page("/cart"))
    assert "South €7.50" in text
    assert "members' price" in text
    assert "1 membership" in text


WRONG: tuple[tuple[str, dict[str, str]], ...] = (
    ("/cart/options", {**USUAL, "country": "Germany"}),
    ("/cart/options", {"country": "DE"}),
    ("/cart/options", {**USUAL, "condition": "Broken"}),
    ("/cart/options", {**USUAL, "parcel_value": "much"}),
    ("/cart/options", {**USUAL, "parcel_value": "-1"}),
    ("/cart/options", {**USUAL, "parcel_value": "99999"}),
    ("/cart/options", {**USUAL, "deliver_by": "tomorrow"}),
    ("/cart/options", {**USUAL, "deliver_by": "2020-01-01"}),
    ("/cart/stores", {"burn": "x"}),
    ("/cart/coupons", {"code": "A", "value": "", "kind": "percent"}),
    ("/cart/coupons", {"code": "A", "value": "101", "kind": "percent"}),
    ("/cart/coupons", {"code": "<script>", "value": "1", "kind": "amount"}),
    ("/cart/coupons", {"code": "A", "value": "1e9", "kind": "amount"}),
)


def test_a_wrong_word_is_refused_and_the_options_are_kept(
    browser: Browser, shop_window: ShopWindow, sessions: Sessions
) -> None:
    fill(browser, shop_window.mug)
    north = store_id(sessions, "north")
    for path, form in WRONG:
        assert browser.post(path, **{"store": north, **form}).status_code == 400, form
    assert "to Germany · new only" in words(browser.page("/cart"))


def test_nothing_is_chosen_for_a_cart_that_is_not_there(
    app: Flask, browser: Browser, shop_window: ShopWindow, sessions: Sessions
) -> None:
    for path in ("/cart/stores", "/cart/coupons", "/cart/offers", "/cart/options"):
        form = {
            **USUAL,
            "store": store_id(sessions, "north"),
            "exclude": store_id(sessions, "north"),
            "code": "A",
            "value": "1",
        }
        assert Browser(app).post(path, **form).status_code == 404, path
    assert browser.client.post("/cart/options", data=USUAL).status_code == 400  # without its token


def test_what_would_reach_free_shipping_is_a_suggestion(browser: Browser, shop_window: ShopWindow) -> None:
    fill(browser, shop_window.mug)
    found = re.search(r'href="(/search\?[^"]+)">What would reach it\?', browser.page("/cart"))
    assert found
    assert found[1] == "/search?store=south&amp;min=42.50&amp;available=1&amp;sort=price"
    assert browser.get(found[1].replace("&amp;", "&")).status_code == 200
