"""Mutated and hostile pages: an offer, a quarantined row, or nothing; never an error, never a long wait."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aggregator.domain.normalization import normalize_offer
from aggregator.domain.offers import InvalidOffer, Offer, RawOffer
from spiders.pages import select_page

SEEDS = [path.read_text("utf-8") for path in sorted(Path("fixtures/pages").glob("*/*/input.html"))]
PIECES = [
    "<h1>Lamp</h1>", "<s>", "</s>", '<p class="price">', "€", "$", "19,99", "1.299", "٤٩٫٩٩", "²", "kr", "元", "</div>",
    '<script type="application/ld+json">', '{"@type":"Product","offers":', '[{"price":', "1e999999", "NaN", "}}", "]",
    "<script>x={", "name:'Lamp',price:", "</script>", "<button disabled>", "Add to cart", "Sold out", "SKU:", "\x00",
    "\ud800", '<div itemscope itemtype="https://schema.org/Product">', '<b itemprop="price">', 'itemref="a"', "<!--",
    '<meta property="og:price:amount" content="', '">', "<h1></h1>", "&#0;", "&euro;", "\u202e", "<title>", "EAN: ",
]  # fmt: skip
OPENING = "<html><head><title>Lamp - Shop</title></head><body><h1>Lamp</h1>"


@dataclass(frozen=True)
class SavedPage:
    url: str
    text: str


def check(html: str, url: str = "https://shop.example/p/12345") -> None:
    for raw in select_page(SavedPage(url, html)).to_raw_offers():
        assert isinstance(raw, RawOffer | InvalidOffer)
        if isinstance(raw, RawOffer):
            assert isinstance(normalize_offer(raw), Offer | InvalidOffer)


def mutated(seed: int) -> str:
    chance = random.Random(seed)
    html = chance.choice(SEEDS)
    for _ in range(chance.randint(1, 12)):
        start = chance.randrange(len(html) + 1)
        end = min(len(html), start + chance.choice([0, 0, 1, 5, 60]))
        inserted = chance.choice([*PIECES, "", html[start:end] * 3, chr(chance.randrange(1, 0xD7FF))])
        html = html[:start] + inserted + html[end:]
    return html


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(PIECES), max_size=40))
def test_pages_of_any_pieces_are_read_without_harm(pieces: list[str]) -> None:
    check("".join(pieces))


def test_mutated_pages_are_read_without_harm() -> None:
    for seed in range(300):
        check(mutated(seed))


@pytest.mark.prove
def test_a_hundred_thousand_mutated_pages_are_read_without_harm() -> None:
    for seed in range(100_000):
        started = time.process_time()
        check(mutated(seed))
        assert time.process_time() - started < 2, seed


@pytest.mark.parametrize(
    "html",
    [
        OPENING + "<b>" * 20_000 + "5 EUR",
        OPENING + "<div>" * 200_000 + "$5",
        OPENING + "<div " + " ".join(f"a{number}" for number in range(100_000)) + ">$5</div>",
        OPENING + "<p class=price>" + "9" * 1_000_000 + " EUR</p>",
        OPENING + "<p class=price>" + "1,234," * 100_000 + "</p>",
        OPENING + "".join(f"<p class=price>${number}.00</p>" for number in range(30_000)),
        OPENING + '<script>window.x={"a":[' + '{"name":"Lamp","price":1},' * 100_000 + "</script>",
        OPENING + "<script>var price={Lamp:" + "a:b(c," * 300_000 + "</script>",
        OPENING + "<script>Lamp price =" + '{"a":' * 200_000 + "</script>",
        OPENING + "<p>$" + " " * 1_000_000 + "5</p>",
        "<title>" + "a - " * 100_000 + "</title><h1>" + "a | " * 50_000 + "</h1>",
        "<title>x</title>" + "<h1>x y z</h1>" * 30_000,
        '<div itemscope itemtype="http://schema.org/Product">' + "<span itemprop=name>x</span>" * 30_000,
    ],
    ids=lambda html: html[len(OPENING) : len(OPENING) + 24],
)
def test_oversized_pages_end_soon(html: str) -> None:
    started = time.process_time()
    check(html)
    assert time.process_time() - started < 10


@pytest.mark.parametrize("url", ["http://[::1/p", "", "shop.example", "https://shop.example/%ff%00"])
def test_odd_addresses_do_no_harm(url: str) -> None:
    check(f"{OPENING}<p class=price>$5</p><button>Add to cart</button>", url)
