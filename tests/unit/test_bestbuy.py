"""What Best Buy's API says, from documented answers."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import httpx
import pytest

from aggregator.domain.errors import FetchRefused
from aggregator.domain.money import Money
from aggregator.domain.offers import InvalidOffer
from aggregator.domain.vocabulary import Availability
from aggregator.fetching import Answer
from spiders.adapters import bestbuy
from tests.unit.store_answers import CASSETTES, Shop, Site, drained, line, normalized, page, saved, store

STORE = store("bestbuy", "https://www.bestbuy.com", api_key="hush")


def shop() -> Shop:
    def answer(request: httpx.Request) -> Any:
        if request.url.params.get("cursorMark") == "AoJ":
            return {"products": [], "nextCursorMark": "AoJ"}
        return saved("bestbuy/products.json")

    return Shop(answer)


def test_products_are_read_to_the_last_cursor() -> None:
    asked = shop()
    offers = list(bestbuy.BestBuySource().fetch_offers(STORE, asked.fetcher()))
    speaker, cable = normalized(offers[:2])
    assert (speaker.external_id, speaker.price, speaker.list_price, speaker.shipping_cost) == (
        "5550001", Money(Decimal("149.99"), "USD"), Money(Decimal("199.99"), "USD"), Decimal("0.0000"),
    )  # fmt: skip
    assert (speaker.gtin, speaker.mpn, speaker.brand, speaker.category) == (
        "00952123456786", "NW-B1", "Northwind", "Audio > Speakers",
    )  # fmt: skip
    assert (cable.availability, cable.shipping_cost) == (Availability.OUT_OF_STOCK, Decimal("5.4900"))
    assert isinstance(offers[2], InvalidOffer)
    assert offers[2].reason == "hidden_price"
    assert len(asked.requests) == 2


def test_what_is_read_is_chosen_by_options_that_cannot_break_out() -> None:
    asked = shop()
    chosen = replace(STORE, options={**STORE.options, "category": "abcat0502000", "query": "usb-c) | (sku>0"})
    list(bestbuy.BestBuySource().fetch_offers(chosen, asked.fetcher()))
    path = asked.requests[0].url.path
    assert (
        path
        == "/v1/products(active=true&categoryPath.id=abcat0502000&search=usb&search=c&search=sku&search=0)"
    )


def test_without_a_key_it_says_which_option_it_needs() -> None:
    with pytest.raises(FetchRefused, match="needs a key: --set api_key="):
        list(bestbuy.BestBuySource().fetch_offers(store("bestbuy"), shop().fetcher()))


@pytest.mark.parametrize("status", [403, 500])
def test_no_error_shows_the_key(status: int) -> None:
    failing = Shop(lambda request: httpx.Response(status))
    offers, error = drained(bestbuy.BestBuySource().fetch_offers(STORE, failing.fetcher()))
    assert offers == []
    assert error is not None
    assert "hush" not in str(error) + error.url


def test_the_open_box_answer_tells_the_new_products_price() -> None:
    answer = Answer("x", 200, {}, (CASSETTES / "bestbuy/open_box.json").read_bytes())
    (product,) = bestbuy.products_of(answer.json())
    (offer,) = normalized([bestbuy.read_product(product)])
    assert (offer.title, offer.price) == ("Northwind - Bookshelf Speaker", Money(Decimal("199.99"), "USD"))


def test_one_piece_is_added_by_link_and_more_by_hand() -> None:
    cart = "https://api.bestbuy.com/click/-/5550001/cart"
    one, two = line("5550001", add_to_cart_url=cart), line("5550002", 2, add_to_cart_url=cart)
    built = bestbuy.build_handoff(STORE, [one, two])
    assert (built.kind, built.item_urls) == ("item_link", (cart, two.url))
    assert bestbuy.build_handoff(STORE, [two]).kind == "product_link"
    elsewhere = line("1", add_to_cart_url="https://evil.example/cart")
    assert bestbuy.build_handoff(STORE, [elsewhere]).kind == "product_link"


def test_it_is_recognised_by_its_address_alone() -> None:
    assert bestbuy.detect(Site(page("/", host="www.bestbuy.com"))).confidence == 0.97
    assert bestbuy.detect(Site(page("/", "bestbuy.com", host="bestbuy.com.evil.example"))).confidence == 0


def test_offers_are_checked_by_sku() -> None:
    found = bestbuy.check_offers(STORE, [line("5550002"), line("404")], shop().fetcher())
    assert [(state.price, state.problem) for state in found] == [
        (Money(Decimal("9.99"), "USD"), None),
        (None, "is no longer listed"),
    ]
