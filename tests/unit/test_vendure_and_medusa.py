"""What Vendure and Medusa stores say, from recorded answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import httpx
import pytest

from aggregator.domain.errors import FetchRefused, StoreError, UnreadableAnswer
from aggregator.domain.money import Money
from aggregator.domain.offers import RawOffer
from aggregator.domain.vocabulary import Availability, PriceKind
from spiders.adapters import medusa, vendure
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

EXPOSED = "vendure-auth-token"


def vendure_shop(products: Any | None = None, **answers: Any) -> Shop:
    def answer(request: httpx.Request) -> Any:
        query = posted(request)["query"]
        if "__type" in query:
            return answers.get(
                "custom", {"data": {"__type": {"fields": [{"name": "gtin"}, {"name": "mpn"}]}}}
            )
        if "product(id" in query:
            return answers.get("product", saved("vendure/missing.json"))
        return products(posted(request)["variables"]) if callable(products) else products

    return Shop(answer)


def test_vendure_variants_are_offers_with_tax_in_minor_units() -> None:
    shop = vendure_shop(saved("vendure/products.json"))
    first, second, *ssds = normalized(vendure.VendureSource().fetch_offers(store("vendure"), shop.fetcher()))
    assert (first.external_id, first.price, first.brand, first.gtin, first.mpn, first.sku) == (
        "1", Money(Decimal("226.99"), "EUR"), "Sony", "04142294592369", "WH1000XM4B.CE7", "VE-WH1000XM4B.CE7",
    )  # fmt: skip
    assert (
        first.url
        == "https://shop.example/products/sony-wh-1000xm4-wireless-noise-cancelling-headphones-black"
    )
    assert (first.category, first.availability, first.item_group_id) == (
        "Headphones",
        Availability.IN_STOCK,
        None,
    )
    assert second.availability == Availability.OUT_OF_STOCK
    assert [(one.external_id, str(one.price.amount), one.item_group_id) for one in ssds] == [
        ("56", "89.99", "56"), ("57", "180.99", "56"), ("58", "286.99", "56"),
    ]  # fmt: skip
    assert [value for _, value in ssds[2].variant_attributes] == ["4TB"]
    assert "customFields{gtin mpn}" in posted(shop.requests[1])["query"]


def test_vendure_pages_to_the_total_and_within_the_servers_limit() -> None:
    everything = saved("vendure/products.json")["data"]["products"]["items"]

    def listing(variables: dict[str, int]) -> Any:
        if variables["take"] > 2:
            message = "Cannot take more than 2 results from a list query"
            return {
                "errors": [{"message": message, "extensions": {"code": "USER_INPUT_ERROR"}}],
                "data": None,
            }
        start = variables["skip"]
        return {
            "data": {"products": {"totalItems": 3, "items": everything[start : start + variables["take"]]}}
        }

    shop = vendure_shop(listing)
    offers = list(vendure.VendureSource().fetch_offers(store("vendure"), shop.fetcher()))
    assert [offer.external_id for offer in offers] == ["1", "2", "56", "57", "58"]
    assert [posted(request)["variables"] for request in shop.requests[1:]] == [
        {"take": 100, "skip": 0}, {"take": 2, "skip": 0}, {"take": 2, "skip": 2},
    ]  # fmt: skip


def test_vendure_reads_a_server_that_hides_its_schema() -> None:
    hidden = httpx.Response(400, json={"errors": [{"message": "introspection is not allowed"}]})
    shop = vendure_shop(saved("vendure/products.json"), custom=hidden)
    assert len(list(vendure.VendureSource().fetch_offers(store("vendure"), shop.fetcher()))) == 5
    assert "customFields" not in posted(shop.requests[-1])["query"]


@pytest.mark.parametrize(
    ("products", "error"),
    [
        (saved("vendure/bad_query.json"), "answers with an error"),
        ({"data": {"products": {"totalItems": 9, "items": []}}}, "lists nothing from 0 on"),
        ({"data": {"products": None}}, "lists nothing"),
        (httpx.Response(401), "wants a valid key"),
        (httpx.Response(200, text="<html>"), "is not the JSON it should be"),
    ],
)
def test_vendure_that_breaks_off_is_not_read_to_its_end(products: Any, error: str) -> None:
    source = vendure.VendureSource()
    offers, raised = drained(source.fetch_offers(store("vendure"), vendure_shop(products).fetcher()))
    assert offers == []
    assert raised is not None
    assert error in raised.problem


def test_vendure_that_repeats_itself_is_unreadable() -> None:
    again = saved("vendure/products.json")
    again["data"]["products"]["totalItems"] = 99
    _, raised = drained(vendure.VendureSource().fetch_offers(store("vendure"), vendure_shop(again).fetcher()))
    assert isinstance(raised, UnreadableAnswer)
    assert "repeats" in raised.problem


def test_vendure_page_template_names_channel_and_odd_currency_precision() -> None:
    here = store(
        "vendure",
        product_url_template="https://www.shop.example/p/{sku}?v={id}",
        money_precision="3",
        channel_token="b2c",
        currency="KWD",
    )
    shop = vendure_shop(saved("vendure/products.json"))
    offer = next(iter(vendure.VendureSource().fetch_offers(here, shop.fetcher())))
    assert isinstance(offer, RawOffer)
    assert (offer.url, offer.price) == ("https://www.shop.example/p/VE-WH1000XM4B.CE7?v=1", Decimal("22.699"))
    assert shop.requests[0].headers["vendure-token"] == "b2c"
    assert shop.asked[0] == "POST /shop-api?currencyCode=KWD"
    wrong = replace(here, options={"product_url_template": "/p/{name}"})
    with pytest.raises(FetchRefused, match=r"names \{name\}"):
        list(vendure.VendureSource().fetch_offers(wrong, shop.fetcher()))


def test_vendure_checks_lines_by_their_products() -> None:
    product = {"data": {"product": saved("vendure/products.json")["data"]["products"]["items"][2]}}
    lines = [line("57", product_id="56"), line("99", product_id="56")]
    states = vendure.check_offers(store("vendure"), lines, vendure_shop(product=product).fetcher())
    assert [(state.external_id, state.price, state.problem) for state in states] == [
        ("57", Money(Decimal("180.99"), "EUR"), None),
        ("99", None, "is no longer listed"),
    ]
    (gone,) = vendure.check_offers(store("vendure"), [line("1", product_id="1")], vendure_shop().fetcher())
    assert gone.problem == "is no longer listed"


def test_vendure_is_known_by_its_header_alone() -> None:
    bare = page("/", '{"statusCode":404}', 404, access_control_expose_headers=EXPOSED)
    api = page("/shop-api", '{"errors":[]}', 400, access_control_expose_headers=EXPOSED)
    assert vendure.detect(Site(bare, {"/shop-api": api})).confidence == 0.95
    silent = page("/", '{"statusCode":404}', 404)
    assert vendure.detect(Site(silent, {"/shop-api": api})).confidence == 0.95
    other = page("/shop-api", '{"errors":[{"message":"GraphQL operations must contain a query"}]}', 400)
    assert vendure.detect(Site(silent, {"/shop-api": other})).confidence == 0
    full = Site(page("/", f"<html><body>{'We write about Vendure. ' * 50}</body></html>"), {"/shop-api": api})
    assert vendure.detect(full).confidence == 0
    assert full.asked == []


# Medusa


def medusa_pages(**changes: Any) -> dict[str, Any]:
    return {
        "/store/regions": saved("medusa/regions.json"),
        "/store/products": saved("medusa/products.json"),
    } | changes


def test_medusa_needs_its_publishable_key() -> None:
    with pytest.raises(FetchRefused, match=r"needs a key: --set publishable_key=…"):
        list(medusa.MedusaSource().fetch_offers(store("medusa"), by_path({}).fetcher()))


def test_medusa_variants_are_offers_with_the_tax_of_the_country() -> None:
    shop = by_path(medusa_pages())
    here = store("medusa", publishable_key="pk_1")
    silver, black, earbuds, card = normalized(medusa.MedusaSource().fetch_offers(here, shop.fetcher()))
    assert (silver.title, silver.price, silver.brand, silver.mpn) == (
        "SONY WH1000XM5 Wireless Over-ear ANC Headset Silver", Money(Decimal("359.37"), "EUR"), "Sony",
        "WH1000XM5S.CE7",
    )  # fmt: skip
    assert silver.url == "https://shop.example/de/products/sony-wh1000xm5-wireless-over-ear-anc-headset"
    assert (silver.item_group_id, silver.variant_attributes) == (black.item_group_id, (("Colour", "Silver"),))
    assert (silver.gtin, silver.stock_level) == ("04279827244607", 3)
    assert (earbuds.title, earbuds.item_group_id) == ("WF-1000XM5 Earbuds by Sony – SONY", None)
    assert (card.availability, card.price.plain()) == (Availability.OUT_OF_STOCK, "32.34")
    assert shop.requests[1].headers["x-publishable-api-key"] == "pk_1"
    query = shop.requests[1].url.params
    assert (query["region_id"], query["country_code"]) == ("reg_01M7VF33465MM091KJSK9CKE6J", "de")


@pytest.mark.parametrize(
    ("options", "country"),
    [
        ({"region": "europe"}, "de"), ({"region": "at"}, "at"), ({"country": "AT"}, "at"),
        ({"region": "EUR", "country": "fr"}, "at"),
    ],
)  # fmt: skip
def test_medusa_region_is_chosen_by_id_name_country_or_currency(
    options: dict[str, str], country: str
) -> None:
    shop = by_path(medusa_pages())
    list(medusa.MedusaSource().fetch_offers(store("medusa", publishable_key="k", **options), shop.fetcher()))
    assert shop.requests[1].url.params["country_code"] == country


def test_medusa_region_that_is_not_there_is_named_with_those_that_are() -> None:
    here = store("medusa", publishable_key="k", region="Mars")
    with pytest.raises(FetchRefused, match=r"--set region=… \(it has: Europe\)"):
        list(medusa.MedusaSource().fetch_offers(here, by_path(medusa_pages()).fetcher()))


def test_medusa_refused_key_says_so() -> None:
    shop = by_path({"/store/regions": httpx.Response(400, json=saved("medusa/no_key.json"))})
    with pytest.raises(FetchRefused, match="refuses the key"):
        list(medusa.MedusaSource().fetch_offers(store("medusa", publishable_key="k"), shop.fetcher()))


def test_medusa_walks_to_the_count() -> None:
    everything = saved("medusa/products.json")["products"]

    def answer(request: httpx.Request) -> Any:
        if request.url.path.endswith("regions"):
            return saved("medusa/regions.json")
        offset = int(request.url.params["offset"])
        return {"products": everything[offset : offset + 2], "count": 3, "offset": offset, "limit": 2}

    shop = Shop(answer)
    here = store("medusa", publishable_key="k")
    assert len(list(medusa.MedusaSource().fetch_offers(here, shop.fetcher()))) == 4
    assert len(shop.requests) == 3
    short = by_path(medusa_pages(**{"/store/products": {"products": [], "count": 5}}))
    with pytest.raises(UnreadableAnswer, match="lists nothing from 0 on, of 5"):
        list(medusa.MedusaSource().fetch_offers(here, short.fetcher()))


def changed_variant(change: Callable[[dict[str, Any]], object]) -> RawOffer:
    product = json.loads(json.dumps(saved("medusa/products.json")["products"][2]), parse_float=Decimal)
    change(product["variants"][0])
    (offer,) = medusa.read_product(product, store("medusa"), "de")
    assert isinstance(offer, RawOffer)
    return offer


def test_medusa_stock_backorders_and_sales() -> None:
    assert changed_variant(lambda variant: variant.update(manage_inventory=False)).availability == "InStock"
    assert changed_variant(lambda variant: variant.update(allow_backorder=True)).availability == "BackOrder"
    assert changed_variant(lambda variant: variant.pop("inventory_quantity")).availability is None
    (sale,) = normalized(
        [changed_variant(lambda variant: variant["calculated_price"].update(original_amount_with_tax=40))]
    )
    assert sale.price_kind == PriceKind.SALE
    assert sale.list_price == Money(Decimal("40.00"), "EUR")
    assert changed_variant(lambda variant: variant.update(calculated_price=None)).price is None


def test_medusa_checks_lines_by_their_products() -> None:
    product = saved("medusa/products.json")["products"][1]
    shop = by_path(medusa_pages(**{f"/store/products/{product['id']}": {"product": product}}))
    variant = product["variants"][0]["id"]
    lines = [line(variant, product_id=product["id"]), line("x", product_id="gone")]
    states = medusa.check_offers(store("medusa", publishable_key="k"), lines, shop.fetcher())
    assert [(state.price, state.problem) for state in states] == [
        (Money(Decimal("295.38"), "EUR"), None),
        (None, "is no longer listed"),
    ]
    (keyless,) = medusa.check_offers(store("medusa"), [line("x")], shop.fetcher())
    assert "needs a key" in str(keyless.problem)


def test_medusa_is_known_by_the_key_it_asks_for() -> None:
    home = page("/", "Cannot GET /", 404)
    asks = page("/store/regions", str(saved("medusa/no_key.json")), 400)
    found = medusa.detect(Site(home, {"/store/regions": asks}))
    assert (found.confidence, found.signals[-1].what) == (0.95, "needs a key: --set publishable_key=…")
    other = page("/store/regions", '{"message":"API key required"}', 400)
    assert medusa.detect(Site(home, {"/store/regions": other})).confidence == 0
    shop = Site(page("/", "<html><body>" + "A shop. " * 90), {"/store/regions": asks})
    assert medusa.detect(shop).confidence == 0


@pytest.mark.parametrize("body", ["null", "[]", '{"products":[null,{"variants":[7]}],"count":1}', "x"])
def test_hostile_answers_are_store_errors_or_nothing(body: str) -> None:
    shop = Shop(lambda request: httpx.Response(200, text=body))
    for source, here in (
        (vendure.VendureSource(), store("vendure")),
        (medusa.MedusaSource(), store("medusa", publishable_key="k")),
    ):
        offers, raised = drained(source.fetch_offers(here, shop.fetcher()))
        assert offers == []
        assert isinstance(raised, StoreError)
