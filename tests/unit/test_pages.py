"""Page objects on saved pages: each folder of fixtures/pages/<kind>/<case> has a page and what it says."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from spiders.pages import select_page

CASES = sorted(path.parent for path in Path("fixtures/pages").glob("*/*/input.html"))


@dataclass(frozen=True)
class SavedPage:
    url: str
    text: str


def read_case(case: Path) -> list[dict[str, Any]]:
    page = select_page(SavedPage("https://shop.example/p/lamp", (case / "input.html").read_text("utf-8")))
    offers = []
    for offer in page.to_raw_offers():
        said = {
            key: value
            for key, value in asdict(offer).items()
            if value not in (None, {}, "") and key not in {"raw", "reading"}
        }
        offers.append(
            {
                key: {"decimal": str(value)} if isinstance(value, Decimal) else value
                for key, value in said.items()
            }
        )
    return offers


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.name}")
def test_a_saved_page_says_what_is_expected(case: Path) -> None:
    expected = json.loads((case / "expected.json").read_text("utf-8"))
    assert read_case(case) == expected


def test_a_hostile_page_is_read_without_harm() -> None:
    deep = "<div itemscope itemprop=offers>" * 3000
    nested = '{"a":' * 5000 + "1" + "}" * 5000
    for html in (
        "",
        "\x00\x00",
        "<script type='application/ld+json'>" + nested + "</script>",
        "<script type='application/ld+json'>[" + "[" * 50_000 + "</script>",
        '<script type=\'application/ld+json\'>{"@id":"#a","@type":"Product","offers":{"@id":"#a","x":1}}</script>',
        '<script type=\'application/ld+json\'>{"@type":"Product","offers":{"price":1e999999,"x":[]}}</script>',
        '<script type=\'application/ld+json\'>{"@type":"Product","name":{},"offers":[[[]],null,7,true]}</script>',
        deep,
    ):
        for offer in select_page(SavedPage("https://shop.example/p", html)).to_raw_offers():
            assert offer.url == "https://shop.example/p"


def test_only_addresses_of_the_web_are_taken_over() -> None:
    html = (
        '<link rel="canonical" href="javascript:alert(1)"><script type="application/ld+json">'
        '{"@type":"Product","name":"Lamp","image":"data:image/png;base64,x","url":"file:///etc/passwd",'
        '"offers":{"price":"1.00","priceCurrency":"EUR"}}</script>'
    )
    (offer,) = select_page(SavedPage("https://shop.example/p", html)).to_raw_offers()
    assert offer.url == "https://shop.example/p"
    assert asdict(offer)["image_url"] is None
