"""What is made of a page whose sources agree, leave out, or contradict each other: small pages, one rule each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from aggregator.domain.normalization import normalize_offer
from aggregator.domain.offers import InvalidOffer, Offer, RawOffer
from spiders.extract_cli import as_line
from spiders.pages import Document, PageReading, read_page, select_page


@dataclass(frozen=True)
class SavedPage:
    url: str
    text: str


def page(
    body: str,
    *,
    markup: object = None,
    head: str = "",
    url: str = "https://shop.example/p/lamp",
    lang: str = "en",
) -> SavedPage:
    script = f'<script type="application/ld+json">{json.dumps(markup)}</script>' if markup else ""
    html = f'<html lang="{lang}"><head><title>Nord Lamp - Shop</title>{head}{script}</head><body>{body}</body></html>'
    return SavedPage(url, html)


def read(saved: SavedPage, **rules: str) -> PageReading:
    return read_page(Document(saved), rules)


def product(price: str = "19.99", currency: str = "EUR", **more: object) -> dict[str, object]:
    offer = {
        "@type": "Offer",
        "price": price,
        "priceCurrency": currency,
        "availability": "https://schema.org/InStock",
    }
    return {"@type": "Product", "name": "Nord Lamp", "offers": offer, **more}


def asked(reading: PageReading) -> tuple[str | None, str | None]:
    assert reading.main is not None
    return (None if reading.price is None else str(reading.price), reading.main.price_currency)


LAYOUTS = sorted(path.parent for path in Path("fixtures/pages/visible_text").glob("*/page.html"))
NOTATIONS = [
    json.loads(line) for line in Path("fixtures/pages/notations.jsonl").read_text("utf-8").splitlines()
]
BUY = '<button class="add">Add to cart</button>'


@pytest.mark.parametrize(
    ("shown", "lang", "url", "expected"),
    [
        ('<p class="price">€ 1.299,00</p>', "de", "https://shop.example/p", ("1299", "EUR")),
        ('<p class="price">1 299,90 Kč</p>', "cs", "https://shop.example/p", ("1299.9", "CZK")),
        ('<p class="price">$1,299.00</p>', "en", "https://shop.com.au/p", ("1299", "AUD")),
        ('<p class="price">kr 499,-</p>', "nb", "https://shop.no/p", ("499", "NOK")),
        ('<p class="price">₹1,23,456.00</p>', "en", "https://shop.example/p", ("123456", "INR")),
        ('<p class="price">12,500 DT</p>', "fr", "https://shop.tn/p", ("12.5", "TND")),
        ('<p class="price">2,900<sub>원~</sub></p>', "ko", "https://shop.example/p", ("2900", "KRW")),
        (
            '<p class="new-price">63<sup>07</sup> <span>Lei</span></p>',
            "ro",
            "https://shop.example/p",
            ("63.07", "RON"),
        ),
        ("<p>最低價$<span>99</span>元起</p>", "zh-TW", "https://shop.com.tw/p", ("99", "TWD")),
        ('<p class="price">٤٩٫٩٩ ج.م</p>', "ar", "https://shop.example/p", ("49.99", "EGP")),
    ],
)
def test_a_shown_price_is_read_in_its_own_notation(
    shown: str, lang: str, url: str, expected: tuple[str, str]
) -> None:
    assert asked(read(page(f"<h1>Nord Lamp</h1>{shown}{BUY}", lang=lang, url=url))) == expected


def test_a_dollar_of_no_known_country_stays_without_currency() -> None:
    assert asked(read(page(f'<h1>Nord Lamp</h1><p class="price">$12.00</p>{BUY}'))) == ("12", None)


@pytest.mark.parametrize(
    "other",
    [
        '<p class="unit-price">€4.90 / 100 g</p>',
        "<p>€4.90 per kg</p>",
        "<p>Free shipping over €49</p>",
        "<p>You save €5.00</p>",
        "<p>or 3 payments of €6.66 a month</p>",
        "<s>€29.99</s>",
        '<span class="old-price">€29.99</span>',
        "<div>RRP <span>€29.99</span></div>",
        '<div class="member-price">Members: €17.99</div>',
        "<p>Earn 20 points, worth €0.20</p>",
        '<div class="related-products"><a href="/p/2"><h3>Other Lamp</h3></a><span class="price">€9.99</span></div>',
        '<h2>You may also like</h2><div><a href="/p/2">Other</a> <b class="price">€9.99</b></div>',
        '<div style="display: none"><span class="price">€9.99</span></div>',
    ],
)
def test_other_amounts_near_the_title_are_not_the_price(other: str) -> None:
    body = f'<h1>Nord Lamp</h1>{{}}<p class="price">€19.99</p>{{}}{BUY}'
    assert asked(read(page(body.format("", other)))) == ("19.99", "EUR")
    if "also like" not in other:
        assert asked(read(page(body.format(other, "")))) == ("19.99", "EUR")


def test_a_price_struck_through_beside_it_is_the_list_price() -> None:
    reading = read(page(f"<h1>Nord Lamp</h1><s>€29.99</s> <b>€19.99</b>{BUY}"))
    assert asked(reading) == ("19.99", "EUR")
    assert reading.main is not None
    assert reading.main.list_price == Decimal("29.99")


def test_of_two_prices_side_by_side_the_lower_one_is_asked() -> None:
    reading = read(page(f"<h1>Nord Lamp</h1><div><span>€19.99</span><span>€29.99</span></div>{BUY}"))
    assert asked(reading) == ("19.99", "EUR")
    assert reading.main is not None
    assert reading.main.list_price == Decimal("29.99")


def test_markup_that_repeats_the_list_price_gives_way_to_the_price_shown() -> None:
    body = f'<h1>Nord Lamp</h1><span class="price">€17.10</span> <span class="barred">€18.00</span>{BUY}'
    assert asked(read(page(body, markup=product("18.00"))))[0] == "17.1"


def test_a_price_in_markup_that_the_page_contradicts_is_ambiguous_and_keeps_its_candidates() -> None:
    saved = page(f'<h1>Nord Lamp</h1><p class="price">€24.99</p>{BUY}', markup=product("19.99"))
    assert read(saved).ambiguous == ("price",)
    (offer,) = select_page(saved).to_raw_offers()
    assert isinstance(offer, InvalidOffer)
    assert offer.reason == "ambiguous"
    said = {(one["field"], one["value"], one["source"]) for one in offer.raw["candidates"]}
    assert said == {("price", "19.99", "json_ld"), ("price", "24.99", "visible_text")}


@pytest.mark.parametrize(("source", "price"), [("json_ld", "19.99"), ("visible_text", "24.99")])
def test_the_source_that_a_person_believes_settles_it(source: str, price: str) -> None:
    saved = page(f'<h1>Nord Lamp</h1><p class="price">€24.99</p>{BUY}', markup=product("19.99"))
    (raw,) = select_page(saved, {"price": source}).to_raw_offers()
    assert isinstance(raw, RawOffer)
    offer = normalize_offer(raw)
    assert isinstance(offer, Offer)
    assert str(offer.price.amount) == price
    assert offer.reading is not None
    assert ["visible_text", "24.99"] in offer.reading["price"]


def test_agreement_is_not_ambiguous_however_the_page_writes_it() -> None:
    saved = page(f'<h1>Nord Lamp</h1><p class="price">1.999,00 €</p>{BUY}', markup=product("1999"), lang="de")
    reading = read(saved)
    assert (asked(reading), reading.ambiguous) == (("1999", "EUR"), ())


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (BUY, "InStock"),
        ("<button><span>Add</span> <span>to basket</span></button>", "InStock"),
        ('<input type="submit" value="In den Warenkorb">', "InStock"),
        ("<p>Momentan ausverkauft</p>", "OutOfStock"),
        ("<p>Нет в наличии</p>", "OutOfStock"),
        ("<p>Auf Lager</p>", "InStock"),
        ("<p>Out of stock in your store</p>" + BUY, "InStock"),
        ('<div class="size-option">S - sold out</div>' + BUY, "InStock"),
        ("<p hidden>Sold out</p><button>Add to cart</button>", "InStock"),
        ("<p>Sold out</p><button disabled>Add to cart</button>", "OutOfStock"),
        ("<p>A lamp.</p>", None),
    ],
)
def test_availability_is_read_from_words_and_buttons(body: str, expected: str | None) -> None:
    reading = read(page(f'<h1>Nord Lamp</h1><p class="price">€19.99</p>{body}'))
    assert reading.main is not None
    assert reading.main.availability == expected


def test_a_sold_out_notice_outweighs_markup_that_says_in_stock() -> None:
    saved = page('<h1>Nord Lamp</h1><p class="price">€19.99</p><p>Sold out</p>', markup=product())
    reading = read(saved)
    assert reading.main is not None
    assert reading.main.availability == "OutOfStock"


@pytest.mark.parametrize(
    ("labelled", "field", "value"),
    [
        ("<p>Product code: <b>LMP-77</b></p>", "sku", "LMP-77"),
        ("<dl><dt>Artikelnummer</dt><dd>4711-A</dd></dl>", "sku", "4711-A"),
        ("<p>Артикул: 99812</p>", "sku", "99812"),
        ("<tr><th>Brand</th><td>Lumo</td></tr>", "brand", "Lumo"),
        ("<p>Výrobca: <a href='/lumo'>Lumo</a></p>", "brand", "Lumo"),
        ("<p>EAN: 4006381333931</p>", "gtin", "4006381333931"),
        ("<p>Model: NL-20</p>", "mpn", "NL-20"),
    ],
)
def test_codes_and_the_brand_stand_beside_their_labels(labelled: str, field: str, value: str) -> None:
    body = f'<h1>Nord Lamp</h1><p class="price">€19.99</p>{BUY}<table>{labelled}</table>{labelled}'
    main = read(page(body)).main
    assert main is not None
    assert getattr(main, field) == value


def test_a_number_that_is_no_gtin_is_left_out() -> None:
    main = read(page(f'<h1>Nord Lamp</h1><p class="price">€19.99</p><p>EAN: 4006381333932</p>{BUY}')).main
    assert main is not None
    assert main.gtin is None


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("<h1>Nord Lamp <small>Code: 7788</small></h1>", "Nord Lamp"),
        ("<h1>€19.99 · Nord Lamp</h1>", "Nord Lamp"),
        ("<h1>Shop</h1><h2 class='product-name'>Nord Lamp</h2>", "Nord Lamp"),
        ("<div>A shop</div>", "Nord Lamp"),
    ],
)
def test_the_name_is_the_title_without_what_is_not_part_of_it(title: str, name: str) -> None:
    main = read(page(f'{title}<p class="price">€19.99</p>{BUY}')).main
    assert main is not None
    assert main.title == name


@pytest.mark.parametrize(
    "script",
    [
        '<script id="__NEXT_DATA__" type="application/json">{"props":{"p":{"name":"Nord Lamp","sku":"N-1",'
        '"price":{"value":19.99,"currency":"EUR"}}}}</script>',
        "<script>dataLayer.push({ecommerce:{currencyCode:'EUR',detail:{products:[{name:'Nord Lamp',id:'N-1',"
        "price:'19.99',}]}}})</script>",
        '<script>window.state = {"a":undefined,"product":{"title":"Nord Lamp","sku":"N-1","price":19.99},'
        '"currency":"EUR"};</script>',
    ],
)
def test_a_product_in_a_script_fills_in_where_nothing_else_tells(script: str) -> None:
    others = '<script>var x = {"list":[{"name":"Other Thing","sku":"O-9","price":3}]}</script>'
    reading = read(page(f"<h1>Nord Lamp</h1><p>A lamp.</p>{BUY}{others}{script}"))
    assert reading.main is not None
    assert (asked(reading), reading.main.sku) == (("19.99", "EUR"), "N-1")


def test_rdfa_is_read() -> None:
    body = (
        '<div vocab="https://schema.org/" typeof="Product"><span property="name">Nord Lamp</span>'
        '<div property="offers" typeof="Offer"><meta property="price" content="19.99">'
        '<meta property="priceCurrency" content="EUR"></div></div>'
    )
    assert asked(read(page(body))) == ("19.99", "EUR")


def test_a_listing_is_no_product() -> None:
    cards = "".join(
        f'<li><a href="/p/{n}">Lamp {n}</a> <b class="price">€{n}.99</b>{BUY}</li>' for n in range(2, 12)
    )
    saved = page(f"<h1>Lamps</h1><ul>{cards}</ul>", url="https://shop.example/lamps")
    assert select_page(saved).to_raw_offers() == []


def test_a_shell_that_only_scripts_fill_needs_a_browser() -> None:
    saved = page('<div id="app"></div><script src="/app.js"></script>')
    assert read(saved).needs_browser
    (offer,) = select_page(saved).to_raw_offers()
    assert isinstance(offer, InvalidOffer)
    assert offer.reason == "needs_browser"


def test_a_page_without_price_has_none() -> None:
    reading = read(page("<h1>Nord Lamp</h1><p>No longer available</p><p>Free delivery over €50</p>"))
    assert asked(reading)[0] is None
    assert reading.main is not None
    assert reading.main.availability == "OutOfStock"


@pytest.mark.parametrize("case", LAYOUTS, ids=lambda case: case.name)
def test_a_page_without_markup_is_read_as_a_visitor_reads_it(case: Path) -> None:
    expected = json.loads((case / "expected.json").read_text("utf-8"))
    line = as_line(read(SavedPage(expected["url"], (case / "page.html").read_text("utf-8"))))
    assert {key: line[key] for key in expected["line"]} == expected["line"]
    assert line["ambiguous"] is False


@pytest.mark.parametrize(
    "shown",
    [
        '<p class="price">€10.00 - €20.00</p>',
        '<p class="price"><span>€10.00</span> – <span>€20.00</span></p>',
        '<p class="price">10,00 – 20,00 €</p>',
        '<p class="price">from €10.00</p>',
    ],
)
def test_a_range_is_a_from_price(shown: str) -> None:
    reading = read(page(f"<h1>Nord Lamp</h1>{shown}{BUY}"))
    assert reading.main is not None
    assert asked(reading) == ("10", "EUR")
    assert (reading.main.price_kind, reading.main.list_price) == ("from", None)


def test_of_many_products_in_markup_the_one_named_by_the_title_is_read() -> None:
    others = [{**product("5.00"), "name": name} for name in ("Nord", "Other", "Bulb")]
    saved = page("<div>A shop</div>", markup=[*others, product("19.99")])
    assert asked(read(saved)) == ("19.99", "EUR")


def test_an_isbn_in_the_address_is_the_gtin() -> None:
    body = f'<h1>Nord Lamp</h1><p class="price">€19.99</p>{BUY}'
    main = read(page(body, url="https://shop.example/b/9781292264455/nord")).main
    assert main is not None
    assert main.gtin == "9781292264455"


@pytest.mark.parametrize("case", NOTATIONS, ids=lambda case: case["case"])
def test_a_page_is_read_in_its_own_language(case: dict[str, Any]) -> None:
    line = as_line(read(SavedPage(case["url"], case["html"])))
    assert {key: line[key] for key in case["line"]} == case["line"]


@pytest.mark.parametrize(
    ("price", "currency", "shown", "url", "expected"),
    [
        ("199", "EUR", '<p class="price">from €9.90 / month</p>', "https://shop.example/p", ("199", "EUR")),
        ("199", "EUR", "<p>Delivery €4.90</p>", "https://shop.example/p", ("199", "EUR")),
        ("199", "USD", '<p class="price">$199.00</p>', "https://shop.ca/p", ("199", "USD")),
        ("199", "SEK", '<p class="price">199 kr</p>', "https://shop.no/p", ("199", "SEK")),
        ("1299", "EUR", '<p class="price">1.299 €</p>', "https://shop.de/p", ("1299", "EUR")),
    ],
)
def test_what_does_not_contradict_markup_is_not_ambiguous(
    price: str, currency: str, shown: str, url: str, expected: tuple[str, str]
) -> None:
    reading = read(page(f"<h1>Nord Lamp</h1>{shown}{BUY}", markup=product(price, currency), url=url))
    assert (asked(reading), reading.ambiguous) == (expected, ())


def test_another_currency_shown_than_markup_names_is_ambiguous() -> None:
    saved = page(f'<h1>Nord Lamp</h1><p class="price">19,99 €</p>{BUY}', markup=product("19.99", "USD"))
    assert read(saved).ambiguous == ("price_currency",)
