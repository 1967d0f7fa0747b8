"""What marketplaces' APIs find, from answers built after their documentation."""

from __future__ import annotations

import base64
from dataclasses import replace
from decimal import Decimal
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from aggregator.domain.errors import FetchRefused, StoreError, UnreadableAnswer
from aggregator.domain.money import Money
from aggregator.domain.offers import InvalidOffer, RawOffer
from aggregator.domain.stores import Store
from aggregator.domain.vocabulary import Availability, ItemCondition, PriceKind
from aggregator.platforms import StorePlatform
from aggregator.shopping.hand_off_links import is_trustworthy
from spiders.adapters import amazon, ebay, etsy, walmart
from spiders.marketplaces import marketplace_country
from tests.unit.store_answers import (
    Shop,
    Site,
    by_path,
    drained,
    line,
    normalized,
    page,
    posted,
    saved,
    store,
)

KEY = rsa.generate_private_key(public_exponent=65537, key_size=1024)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
TOKEN = {"access_token": "tok", "token_type": "Bearer", "expires_in": 7200}
STORES = {
    "ebay": (ebay.platform, store("ebay", "https://www.ebay.de")),
    "etsy": (etsy.platform, store("etsy", "https://www.etsy.com")),
    "amazon": (amazon.platform, store("amazon", "https://www.amazon.de")),
    "walmart": (walmart.platform, store("walmart", "https://www.walmart.com")),
}
KEYS = {
    "ebay": {"client_id": "id", "client_secret": "s"},
    "etsy": {"api_key": "key", "shared_secret": "s"},
    "amazon": {"credential_id": "id", "credential_secret": "s", "partner_tag": "shop-21"},
    "walmart": {"consumer_id": "c-1", "private_key": PEM},
}


def at(name: str, **options: str) -> Store:
    return replace(STORES[name][1], options={**KEYS[name], **options})


def read(name: str, shop: Shop, /, **options: str) -> list[RawOffer | InvalidOffer]:
    platform = STORES[name][0]
    assert platform.source is not None
    return list(platform.source.fetch_offers(at(name, **options), shop.fetcher()))


@pytest.mark.parametrize("name", sorted(STORES))
def test_without_a_question_nothing_is_read(name: str) -> None:
    with pytest.raises(FetchRefused, match=r"too large to be read whole; say what to read with --set "):
        read(name, by_path({}))


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("ebay", "client_id"), ("etsy", "api_key"), ("etsy", "shared_secret"), ("amazon", "credential_secret"),
        ("amazon", "partner_tag"), ("walmart", "consumer_id"), ("walmart", "private_key"),
    ],
)  # fmt: skip
def test_without_a_key_it_says_which_one_and_asks_nobody(name: str, missing: str) -> None:
    shop = by_path({})
    with pytest.raises(FetchRefused, match=rf"needs a key: --set {missing}=…"):
        read(name, shop, query="kettle", **{missing: " "})
    platform, _ = STORES[name]
    (state,) = platform.check_offers(at(name, **{missing: ""}), [line("1")], shop.fetcher())
    assert f"needs a key: --set {missing}=…" in str(state.problem)
    assert shop.requests == []


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("name", sorted(STORES))
def test_refused_keys_are_said_to_be_refused(name: str, status: int) -> None:
    with pytest.raises(FetchRefused, match="does not accept"):
        read(name, Shop(lambda request: httpx.Response(status)), query="kettle")


