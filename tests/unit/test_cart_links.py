"""Every form of link by which a cart is handed over: built, then read as its store would read it."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.domain.cart_links import (
    LONGEST_LINK,
    is_permalink_endpoint,
    ucp_permalink,
    with_affiliate_parameters,
)
from aggregator.domain.errors import InvalidInput
from aggregator.domain.offers import RawOffer
from aggregator.domain.store_settings import check_option
from aggregator.domain.stores import HandOff, HandOffLine, Store
from aggregator.domain.web_addresses import is_on_site
from aggregator.fetching import Answer
from aggregator.platforms import installed_platforms
from aggregator.shopping.hand_off_links import build_hand_off
from spiders.pages import select_page

SITE = "https://shop.example"
ODD_IDS = ("gid://shopify/ProductVariant/70881412", "a/b?c=d&e:1,2", "50 %~#+", "Größe–42", "..", "~x")


def store(platform: str, site: str = SITE, **options: str) -> Store:
    return Store(id="x", slug="shop", name="Shop", url=site, platform=platform, options=options)


def line(external_id: str, quantity: int = 1, **changes: object) -> HandOffLine:
    made = HandOffLine(
        external_id=external_id, title="Thing", url=f"{SITE}/p/{len(external_id)}", quantity=quantity
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # a test's own field names


def pairs(text: str) -> dict[str, int]:
    """ID:QUANTITY,… as stores read it."""
    return {item.rpartition(":")[0]: int(item.rpartition(":")[2]) for item in text.split(",")}


def read_permalink(link: str, endpoint: str) -> dict[str, int]:
    """As the protocol has stores read it: the path is split before anything is decoded."""
    items = pairs(link.removeprefix(f"{endpoint}/"))
    return {decoded_token(token): quantity for token, quantity in items.items()}


def decoded_token(token: str) -> str:
    if not token.startswith("~"):
        assert re.fullmatch(r"[A-Za-z0-9._-]+", token)
        return token
    assert "=" not in token
    return base64.urlsafe_b64decode(token[1:] + "=" * (-len(token[1:]) % 4)).decode()


def test_a_permalink_of_the_universal_commerce_protocol() -> None:
    lines = [
        *(line(odd, 2 + place) for place, odd in enumerate(ODD_IDS)),
        line("sku_1.2-3"),
        line("sku_1.2-3", 4),
    ]
    built = build_hand_off(store("shopify", ucp_permalink=f"{SITE}/buy"), lines)
    assert (built.kind, built.replaces_cart) == ("cart_link", None)
    assert built.url is not None
    expected = {odd: 2 + place for place, odd in enumerate(ODD_IDS)} | {"sku_1.2-3": 5}
    assert read_permalink(built.url, f"{SITE}/buy") == expected
    # The protocol's own example.
    assert ucp_permalink(f"{SITE}/buy", {ODD_IDS[0]: 1}) == (
        f"{SITE}/buy/~Z2lkOi8vc2hvcGlmeS9Qcm9kdWN0VmFyaWFudC83MDg4MTQxMg:1"
    )


@given(st.dictionaries(st.text(min_size=1, max_size=40), st.integers(1, 999), min_size=1, max_size=8))
def test_a_permalink_gives_every_id_back(wanted: dict[str, int]) -> None:
    usable = {item: quantity for item, quantity in wanted.items() if item.isprintable()}
    link = ucp_permalink(f"{SITE}/buy", usable)
    if link is not None:
        assert read_permalink(link, f"{SITE}/buy") == usable
        assert is_on_site(link, SITE)


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "http://shop.example/buy",
        f"{SITE}/buy/",
        f"{SITE}/buy?x=1",
        f"{SITE}/buy#x",
        "https://user@shop.example/buy",
        "https://shop.example\\@evil.example/buy",
        "javascript:alert(1)",
        "/buy",
    ],
)
def test_what_is_no_permalink_endpoint_is_not_used(endpoint: str) -> None:
    assert not is_permalink_endpoint(endpoint)
    assert ucp_permalink(endpoint, {"1": 1}) is None
    with pytest.raises(InvalidInput):
        check_option("ucp_permalink", endpoint)


def test_a_permalink_that_leads_to_another_host_or_is_too_long_is_passed_over() -> None:
    for_another = build_hand_off(store("shopify", ucp_permalink="https://evil.example/buy"), [line("41")])
    assert for_another.url == f"{SITE}/cart/41:1"
    many = [line(f"{number:014}") for number in range(130)]
    too_long = build_hand_off(store("shopify", ucp_permalink=f"{SITE}/buy"), many)
    assert too_long.url is not None
    assert too_long.url.startswith(f"{SITE}/cart/")
    # An item that has no key of its own is known by its page's address, which no store knows as an id.
    by_page = build_hand_off(store("generic", ucp_permalink=f"{SITE}/buy"), [line(f"{SITE}/p/1")])
    assert by_page.kind == "product_link"


def test_links_too_long_to_be_opened_are_product_links() -> None:
    lines = [line(f"{number:014}", url=f"{SITE}/products/{number}") for number in range(400)]
    for platform in ("shopify", "woocommerce"):
        built = build_hand_off(store(platform, woocommerce_version="10.2"), lines)
        assert (built.kind, len(built.item_urls)) == ("product_link", 400)
    just_fits = build_hand_off(store("shopify"), lines[:200])
    assert just_fits.kind == "cart_link"
    assert len(just_fits.url or "") <= LONGEST_LINK


def test_shopify_and_woocommerce() -> None:
    lines = [line("41", 2), line("42"), line("41")]
    shopify = build_hand_off(store("shopify"), lines)
    assert pairs((shopify.url or "").removeprefix(f"{SITE}/cart/")) == {"41": 3, "42": 1}
    assert shopify.replaces_cart
    woo = build_hand_off(store("woocommerce", f"{SITE}/shop", woocommerce_version="10.0.4"), lines)
    assert pairs(parse_qs(urlsplit(woo.url or "").query)["products"][0]) == {"41": 3, "42": 1}
    assert woo.replaces_cart
    # For who has something in that cart already: one after another, which keeps it.
    assert [parse_qs(urlsplit(link).query) for link in woo.item_urls] == [
        {"add-to-cart": ["41"], "quantity": ["2"]},
        {"add-to-cart": ["42"], "quantity": ["1"]},
        {"add-to-cart": ["41"], "quantity": ["1"]},
    ]
    assert build_hand_off(store("woocommerce"), lines).kind == "item_link"


def test_bigcommerce_by_sku() -> None:
    lines = [line("77-1", 2, sku="AB C/1"), line("78", 1, sku="Ä-9")]
    built = build_hand_off(store("bigcommerce"), lines)
    query = parse_qs(urlsplit(built.url or "").query)
    assert pairs(query["products"][0]) == {"AB C/1": 2, "Ä-9": 1}
    plain = build_hand_off(store("bigcommerce"), [line("77-1", 2, sku="AB-1"), line("78", 3, sku="AB-1")])
    query = parse_qs(urlsplit(plain.url or "").query)
    assert (pairs(query["products"][0]), query["action"], plain.replaces_cart) == ({"AB-1": 5}, ["buy"], True)
    # What parts the pairs cannot stand in one.
    assert build_hand_off(store("bigcommerce"), [line("77", sku="A,B:1")]).kind == "product_link"
    # Digits alone may be an id of another product there.
    assert build_hand_off(store("bigcommerce"), [line("77", sku="12345")]).kind == "product_link"


def test_amazon_numbers_its_lines_and_says_that_it_pays() -> None:
    amazon = "https://www.amazon.de"
    lines = [
        line("B000000001", 2, url=f"{amazon}/dp/B000000001"),
        line("B000000002", 1, url=f"{amazon}/dp/B000000002"),
    ]
    built = build_hand_off(store("amazon", amazon, partner_tag="shop-21"), lines)
    fields = dict(parse_qsl(urlsplit(built.url or "").query))
    assert fields == {
        "AssociateTag": "shop-21",
        "ASIN.1": "B000000001",
        "Quantity.1": "2",
        "ASIN.2": "B000000002",
        "Quantity.2": "1",
    }
    assert (built.is_affiliate, built.replaces_cart) == (True, False)
    assert not build_hand_off(store("amazon", amazon), lines).is_affiliate
    odd = [line("B00/../evil?", url=f"{amazon}/dp/1")]
    assert build_hand_off(store("amazon", amazon), odd).kind == "product_link"


def test_vtex_repeats_its_three_parameters() -> None:
    lines = [line("310", 2), line("REF-9", 1, sku="311"), line("310", 1)]
    built = build_hand_off(store("generic", cart_technology="vtex", sales_channel="2"), lines)
    fields = parse_qsl(urlsplit(built.url or "").query)
    assert fields[0] == ("sc", "2")
    triples = [dict(fields[at : at + 3]) for at in range(1, len(fields), 3)]
    assert triples == [
        {"sku": "310", "qty": "3", "seller": "1"},
        {"sku": "311", "qty": "1", "seller": "1"},
    ]
    assert (built.kind, built.replaces_cart) == ("cart_link", False)
    assert build_hand_off(store("generic", cart_technology="vtex"), [line("REF-9")]).kind == "product_link"


def test_ecwid_takes_its_cart_as_json() -> None:
    shop = store("merchant_feed", f"{SITE}/blog", cart_technology="ecwid", store_page=f"{SITE}/store#old")
    lines = [
        line("A", 2, url=f"{SITE}/store/Kettle-&-more-p66821181"),
        line("B", 5, url=f"{SITE}/store#!/Mug/p/66722581/category=1"),
    ]
    built = build_hand_off(shop, lines)
    page, _, cart = (built.url or "").partition("#!/~/cart/create=")
    assert page == f"{SITE}/store"
    assert json.loads(unquote(cart)) == {
        "products": [{"id": 66821181, "quantity": 2}, {"id": 66722581, "quantity": 5}]
    }
    assert built.replaces_cart
    # A choice of one product cannot be named by the product's number alone.
    same = [line("A-red", url=f"{SITE}/store/Kettle-p1"), line("A-blue", url=f"{SITE}/store/Kettle-p1")]
    assert build_hand_off(shop, same).kind == "product_link"
    assert build_hand_off(shop, [line("A", url=f"{SITE}/kettle")]).kind == "product_link"


@pytest.mark.parametrize("item", ODD_IDS)
def test_an_operators_template_for_a_whole_cart(item: str) -> None:
    shop = store("generic", cart_link_template=f"{SITE}/checkout?products={{items}}&coupon=")
    built = build_hand_off(shop, [line(item, 3), line("B", 1)])
    raw = (urlsplit(built.url or "").query).partition("&")[0].removeprefix("products=")
    assert {unquote(name): quantity for name, quantity in pairs(raw).items()} == {item: 3, "B": 1}
    assert built.replaces_cart is None
    with pytest.raises(InvalidInput):
        check_option("cart_link_template", f"{SITE}/checkout")


@pytest.mark.parametrize(
    ("template", "quantity", "link"),
    [
        (f"{SITE}/buy{{?product_id,quantity}}", 2, f"{SITE}/buy?product_id=K%201&quantity=2"),
        (f"{SITE}/buy?x=1{{&productId,qty,userId}}", 1, f"{SITE}/buy?x=1&productId=K%201&qty=1"),
        (f"{SITE}/buy/{{sku}}/{{quantity}}", 3, f"{SITE}/buy/S%2F9/3"),
        (f"{SITE}/buy/{{item_id,quantity}}", 3, f"{SITE}/buy/K%201,3"),
        # One piece needs no quantity; two cannot do without.
        (f"{SITE}/buy/77", 1, f"{SITE}/buy/77"),
        (f"{SITE}/buy/77", 2, None),
        (f"{SITE}/buy/{{user_id}}?q={{quantity}}", 1, None),
        (f"{SITE}/buy/{{+path}}?q={{quantity}}", 1, None),
        (f"{SITE}/buy/{{id", 1, None),
        ("https://{id}.evil.example/{quantity}", 1, None),
        ("https://shop.example@evil.example/{id}/{quantity}", 1, None),
        ("https://shop.example%2eevil.example/{id}/{quantity}", 1, None),
        ("https://evil.example/%7Bid%7D/{quantity}", 1, None),
        ("//evil.example/{id}/{quantity}", 1, None),
        ("javascript:alert('{id}{quantity}')", 1, None),
        ("data:text/html,{id}{quantity}", 1, None),
        ("{id}", 1, None),
        (f"{SITE}/{'x' * 3000}/{{id}}", 1, None),
    ],
)
def test_templates_of_markup_and_feeds(template: str, quantity: int, link: str | None) -> None:
    item = line("K 1", quantity, sku="S/9", handoff=(("checkout_link_template", template),))
    for platform in ("generic", "merchant_feed"):
        built = build_hand_off(store(platform), [item])
        assert built == (
            HandOff(kind="item_link", url=None, item_urls=(link,), replaces_cart=None)
            if link
            else HandOff(kind="product_link", url=None, item_urls=(item.url,))
        )


@pytest.mark.parametrize(
    "platform",
    [
        "magento",
        "shopware",
        "opencart",
        "prestashop",
        "saleor",
        "medusa",
        "vendure",
        "oscar",
        "evershop",
        "etsy",
    ],
)
def test_platforms_without_a_link_lead_to_product_pages(platform: str) -> None:
    lines = [line(odd) for odd in ODD_IDS]
    built = build_hand_off(store(platform), lines)
    assert (built.kind, built.item_urls) == ("product_link", tuple(one.url for one in lines))


@pytest.mark.parametrize("platform", sorted(installed_platforms()))
@pytest.mark.parametrize("item", ODD_IDS)
def test_no_id_leads_a_link_off_the_store(platform: str, item: str) -> None:
    lines = [line(item, 2, sku=item, handoff=(("add_to_cart_url", "https://evil.example/add"),))]
    shop = store(platform, cart_technology="vtex", woocommerce_version="10.1", ucp_permalink=f"{SITE}/buy")
    for built in (build_hand_off(shop, lines), build_hand_off(replace(shop, options={}), lines)):
        for link in (built.url, *built.item_urls):
            assert link is None or is_on_site(link, SITE)


def test_affiliate_parameters_are_off_unless_set_and_never_overwrite() -> None:
    lines = [line("41")]
    assert not build_hand_off(store("shopify"), lines).is_affiliate
    built = build_hand_off(store("shopify", affiliate_parameters="ref=us+%26+co&tag=a%2Fb"), lines)
    assert built.is_affiliate
    assert dict(parse_qsl(urlsplit(built.url or "").query)) == {"ref": "us & co", "tag": "a/b"}
    elsewhere = line("b", url="https://brand.example/b")
    pages = build_hand_off(store("generic", affiliate_parameters="tag=us-21"), [line("a"), elsewhere])
    assert pages.item_urls == (f"{SITE}/p/1?tag=us-21", "https://brand.example/b")
    assert with_affiliate_parameters(f"{SITE}/p?tag=theirs#x", [("tag", "ours"), ("ref", "1 2")]) == (
        f"{SITE}/p?tag=theirs&ref=1+2#x"
    )
    for nonsense in ("", "tag", "=x", "tag=", "tag=1#x"):
        with pytest.raises(InvalidInput):
            check_option("affiliate_parameters", nonsense)


@pytest.mark.parametrize(
    ("said", "template"),
    [
        (
            '"checkoutPageURLTemplate": "https://shop.example/buy?id={id}&n={quantity}"',
            f"{SITE}/buy?id={{id}}&n={{quantity}}",
        ),
        (
            '"potentialAction": {"@type": "BuyAction", "target": {"urlTemplate": "/add/{sku}{?qty}"}}',
            f"{SITE}/add/{{sku}}{{?qty}}",
        ),
        (
            '"potentialAction": {"@type": "BuyAction", "target": "https://shop.example/add/77"}',
            f"{SITE}/add/77",
        ),
        # The page itself, and what is no purchase.
        ('"potentialAction": {"@type": "BuyAction", "target": "https://shop.example/kettle"}', None),
        ('"potentialAction": {"@type": "SearchAction", "target": "https://shop.example/?q={q}"}', None),
        ('"potentialAction": [7, {"@type": "BuyAction", "target": [null, {"urlTemplate": {}}]}]', None),
    ],
)
def test_what_a_page_says_of_buying_reaches_its_offer(said: str, template: str | None) -> None:
    markup = f"""{{"@context": "https://schema.org", "@type": "Product", "name": "Kettle", "sku": "K1",
        "offers": {{"@type": "Offer", "price": "19.99", "priceCurrency": "EUR",
                    "availability": "https://schema.org/InStock", {said}}}}}"""
    html = (
        f'<html><head><title>Kettle</title><script type="application/ld+json">{markup}</script></head></html>'
    )
    answer = Answer(f"{SITE}/kettle", 200, {"content-type": "text/html"}, html.encode())
    (offer,) = select_page(answer).to_raw_offers()
    assert isinstance(offer, RawOffer)
    assert offer.handoff == ({"checkout_link_template": template} if template else {})
