"""Feeds of Meta, Awin, CJ and of JSON's kinds, and columns under other names."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from decimal import Decimal

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.domain.errors import FetchRefused, InvalidInput, UnreadableAnswer
from aggregator.domain.money import Money
from aggregator.domain.offers import Offer, RawOffer
from aggregator.domain.vocabulary import Availability, PriceKind
from spiders.adapters.merchant_feed import (
    MerchantFeedSource,
    detect,
    looks_like_feed,
    read_item,
)
from spiders.cart_technologies import build_handoff
from spiders.feed_columns import column_name, read_columns
from spiders.feed_rows import read_rows
from tests.unit.store_answers import CASSETTES, Shop, Site, line, normalized, page, store

URL = "https://shop.example/feed"


def read(body: bytes, **options: str) -> list[Offer]:
    shop = Shop(lambda request: httpx.Response(200, content=body))
    return normalized(
        MerchantFeedSource().fetch_offers(store("merchant_feed", feed_url=URL, **options), shop.fetcher())
    )


def saved_feed(name: str) -> bytes:
    return (CASSETTES / "merchant_feed" / name).read_bytes()


def test_metas_catalogue() -> None:
    blue, red = read(saved_feed("meta.csv"))
    assert (blue.external_id, blue.title, blue.price, blue.list_price, blue.price_kind) == (
        "M-1", "Trail Cap, blue", Money(Decimal("14.99"), "EUR"), Money(Decimal("19.99"), "EUR"), PriceKind.SALE,
    )  # fmt: skip
    assert (blue.stock_level, blue.item_group_id, blue.category) == (12, "CAP", "clothing")
    assert red.availability == Availability.OUT_OF_STOCK


def test_awins_download_reads_the_merchants_own_link_and_number() -> None:
    headphones, cable = read(saved_feed("awin.csv"))
    assert (headphones.external_id, headphones.url, headphones.price, headphones.list_price) == (
        "AW-1", "https://shop.example/p/x", Money(Decimal("89.90"), "EUR"), Money(Decimal("119.00"), "EUR"),
    )  # fmt: skip
    assert (headphones.shipping_cost, headphones.availability, headphones.gtin) == (
        Decimal("0.0000"), Availability.IN_STOCK, "09521234567899",
    )  # fmt: skip
    assert (cable.shipping_cost, cable.availability) == (Decimal("3.9500"), Availability.OUT_OF_STOCK)
    lines = [replace(line("AW-1"), handoff=headphones.handoff)]
    assert build_handoff(store("merchant_feed"), lines).item_urls == ("https://shop.example/basket?add=AW-1",)


def test_cjs_columns_in_capitals() -> None:
    (lamp,) = read(saved_feed("cj.tsv"))
    assert (lamp.external_id, lamp.price, lamp.gtin) == (
        "C-1",
        Money(Decimal("39.00"), "USD"),
        "09521234567899",
    )


def test_json_of_googles_apis_in_micros_and_in_decimals() -> None:
    kettle, pot = read(saved_feed("merchant_api.json"))
    assert (kettle.external_id, kettle.price, kettle.availability, kettle.gtin) == (
        "J-1", Money(Decimal("49.90"), "EUR"), Availability.IN_STOCK, "09521234567899",
    )  # fmt: skip
    assert (pot.price, pot.image_url) == (Money(Decimal("15.00"), "EUR"), "https://shop.example/p.jpg")


def test_json_with_an_object_a_line() -> None:
    tent, peg = read(saved_feed("products.jsonl"))
    assert (tent.external_id, tent.url, tent.price) == (
        "L-1", "https://shop.example/tent", Money(Decimal("199.00"), "EUR"),
    )  # fmt: skip
    assert peg.price == Money(Decimal("0.95"), "EUR")


@pytest.mark.parametrize(
    "name", ["meta.csv", "awin.csv", "cj.tsv", "merchant_api.json", "products.jsonl", "feed.xml"]
)
@pytest.mark.parametrize("piece", [1, 13, 1000])
def test_a_feed_reads_the_same_however_it_is_cut_and_packed(name: str, piece: int) -> None:
    body = saved_feed(name)
    pieces = [body[start : start + piece] for start in range(0, len(body), piece)]
    whole = list(read_rows([body], url=URL))
    assert list(read_rows(pieces, url=URL)) == whole
    shop = Shop(lambda request: httpx.Response(200, content=gzip.compress(body)))
    assert list(read_rows(shop.fetcher().stream(URL), url=URL)) == whole


def test_an_operator_names_the_columns_of_a_feed_in_another_language() -> None:
    body = "Artikelnummer;Bezeichnung;Preis;Adresse\nB-1;Löffel;4,95 €;https://shop.example/l\n".encode(
        "cp1252"
    )
    columns = "id=Artikelnummer, title=Bezeichnung, price=Preis, link=Adresse"
    (spoon,) = read(body, columns=columns)
    assert (spoon.external_id, spoon.title, spoon.price) == ("B-1", "Löffel", Money(Decimal("4.95"), "EUR"))
    with pytest.raises(UnreadableAnswer, match="header"):
        read(body)


def test_a_column_map_that_is_none_says_how_to_write_it() -> None:
    with pytest.raises(FetchRefused, match="NAME=COLUMN"):
        read(saved_feed("meta.csv"), columns="price")
    with pytest.raises(InvalidInput, match="columns: 'x' is not NAME=COLUMN"):
        read_columns("x")


@pytest.mark.parametrize(
    "body",
    [
        b'{"products": [{"id": 1}',
        b'[{"id": 1},',
        b'{"products": [{"id": NaN}]}',
        b"{",
        b'{"a": {"b": [[{"id": 1}',
    ],
)
def test_a_feed_that_breaks_off_or_cannot_be_held_says_so(body: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        list(read_rows([body], url=URL))


def test_a_price_that_may_be_a_thousand_stays_a_text() -> None:
    row = {"id": "1", "title": "A", "link": "/a", "price": "1.299 EUR"}
    offer = read_item(row, URL)
    assert isinstance(offer, RawOffer)
    assert (offer.price, offer.price_currency) == ("1.299", "EUR")


@pytest.mark.parametrize(
    ("asked", "sale", "price", "list_price"),
    [
        ("1,299.00 INR", "999.00 INR", "999.00", "1299.00"),
        ("Rs. 1,299.00", "Rs. 999", "999.00", "1299.00"),
        ("15.00 inr", "12.00", "12.00", "15.00"),
        ("15.00 INR", "15.00 INR", "15.00", None),
        ("15.00 INR", "12.00 USD", "15.00", None),
        ("15.00 INR", "soon", "15.00", None),
    ],
)
def test_a_sale_counts_where_it_is_lower_in_whatever_notation(
    asked: str, sale: str, price: str, list_price: str | None
) -> None:
    row = {"id": "1", "title": "A", "link": "/a", "price": asked, "sale_price": sale}
    (offer,) = normalized([read_item(row, URL)], "INR")
    assert offer.price == Money(Decimal(price), "INR")
    assert offer.list_price == (Money(Decimal(list_price), "INR") if list_price else None)


def test_names_of_columns_are_compared_without_prefix_case_and_blanks() -> None:
    written = ["g:image link", "imageLink", "IMAGE_LINK", " Image-Link ", '"image link"']
    assert {column_name(name) for name in written} == {"image_link"}


def test_a_json_listing_of_an_api_is_no_feed_but_a_feed_in_json_is() -> None:
    assert looks_like_feed(saved_feed("products.jsonl").decode())
    assert looks_like_feed(saved_feed("awin.csv").decode())
    listing = json.dumps({"products": [{"id": 1, "title": "A", "price": 5, "url": "https://shop.example/a"}]})
    assert not looks_like_feed(listing)
    found = detect(Site(page("/feed.jsonl", saved_feed("products.jsonl").decode())))
    assert (found.confidence, found.currency) == (0.97, "EUR")


@given(
    st.binary(max_size=400),
    st.sampled_from([b"", b"[", b'{"products":[', b"id,title,link,price\n", b"<rss><item>"]),
)
def test_any_bytes_are_rows_or_unreadable(body: bytes, start: bytes) -> None:
    try:
        rows = list(read_rows([start + body], url=URL))
    except UnreadableAnswer:
        return
    for row in rows:
        read_item(row, URL)