@pytest.mark.parametrize("name", sorted(STORES))
@pytest.mark.parametrize(
    "body",
    ["", "null", "[]", "{}", "<html>", '{"access_token": "t", "total": 9, "count": 9, "totalResults": 9}'],
)
def test_hostile_answers_are_store_errors_or_nothing(name: str, body: str) -> None:
    platform: StorePlatform = STORES[name][0]
    shop = Shop(lambda request: httpx.Response(200, text=body))
    assert platform.source is not None
    offers, error = drained(platform.source.fetch_offers(at(name, query="x"), shop.fetcher()))
    assert offers == []
    assert error is None or isinstance(error, StoreError)
    (state,) = platform.check_offers(at(name), [line("1")], shop.fetcher())
    assert state.price is None
    assert state.problem


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("ebay", "www.ebay.co.uk"),
        ("etsy", "www.etsy.com"),
        ("amazon", "amazon.de"),
        ("walmart", "www.walmart.com"),
    ],
)
def test_marketplaces_are_known_by_their_host_even_where_it_blocks_us(name: str, host: str) -> None:
    platform = STORES[name][0]
    found = platform.detect(Site(page("/", "Access denied", 403, host=host)))
    assert found.confidence == 0.98
    assert any(signal.what.startswith("needs a key: --set ") for signal in found.signals)
    for other in (f"{name}.example.com", f"www.{name}.com.evil.example", f"my{name}.com", "shop.example"):
        assert platform.detect(Site(page("/", f"{name} {host}", host=other))).confidence == 0


@pytest.mark.parametrize(
    ("url", "country"),
    [
        ("https://www.ebay.de/", "DE"), ("https://ebay.co.uk", "GB"), ("https://www.ebay.com/sch", "US"),
        ("https://ebay.com.au", "AU"), ("https://ebay.evil", None), ("https://www.ebay.com.evil.de", None),
    ],
)  # fmt: skip
def test_country_of_a_marketplace(url: str, country: str | None) -> None:
    assert marketplace_country(url, "ebay") == country


# eBay


def ebay_shop(search: Any = None) -> Shop:
    return by_path(
        {
            "/identity/v1/oauth2/token": TOKEN,
            "/buy/browse/v1/item_summary/search": search or saved("ebay/search.json"),
            "/buy/browse/v1/item/get_items_by_item_group": saved("ebay/group.json"),
            "/buy/browse/v1/item/v1%7C110554945500%7C0": saved("ebay/search.json")["itemSummaries"][0],
        }
    )


def test_ebay_listings_and_variations_are_offers() -> None:
    shop = ebay_shop()
    kettle, small, medium = normalized(read("ebay", shop, query="kettle", seller="kupfer-sohn, other"))
    assert (kettle.external_id, kettle.price, kettle.list_price, kettle.shipping_cost, kettle.seller) == (
        "v1|110554945500|0", Money(Decimal("23.50"), "EUR"), Money(Decimal("29.00"), "EUR"), Decimal("4.90"),
        "kupfer-sohn",
    )  # fmt: skip
    assert (kettle.url, kettle.availability) == (
        "https://www.ebay.de/itm/110554945500?hash=item19bd",
        Availability.IN_STOCK,
    )
    assert (small.item_group_id, small.gtin, small.stock_level) == ("110554945501", "09521234567899", 4)
    assert (medium.item_condition, medium.availability, medium.variant_attributes) == (
        ItemCondition.USED, Availability.OUT_OF_STOCK, (("Size", "M"),),
    )  # fmt: skip
    token, search = shop.requests[:2]
    assert token.headers["authorization"] == f"Basic {base64.b64encode(b'id:s').decode()}"
    assert (search.headers["authorization"], search.headers["x-ebay-c-marketplace-id"]) == (
        "Bearer tok",
        "EBAY_DE",
    )
    assert search.url.params["filter"] == "buyingOptions:{FIXED_PRICE},sellers:{kupfer-sohn|other}"
    assert (search.url.params["q"], search.url.params["limit"]) == ("kettle", "200")


def test_ebay_walks_to_the_total_and_says_when_there_is_more_than_it_shows() -> None:
    summary = saved("ebay/search.json")["itemSummaries"][0]
    shop = ebay_shop({"total": 12_345, "itemSummaries": [summary]})
    offers, error = drained(ebay.EbaySource().fetch_offers(at("ebay", seller="x"), shop.fetcher()))
    assert len(offers) == 50
    assert isinstance(error, UnreadableAnswer)
    assert "finds 12345, and shows no more than 10,000" in error.problem
    assert shop.requests[1].url.params["category_ids"] == "0"


