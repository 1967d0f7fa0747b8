"""Wishlists: guests have them at once, they come along at sign-in, and nobody sees another's."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import select, update

from aggregator.accounts.sign_in import invite
from aggregator.db.models import AccountRow, ProductRow
from aggregator.db.session import Sessions
from aggregator.domain.errors import InvalidInput, NotFound
from aggregator.settings import Settings
from aggregator.shopping.account_carts import account_cart_token
from aggregator.shopping.guest_merging import GuestTokens, merge_guest
from aggregator.shopping.wish_places import places_of, wished_for
from aggregator.shopping.wishlists import (
    add_items,
    create_wishlist,
    find_default,
    get_wishlist,
    list_wishlists,
    open_shared_wishlist,
    remove_everywhere,
    remove_item,
    share_wishlist,
    stop_sharing,
)
from tests.integration.conftest import Browser, ShopWindow
from tests.integration.shop_rows import product_row


def test_a_list_tells_how_prices_moved_since(sessions: Sessions, shop_window: ShopWindow) -> None:
    with sessions.begin() as session:
        wishlist, token = add_items(session, None, [shop_window.kettle])
        assert token is not None
        assert [item.product.id for item in wishlist.items] == [shop_window.kettle]
        assert add_items(session, token, [shop_window.kettle])[0].items == wishlist.items
        session.execute(
            update(ProductRow)
            .where(ProductRow.public_id == shop_window.kettle)
            .values(lowest_price=Decimal("14.00"))
        )
    with sessions.begin() as session:
        (item,) = get_wishlist(session, token, "default").items
        assert item.price_then is not None
        assert item.change is not None
        assert item.change.amount == Decimal("14.00") - item.price_then.amount
        assert wished_for(session, token, [shop_window.kettle]) == {shop_window.kettle}
        remove_item(session, token, "default", shop_window.kettle)
        assert get_wishlist(session, token, "default").items == ()


def test_a_merged_product_is_one_wish(sessions: Sessions, shop_window: ShopWindow) -> None:
    with sessions.begin() as session:
        twin = product_row(session, "Kettle twin")
        kept = session.scalars(select(ProductRow).where(ProductRow.public_id == shop_window.kettle)).one()
        _list, token = add_items(session, None, [shop_window.kettle, twin.public_id])
        twin.merged_into_id = kept.id
    with sessions.begin() as session:
        (item,) = get_wishlist(session, token, "default").items
        assert item.product.id == shop_window.kettle
        assert wished_for(session, token, [shop_window.kettle, shop_window.mug]) == {shop_window.kettle}
        remove_item(session, token, "default", item.product.id)
        assert get_wishlist(session, token, "default").items == ()


def test_hearts_know_every_list_that_holds_a_product(sessions: Sessions, shop_window: ShopWindow) -> None:
    with sessions.begin() as session:
        twin = product_row(session, "Kettle twin")
        kept = session.scalars(select(ProductRow).where(ProductRow.public_id == shop_window.kettle)).one()
        _list, token = add_items(session, None, [shop_window.mug])
        gifts, _same = create_wishlist(session, token, "Gifts")
        add_items(session, token, [twin.public_id], list_id=gifts.id)
        _others, stranger = add_items(session, None, [shop_window.kettle, shop_window.mug])
        twin.merged_into_id = kept.id
    with sessions.begin() as session:

        def held(product: str) -> list[tuple[str, bool]]:
            return [(place.name, place.holds_it) for place in places_of(session, token, product)]

        assert held(shop_window.kettle) == [("", False), ("Gifts", True)]
        assert held(shop_window.mug) == [("", True), ("Gifts", False)]
        add_items(session, token, [shop_window.kettle])
        remove_everywhere(session, token, shop_window.kettle)
        assert held(shop_window.kettle) == [("", False), ("Gifts", False)]
        assert wished_for(session, token, [shop_window.kettle, shop_window.mug]) == {shop_window.mug}
        assert len(wished_for(session, stranger, [shop_window.kettle, shop_window.mug])) == 2
        with pytest.raises(NotFound):
            remove_everywhere(session, token, shop_window.kettle)
        assert places_of(session, None, shop_window.kettle) == ()


def test_a_guests_lists_come_into_the_account_once(
    sessions: Sessions, settings: Settings, shop_window: ShopWindow
) -> None:
    with sessions.begin() as session:
        invite(session, "ada@example.org", "shopper")
        account = session.scalars(select(AccountRow.id)).one()
        other = session.scalars(
            select(ProductRow.public_id).where(ProductRow.public_id != shop_window.kettle)
        ).first()
        assert other is not None
        merge_guest(session, settings, account, GuestTokens())
        own = account_cart_token(settings, account)
        add_items(session, own, [shop_window.kettle])
        _list, token = add_items(session, None, [shop_window.kettle, other])
        create_wishlist(session, token, "For Grace")
        for _twice in range(2):
            merge_guest(session, settings, account, GuestTokens(cart=token))
        default, *others = list_wishlists(session, own)
        assert {item.product.id for item in default.items} == {shop_window.kettle, other}
        assert [one.name for one in others] == ["For Grace"]
        assert list_wishlists(session, token) == ()


def test_a_link_shows_the_list_until_it_is_closed(sessions: Sessions, shop_window: ShopWindow) -> None:
    with sessions.begin() as session:
        _list, token = add_items(session, None, [shop_window.kettle])
        first = share_wishlist(session, token, "default")
        second = share_wishlist(session, token, "default")
        assert len(open_shared_wishlist(session, second).items) == 1
        with pytest.raises(NotFound):
            open_shared_wishlist(session, first)
        stop_sharing(session, token, "default")
        with pytest.raises(NotFound):
            open_shared_wishlist(session, second)


def test_a_stranger_finds_no_list(sessions: Sessions, shop_window: ShopWindow) -> None:
    with sessions.begin() as session:
        wishlist, _token = add_items(session, None, [shop_window.kettle])
        _other, stranger = create_wishlist(session, None, "Mine")
        for use in (get_wishlist, share_wishlist, stop_sharing):
            with pytest.raises(NotFound):
                use(session, stranger, wishlist.id)
        with pytest.raises(NotFound):
            add_items(session, stranger, [shop_window.kettle], list_id=wishlist.id)
        with pytest.raises(InvalidInput):
            create_wishlist(session, stranger, "x" * 81)
        assert find_default(session, stranger) is not None


def test_the_pages_work_without_scripts(app: Flask, shop_window: ShopWindow) -> None:
    browser = Browser(app)
    assert "Nothing is on this list yet" in browser.page("/wishlist")
    assert browser.post("/wishlist/items", product=shop_window.kettle).status_code == 303
    page = browser.page("/wishlist")
    assert shop_window.kettle in page
    item = re.search(r"/wishlist/(\w+)/items/(\w+)/remove", page)
    assert item
    made = browser.post(f"/wishlist/{item[1]}/share")
    address = re.search(
        r'value="http://localhost(/wishlist/shared/[^"]+)"', browser.page(made.headers["Location"])
    )
    assert address
    assert shop_window.kettle in Browser(app).page(address[1])
    assert browser.post(f"/wishlist/{item[1]}/cart").status_code == 303
    assert shop_window.kettle in browser.page("/cart")
    assert browser.post(item[0]).status_code == 303
    assert "Nothing is on this list yet" in browser.page("/wishlist")
    assert browser.post("/wishlist", name="").status_code == 400


def test_hearts_on_results_and_products_turn_without_scripts(app: Flask, shop_window: ShopWindow) -> None:
    browser, put, take = Browser(app), "/wishlist/items", "/wishlist/items/remove"

    def hearts(address: str) -> list[str]:
        found = re.findall(r'data-heart="(\w+)" formaction="([^"]+)"', browser.page(address))
        return [action for product, action in found if product == shop_window.mug]

    product = browser.get(f"/products/{shop_window.mug}").headers["Location"]
    assert hearts("/search?q=mug&sort=price") == hearts(product) == [put]
    browser.post(put, product=shop_window.mug, next=product)
    assert hearts("/search?q=mug&sort=price") == hearts(product) == [take]
    gifts = browser.post("/wishlist", name="Gifts").headers["Location"].rpartition("/")[2]
    assert hearts(product) == [take, take, put]
    browser.post(put, product=shop_window.mug, list=gifts)
    assert hearts(product) == [take, take, take]
    browser.post(take, product=shop_window.mug, list=gifts)
    assert hearts(product) == [take, take, put]
    assert browser.post(take, product=shop_window.mug).status_code == 303
    assert hearts(product) == [put, put, put]
    assert browser.post(take, product=shop_window.mug).status_code == 404


def test_a_change_meant_for_an_account_reaches_nobody_else(
    browser: Browser, sessions: Sessions, shop_window: ShopWindow
) -> None:
    browser.sign_in(sessions, "shopper")
    found = re.search(r'data-account="(\w+)"', browser.page("/wishlist"))
    assert found
    wish = {"product_id": shop_window.mug}

    def put(account: str) -> int:
        headers = {"Click2Cart-Account": account}
        return browser.client.post("/api/v1/wishlist", json=wish, headers=headers).status_code

    assert put("another") == 401
    assert put(found[1]) == 201
    assert browser.client.delete(f"/api/v1/wishes/{shop_window.mug}").status_code == 204
    browser.post("/logout")
    assert put(found[1]) == 401
    assert browser.client.get_cookie("click2cart_cart") is None


def test_the_api_keeps_the_same_lists(browser: Browser, shop_window: ShopWindow) -> None:
    assert browser.get("/api/v1/wishlist").get_json()["items"] == []
    put = browser.client.post("/api/v1/wishlist", json={"product_id": shop_window.kettle})
    assert put.status_code == 201
    (item,) = browser.get("/api/v1/wishlist").get_json()["items"]
    assert item["product"]["id"] == shop_window.kettle
    made = browser.client.post("/api/v1/wishlists", json={"name": "Kitchen"}).get_json()
    named = f"/api/v1/wishlists/{made['id']}"
    assert (
        browser.client.post(f"{named}/items", json={"product_ids": [shop_window.kettle]}).status_code == 201
    )
    assert len(browser.get("/api/v1/wishlists").get_json()["items"]) == 2
    assert browser.client.delete(f"{named}/items/{shop_window.kettle}").status_code == 204
    assert browser.client.delete(named).status_code == 204
    assert browser.client.delete(f"/api/v1/wishlist/{item['id']}").status_code == 204