def test_ebay_checks_a_listing() -> None:
    lines = [line("v1|110554945500|0"), line("v1|1|0")]
    states = ebay.check_offers(at("ebay"), lines, ebay_shop().fetcher())
    assert [(state.price, state.problem) for state in states] == [
        (Money(Decimal("23.50"), "EUR"), None),
        (None, "is no longer listed"),
    ]


# Etsy


def test_etsy_amounts_have_their_own_divisor_and_choices_a_from_price() -> None:
    shop = by_path(
        {
            "/v3/application/shops": {"results": [{"shop_id": 42, "shop_name": "Filzladen"}]},
            "/v3/application/shops/42/listings/active": saved("etsy/listings.json"),
        }
    )
    slippers, ring, gone = read("etsy", shop, shop="filzladen")
    first, second = normalized([slippers, ring])
    assert (first.price, first.seller, first.sku, first.stock_level) == (
        Money(Decimal("45.50"), "EUR"), "Filzladen", "FS-1", 3,
    )  # fmt: skip
    assert (second.title, second.price, second.price_kind) == (
        "Silver ring & box", Money(Decimal("3900"), "JPY"), PriceKind.FROM,
    )  # fmt: skip
    assert isinstance(gone, RawOffer)
    assert (gone.price, gone.availability) == (None, "OutOfStock")
    assert shop.requests[0].headers["x-api-key"] == "key:s"


def test_etsy_reads_questions_ids_and_says_when_there_is_more() -> None:
    listings = saved("etsy/listings.json")
    shop = by_path({"/v3/application/listings/batch": listings, "/v3/application/listings/active": listings})
    assert len(read("etsy", shop, ids="1001,1002 1003", query="ring", api_key="a:b", shared_secret="")) == 6
    assert shop.asked == [
        "GET /v3/application/listings/batch?listing_ids=1001%2C1002%2C1003&includes=Images%2CShop",
        "GET /v3/application/listings/active?keywords=ring&limit=100&offset=0",
    ]
    endless = by_path({"/v3/application/listings/active": {**listings, "count": 50_000}})
    with pytest.raises(UnreadableAnswer, match="finds 50000"):
        read("etsy", endless, query="ring")
    with pytest.raises(FetchRefused, match="knows no shop 'nobody'"):
        read("etsy", by_path({"/v3/application/shops": {"results": []}}), shop="nobody")


def test_etsy_reads_the_shop_that_its_address_names_and_checks_in_one_question() -> None:
    assert etsy.detect(Site(page("/de/shop/Filzladen?ref=x", host="www.etsy.com"))).options == {
        "shop": "Filzladen"
    }
    shop = by_path({"/v3/application/listings/batch": saved("etsy/listings.json")})
    states = etsy.check_offers(at("etsy"), [line("1001"), line("9"), line("x,y")], shop.fetcher())
    assert [(state.price, state.problem) for state in states] == [
        (Money(Decimal("45.50"), "EUR"), None),
        (None, "is no longer listed"),
        (None, "is no longer listed"),
    ]
    assert len(shop.requests) == 1


# Amazon


def amazon_shop(**answers: Any) -> Shop:
    found = saved("amazon/search.json")["searchResult"]
    pages = {"/auth/o2/token": TOKEN, "/catalog/v1/searchItems": {"searchResult": found}}
    pages["/catalog/v1/getItems"] = {
        "itemsResult": {"items": found["items"]},
        "errors": [{"code": "ItemNotAccessible"}],
    }
    return by_path({**pages, **answers})


def test_amazon_items_are_the_offer_that_wins_the_buy_box() -> None:
    shop = amazon_shop()
    kettle, unsold, odd = read("amazon", shop, query="kettle")
    (offer,) = normalized([kettle])
    assert (offer.external_id, offer.price, offer.list_price, offer.seller) == (
        "B0CKETTLE1", Money(Decimal("24.99"), "EUR"), Money(Decimal("29.99"), "EUR"), "Kupfer GmbH",
    )  # fmt: skip
    assert (offer.brand, offer.gtin, offer.mpn, offer.item_group_id) == (
        "Kupfer & Sohn", "09521234567899", "KS-15", "B0CPARENT1",
    )  # fmt: skip
    assert (offer.availability, offer.item_condition) == (Availability.IN_STOCK, ItemCondition.NEW)
    assert isinstance(unsold, RawOffer)
    assert unsold.price is None
    assert isinstance(odd, InvalidOffer)
    assert odd.reason == "no_id"
    token, search = shop.requests
    assert str(token.url) == "https://api.amazon.co.uk/auth/o2/token"
    assert (search.headers["authorization"], search.headers["x-marketplace"]) == (
        "Bearer tok",
        "www.amazon.de",
    )
    assert posted(search) | {"resources": []} == {
        "partnerTag": "shop-21", "marketplace": "www.amazon.de", "resources": [], "keywords": "kettle",
        "itemCount": 10, "itemPage": 1,
    }  # fmt: skip


def test_amazon_credentials_of_the_older_kind_name_their_version() -> None:
    shop = amazon_shop(**{"/oauth2/token": TOKEN})
    read("amazon", shop, ids="b0ckettle1", credential_version="2.2")
    assert shop.requests[0].url.host == "creatorsapi.auth.eu-south-2.amazoncognito.com"
    assert shop.requests[1].headers["authorization"] == "Bearer tok, Version 2.2"
    assert posted(shop.requests[1])["itemIds"] == ["B0CKETTLE1"]
    with pytest.raises(FetchRefused, match="credential_version is one of"):
        read("amazon", shop, query="x", credential_version="9")


def test_amazon_that_finds_nothing_or_too_much() -> None:
    nothing = httpx.Response(404, json={"errors": [{"code": "NoResults"}]})
    assert read("amazon", amazon_shop(**{"/catalog/v1/searchItems": nothing}), query="x") == []
    much = {"searchResult": {**saved("amazon/search.json")["searchResult"], "totalResultCount": 5000}}
    offers, error = drained(
        amazon.AmazonSource().fetch_offers(
            at("amazon", query="x"), amazon_shop(**{"/catalog/v1/searchItems": much}).fetcher()
        )
    )
    assert len(offers) == 30
    assert isinstance(error, UnreadableAnswer)
    with pytest.raises(FetchRefused, match="a category alone finds nothing"):
        read("amazon", amazon_shop(), category="Kitchen")


def test_amazon_hands_a_whole_cart_over_in_one_link() -> None:
    here = at("amazon")
    lines = [line("B0CKETTLE1", 2), line("B0CPARENT1"), line("B0CKETTLE1")]
    built = amazon.platform.handoff.build(here, lines)
    assert (built.kind, built.replaces_cart) == ("cart_link", False)
    assert built.url == (
        "https://www.amazon.de/gp/aws/cart/add.html?AssociateTag=shop-21&ASIN.1=B0CKETTLE1&Quantity.1=3"
        "&ASIN.2=B0CPARENT1&Quantity.2=1"
    )
    assert is_trustworthy(built, here, lines)
    assert amazon.platform.handoff.build(at("amazon", cart_link="no"), lines).kind == "product_link"
    assert amazon.platform.handoff.build(here, [*lines, line("4001")]).kind == "product_link"


def test_amazon_checks_ten_lines_in_a_question() -> None:
    lines = [line("B0CKETTLE1"), line("B0CNOOFFER"), *(line(f"B0CMISSIN{number}") for number in range(9))]
    shop = amazon_shop()
    states = amazon.check_offers(at("amazon"), lines, shop.fetcher())
    assert states[0].price == Money(Decimal("24.99"), "EUR")
    assert states[1].problem == "could not be read (no_price)"
    assert {state.problem for state in states[2:]} == {"is no longer listed"}
    assert len(shop.requests) == 3


# Walmart

ROOT = "/api-proxy/service/affil/product/v2"


def test_walmart_items_are_offers_and_requests_are_signed() -> None:
    shop = by_path({f"{ROOT}/search": saved("walmart/search.json")})
    kettle, teapot = normalized(read("walmart", shop, query="kettle", publisher_id="p1"))
    assert (kettle.external_id, kettle.price, kettle.list_price, kettle.shipping_cost) == (
        "12417832", Money(Decimal("24.99"), "USD"), Money(Decimal("29.00"), "USD"), Decimal("5.99"),
    )  # fmt: skip
    assert (kettle.brand, kettle.mpn, kettle.item_group_id) == ("Kupfer", "KS-15", "12417800")
    assert kettle.url == "https://www.walmart.com/ip/12417832"
    assert (teapot.availability, teapot.item_condition, teapot.handoff) == (
        Availability.OUT_OF_STOCK, ItemCondition.REFURBISHED, (),
    )  # fmt: skip
    (request,) = shop.requests
    signed = "\n".join(
        request.headers[f"WM_{name}"] for name in ("CONSUMER.ID", "CONSUMER.INTIMESTAMP", "SEC.KEY_VERSION")
    )
    signature = base64.b64decode(request.headers["WM_SEC.AUTH_SIGNATURE"])
    KEY.public_key().verify(signature, f"{signed}\n".encode(), PKCS1v15(), SHA256())
    assert (request.url.params["publisherId"], request.url.params["start"]) == ("p1", "1")


def test_walmart_takes_its_key_bare_and_refuses_what_is_none() -> None:
    bare = "".join(PEM.splitlines()[1:-1])
    shop = by_path({f"{ROOT}/items": {"items": saved("walmart/search.json")["items"]}})
    assert len(read("walmart", shop, ids="12417832,77", private_key=bare)) == 2
    assert shop.requests[0].url.params["ids"] == "12417832,77"
    with pytest.raises(FetchRefused, match="private_key is no RSA key; set it with --set private_key=@FILE"):
        read("walmart", shop, query="x", private_key="nonsense")


def test_walmart_walks_a_category_and_never_signs_for_another_host() -> None:
    first = {
        "items": saved("walmart/search.json")["items"][:1],
        "nextPage": f"{ROOT}/paginated/items?lastDoc=2",
    }
    last = {"items": saved("walmart/search.json")["items"][1:]}
    pages = {f"{ROOT}/paginated/items?category=4044": first, f"{ROOT}/paginated/items?lastDoc=2": last}
    assert len(read("walmart", by_path(pages), category="4044")) == 2
    for onward in ("https://evil.example/items", f"{ROOT}/paginated/items?category=4044"):
        shop = by_path({f"{ROOT}/paginated/items": {**first, "nextPage": onward}})
        with pytest.raises(UnreadableAnswer, match="in a circle or away"):
            read("walmart", shop, category="4044")
        assert len(shop.requests) == 1


def test_walmart_says_when_a_question_finds_more_than_it_shows() -> None:
    shop = by_path({f"{ROOT}/search": {**saved("walmart/search.json"), "totalResults": 4000}})
    _, error = drained(walmart.WalmartSource().fetch_offers(at("walmart", query="x"), shop.fetcher()))
    assert isinstance(error, UnreadableAnswer)
    assert len(shop.requests) == 40


def test_walmart_hands_single_items_over_by_their_own_link() -> None:
    here = at("walmart")
    link = "https://goto.walmart.com/c/1/addToCart?items=12417832|1"
    lines = [line("1", add_to_cart_url=link), line("2", 2, add_to_cart_url=link), line("3")]
    built = walmart.platform.handoff.build(here, lines)
    assert (built.kind, built.item_urls) == ("item_link", (link, lines[1].url, lines[2].url))
    assert is_trustworthy(built, here, lines)
    assert walmart.platform.handoff.build(here, lines[1:]).kind == "product_link"
    foreign = [line("1", add_to_cart_url="https://evil.example/cart")]
    assert walmart.platform.handoff.build(here, foreign).kind == "product_link"
