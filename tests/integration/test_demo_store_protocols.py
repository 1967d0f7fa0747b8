"""Each demo store speaks its platform's protocol: shapes, pages, errors, oddities and how its cart is filled."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest
from lxml import etree, html

from fixtures.demo.protocols.microdata import states_price_as_content
from fixtures.demo.stores import DemoStore, run_demo_stores

API = "/wp-json/wc/store/v1/products"
GOOGLE = {"g": "http://base.google.com/ns/1.0"}
SITEMAP = {"s": "http://www.sitemaps.org/schemas/sitemap/0.9"}


@pytest.fixture(scope="module")
def running() -> Iterator[dict[str, DemoStore]]:
    with run_demo_stores() as stores:
        yield {store.slug: store for store in stores}


@pytest.fixture
def stores(running: dict[str, DemoStore]) -> Iterator[dict[str, DemoStore]]:
    yield running
    for store in running.values():
        store.control.reset()


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client() as client:
        yield client


def _cart(client: httpx.Client, store: DemoStore) -> dict[str, int]:
    page = html.fromstring(client.get(f"{store.url}/cart").text)
    return {
        row.get("data-id"): int(row.get("data-quantity"))
        for row in page.xpath("//table[@id='cart']/tbody/tr")
    }


def _markup(page: httpx.Response) -> Any:
    (script,) = html.fromstring(page.text).xpath("//script[@type='application/ld+json']/text()")
    return json.loads(script)


# Shopify


@pytest.fixture
def shopify(stores: dict[str, DemoStore]) -> DemoStore:
    return stores["fernway"]


def test_shopify_lists_thirty_products_at_most_250_and_then_an_empty_page(
    shopify: DemoStore, client: httpx.Client
) -> None:
    def count(query: str) -> int:
        return len(client.get(f"{shopify.url}/products.json{query}").json()["products"])

    assert count("") == 30
    assert count("?limit=1000") == 250
    assert [count(f"?limit=250&page={page}") for page in (1, 2, 3, 4)] == [250, 250, 20, 0]


def test_shopify_lists_decimal_strings_without_currency_stock_or_barcode(
    shopify: DemoStore, client: httpx.Client
) -> None:
    products = client.get(f"{shopify.url}/products.json?limit=250").json()["products"]
    for product in products:
        for variant in product["variants"]:
            assert isinstance(variant["price"], str)
            assert variant["compare_at_price"] is None or Decimal(variant["compare_at_price"]) > Decimal(
                variant["price"]
            )
            assert not {"barcode", "currency", "inventory_quantity"} & set(variant)
            assert isinstance(variant["available"], bool)
    vendors = {product["vendor"] for product in products}
    assert "Fernway Home" in vendors
    assert len(vendors) > 10
    family = next(product for product in products if len(product["variants"]) > 1)
    assert [option["name"] for option in family["options"]] in (["Colour"], ["Capacity"])
    assert family["options"][0]["values"] == [variant["option1"] for variant in family["variants"]]
    single = next(product for product in products if len(product["variants"]) == 1)
    assert single["options"][0]["name"] == "Title"
    assert single["variants"][0]["title"] == "Default Title"


def test_shopify_product_js_has_hundredfold_integers_and_a_barcode(
    shopify: DemoStore, client: httpx.Client
) -> None:
    product = next(p for p in shopify.store.products if p.variants[0].gtin and not p.option_names)
    answer = client.get(f"{shopify.url}/products/{product.handle}.js").json()
    assert answer["price"] == int(product.variants[0].price * 100)
    assert answer["variants"][0]["barcode"] == product.variants[0].gtin
    assert client.get(f"{shopify.url}/products/no-such-thing.js").status_code == 404


def test_shopify_tells_currency_and_country(shopify: DemoStore, client: httpx.Client) -> None:
    meta = client.get(f"{shopify.url}/meta.json").json()
    assert (meta["currency"], meta["country"], meta["published_products_count"]) == (
        "EUR",
        "DE",
        len(shopify.store.products),
    )
    assert client.get(f"{shopify.url}/cart.js").json()["currency"] == "EUR"


def test_shopify_permalink_replaces_the_cart(shopify: DemoStore, client: httpx.Client) -> None:
    first, second, third = [v for p in shopify.store.products for v in p.variants if v.stock > 20][:3]
    answer = client.get(f"{shopify.url}/cart/{first.id}:1")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/cart")
    client.get(f"{shopify.url}/cart/{second.id}:2,{third.id}:3")
    assert _cart(client, shopify) == {str(second.id): 2, str(third.id): 3}
    cart = client.get(f"{shopify.url}/cart.js").json()
    assert cart["item_count"] == 5
    assert cart["total_price"] == int((2 * second.price + 3 * third.price) * 100)


def test_shopify_permalink_leaves_out_unknown_variants_and_refuses_nonsense(
    shopify: DemoStore, client: httpx.Client
) -> None:
    known = next(v for p in shopify.store.products for v in p.variants if v.stock > 0)
    client.get(f"{shopify.url}/cart/{known.id}:1,99:1")
    assert "Item 99 is not sold here" in client.get(f"{shopify.url}/cart").text
    assert _cart(client, shopify) == {str(known.id): 1}
    assert client.get(f"{shopify.url}/cart/nonsense").status_code == 404


# WooCommerce


@pytest.fixture
def woocommerce(stores: dict[str, DemoStore]) -> DemoStore:
    return stores["kettle-cable"]


def _walk(client: httpx.Client, address: str, query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    page = 1
    while items := client.get(f"{address}?per_page=100&page={page}&{query}").json():
        found += items
        page += 1
    return found


def test_woocommerce_counts_pages_in_headers_and_is_empty_beyond(
    woocommerce: DemoStore, client: httpx.Client
) -> None:
    answer = client.get(f"{woocommerce.url}{API}?per_page=100&page=2&orderby=id")
    total = len(woocommerce.store.products)
    assert answer.headers["X-WP-Total"] == str(total)
    assert answer.headers["X-WP-TotalPages"] == str(-(-total // 100))
    beyond = client.get(f"{woocommerce.url}{API}?per_page=100&page=99")
    assert (beyond.status_code, beyond.json()) == (200, [])
    assert len(client.get(f"{woocommerce.url}{API}").json()) == 10


def test_woocommerce_link_header_is_broken_as_observed(woocommerce: DemoStore, client: httpx.Client) -> None:
    links = client.get(f"{woocommerce.url}{API}?page=1&per_page=5").headers.get_list("Link")
    assert f'<{woocommerce.url}{API}?page=2#038;per_page=5>; rel="next"' in links
    links = client.get(f"{woocommerce.url}{API}?per_page=20&page=1").headers.get_list("Link")
    assert f'<{woocommerce.url}{API}?per_page=20&page=2#038;page=1>; rel="next"' in links
    assert f'<{woocommerce.url}/wp-json/>; rel="https://api.w.org/"' in links


def test_woocommerce_pages_are_stable_only_when_ordered_by_id(
    woocommerce: DemoStore, client: httpx.Client
) -> None:
    address = f"{woocommerce.url}{API}"
    expected = {product.id for product in woocommerce.store.products}
    by_id = [item["id"] for item in _walk(client, address, "orderby=id&order=asc")]
    assert by_id == sorted(expected)
    by_date = [item["id"] for item in _walk(client, address, "")]
    assert len(by_date) == len(expected)
    assert set(by_date) < expected


@pytest.mark.parametrize(
    "query", ["per_page=500", "per_page=0", "page=0", "per_page=many", "orderby=mood", "type=odd"]
)
def test_woocommerce_refuses_bad_parameters(woocommerce: DemoStore, client: httpx.Client, query: str) -> None:
    answer = client.get(f"{woocommerce.url}{API}?{query}")
    name = query.split("=")[0]
    assert answer.status_code == 400
    assert answer.json()["code"] == "rest_invalid_param"
    assert list(answer.json()["data"]["params"]) == [name]


def test_woocommerce_prices_are_strings_of_cents_and_names_are_escaped(
    woocommerce: DemoStore, client: httpx.Client
) -> None:
    items = {item["id"]: item for item in _walk(client, f"{woocommerce.url}{API}", "orderby=id")}
    for product in woocommerce.store.products:
        prices = items[product.id]["prices"]
        assert prices["price"] == str(int(min(v.price for v in product.variants) * 100))
        assert (prices["currency_code"], prices["currency_minor_unit"]) == ("EUR", 2)
    names = [item["name"] for item in items.values()]
    assert any("&#038;" in name for name in names)
    assert any("&#8243;" in name for name in names)
    assert any("&lt;2 m&gt;" in name for name in names)
    sale = next(p for p in woocommerce.store.products if p.variants[0].list_price and not p.option_names)
    assert items[sale.id]["on_sale"] is True
    assert int(items[sale.id]["prices"]["regular_price"]) > int(items[sale.id]["prices"]["price"])


def test_woocommerce_lists_variations_apart_with_the_parents_name(
    woocommerce: DemoStore, client: httpx.Client
) -> None:
    parents = [p for p in woocommerce.store.products if p.option_names]
    variations = _walk(client, f"{woocommerce.url}{API}", "type=variation&orderby=id")
    assert {item["id"] for item in variations} == {v.id for p in parents for v in p.variants}
    parent = parents[0]
    own = client.get(f"{woocommerce.url}{API}?type=variation&parent={parent.id}").json()
    assert {item["parent"] for item in own} == {parent.id}
    listed = client.get(f"{woocommerce.url}{API}/{parent.id}").json()
    assert listed["type"] == "variable"
    assert {item["name"] for item in own} == {listed["name"]}
    assert {v["id"] for v in listed["variations"]} == {item["id"] for item in own}
    name, value = next(iter(parent.variants[0].options.items()))
    assert f"{name}: {value}" in {item["variation"] for item in own}


def test_woocommerce_says_who_it_is(woocommerce: DemoStore, client: httpx.Client) -> None:
    assert "wc/store/v1" in client.get(f"{woocommerce.url}/wp-json/").json()["namespaces"]
    assert 'content="WooCommerce 11.0.1"' in client.get(woocommerce.url).text
    assert client.get(f"{woocommerce.url}/?rest_route=/wc/store/v1/products").json()[0]["prices"]
    assert client.get(f"{woocommerce.url}/wp-json/wc/v3/products").status_code == 401
    assert client.get(f"{woocommerce.url}/wp-json/nothing").json()["code"] == "rest_no_route"
    assert client.get(f"{woocommerce.url}{API}/1").json()["code"] == "woocommerce_rest_product_invalid_id"
    assert "Disallow: /*?add-to-cart=" in client.get(f"{woocommerce.url}/robots.txt").text


def test_woocommerce_page_markup_has_gtin_only_on_simple_products(
    woocommerce: DemoStore, client: httpx.Client
) -> None:
    simple = next(p for p in woocommerce.store.products if not p.option_names and p.variants[0].gtin)
    markup = _markup(client.get(f"{woocommerce.url}/product/{simple.handle}/"))
    assert markup["gtin"] == simple.variants[0].gtin
    assert markup["offers"][0]["price"] == f"{simple.variants[0].price:.2f}"
    variable = next(p for p in woocommerce.store.products if p.option_names)
    page = client.get(f"{woocommerce.url}/product/{variable.handle}/")
    assert _markup(page)["offers"][0]["@type"] == "AggregateOffer"
    (form,) = html.fromstring(page.text).xpath("//form[@data-product_variations]")
    ids = [variation["variation_id"] for variation in json.loads(form.get("data-product_variations"))]
    assert ids == [variant.id for variant in variable.variants]


def test_woocommerce_checkout_link_empties_the_cart_first_and_skips_bad_ids(
    woocommerce: DemoStore, client: httpx.Client
) -> None:
    simple = next(p for p in woocommerce.store.products if not p.option_names and p.variants[0].stock > 20)
    parent = next(p for p in woocommerce.store.products if p.option_names and p.variants[0].stock > 5)
    variation = parent.variants[0]
    client.get(f"{woocommerce.url}/?add-to-cart={simple.id}&quantity=9")
    answer = client.get(
        f"{woocommerce.url}/checkout-link/?products={simple.id}:2,{variation.id}:1,{parent.id}:1,x:1"
    )
    assert (answer.status_code, answer.headers["Location"]) == (302, "/checkout/")
    page = client.get(f"{woocommerce.url}/checkout/")
    assert f"Item {parent.id} is not sold here" in page.text
    assert _cart(client, woocommerce) == {str(simple.id): 2, str(variation.id): 1}
    empty = client.get(f"{woocommerce.url}/checkout-link/?products=1:1")
    assert empty.headers["Location"] == "/cart/"
    assert "No products were added" in client.get(f"{woocommerce.url}/cart/").text
    assert _cart(client, woocommerce) == {}


def test_woocommerce_add_to_cart_link_adds_at_each_visit_but_never_a_parent(
    woocommerce: DemoStore, client: httpx.Client
) -> None:
    simple = next(p for p in woocommerce.store.products if not p.option_names and p.variants[0].stock > 20)
    parent = next(p for p in woocommerce.store.products if p.option_names)
    for _ in range(2):
        assert client.get(f"{woocommerce.url}/?add-to-cart={simple.id}&quantity=2").status_code == 200
    assert client.get(f"{woocommerce.url}/?add-to-cart={parent.id}").status_code == 200
    assert _cart(client, woocommerce) == {str(simple.id): 4}


# The classic shop


@pytest.fixture
def classic(stores: dict[str, DemoStore]) -> DemoStore:
    return stores["brightwell"]


def test_classic_sitemap_index_leads_over_a_gzipped_sitemap_to_every_product(
    classic: DemoStore, client: httpx.Client
) -> None:
    robots = client.get(f"{classic.url}/robots.txt").text
    index_address = next(line.split(": ")[1] for line in robots.splitlines() if line.startswith("Sitemap: "))
    index = etree.fromstring(client.get(index_address).content)
    address = index.xpath("string(s:sitemap[1]/s:loc)", namespaces=SITEMAP)
    answer = client.get(address)
    assert answer.headers["Content-Type"] == "application/gzip"
    assert "Content-Encoding" not in answer.headers
    sitemap = etree.fromstring(gzip.decompress(answer.content))
    locations = sitemap.xpath("s:url/s:loc/text()", namespaces=SITEMAP)
    assert locations == [f"{classic.url}/p/{product.handle}.html" for product in classic.store.products]
    assert len(sitemap.xpath("s:url/s:lastmod", namespaces=SITEMAP)) == len(locations)


def test_classic_lastmod_moves_with_a_price(classic: DemoStore, client: httpx.Client) -> None:
    def lastmods() -> list[str]:
        body = client.get(f"{classic.url}/sitemaps/products-1.xml.gz").content
        return list(
            etree.fromstring(gzip.decompress(body)).xpath("s:url/s:lastmod/text()", namespaces=SITEMAP)
        )

    before = lastmods()
    classic.control.set_price(classic.store.products[3].variants[0].sku, "77.00")
    after = lastmods()
    assert [place for place in range(len(before)) if before[place] != after[place]] == [3]
    assert after[3] > before[3]


def test_classic_page_has_one_product_in_a_graph_beside_related_ones(
    classic: DemoStore, client: httpx.Client
) -> None:
    product = next(
        p for p in classic.store.products if p.variants[0].gtin and p.variants[0].list_price and p.brand
    )
    variant = product.variants[0]
    graph = _markup(client.get(f"{classic.url}/p/{product.handle}.html"))["@graph"]
    assert [node["@type"] for node in graph] == [
        "Organization",
        "BreadcrumbList",
        "WebPage",
        "ItemList",
        "Product",
    ]
    (main,) = [node for node in graph if node["@type"] == "Product"]
    assert (main["name"], main["sku"], main["gtin13"]) == (product.title, variant.sku, variant.gtin)
    assert main["brand"]["name"] == product.brand
    assert main["offers"]["price"] == f"{variant.price:.2f}"
    assert main["offers"]["priceSpecification"][0]["price"] == f"{variant.list_price:.2f}"
    (page,) = [node for node in graph if node["@type"] == "WebPage"]
    assert page["mainEntity"]["@id"] == main["@id"]
    (more,) = [node for node in graph if node["@type"] == "ItemList"]
    assert len(more["itemListElement"]) > 0


def test_classic_cart_is_filled_by_its_form_with_a_token_only(
    classic: DemoStore, client: httpx.Client
) -> None:
    product = next(p for p in classic.store.products if p.variants[0].stock > 5)
    sku = product.variants[0].sku
    assert client.get(f"{classic.url}/basket/add?sku={sku}").status_code == 405
    assert client.post(f"{classic.url}/basket/add", data={"sku": sku}).status_code == 403
    page = html.fromstring(client.get(f"{classic.url}/p/{product.handle}.html").text)
    (form,) = page.xpath("//form[@action='/basket/add']")
    fields = {**dict(form.form_values()), "quantity": "3"}
    assert client.post(f"{classic.url}/basket/add", data=fields).status_code == 303
    assert _cart(client, classic) == {str(product.variants[0].id): 3}
    assert httpx.post(f"{classic.url}/basket/add", data=fields).status_code == 403


# The shop with microdata


@pytest.fixture
def microdata(stores: dict[str, DemoStore]) -> DemoStore:
    return stores["lindenhof"]


def test_microdata_page_has_comma_decimals_and_sometimes_no_content_attribute(
    microdata: DemoStore, client: httpx.Client
) -> None:
    dear = [p for p in microdata.store.products if p.variants[0].price >= 1000]
    shown = {states_price_as_content(product): product for product in dear}
    assert set(shown) == {True, False}
    for with_content, product in shown.items():
        page = client.get(f"{microdata.url}/artikel/{product.id}/{product.handle}")
        assert "application/ld+json" not in page.text
        (offer,) = html.fromstring(page.text).xpath(
            "//article[@itemtype='https://schema.org/Product']/*[@itemprop='offers']"
        )
        (price,) = offer.xpath(".//*[@itemprop='price']")
        amount = product.variants[0].price
        assert price.text == f"{amount:,.2f}".translate(str.maketrans(",.", ".,")) + "\u00a0€"
        assert price.get("content") == (f"{amount:.2f}" if with_content else None)
        stock = "InStock" if product.variants[0].stock else "OutOfStock"
        assert offer.xpath(".//link[@itemprop='availability']/@href") == [f"https://schema.org/{stock}"]


def test_microdata_address_is_decided_by_its_number(microdata: DemoStore, client: httpx.Client) -> None:
    product = microdata.store.products[0]
    moved = client.get(f"{microdata.url}/artikel/{product.id}/old-name")
    assert (moved.status_code, moved.headers["Location"]) == (301, f"/artikel/{product.id}/{product.handle}")
    assert client.get(f"{microdata.url}/artikel/99999999/old-name").status_code == 404


def test_microdata_sitemap_is_plain_and_whole(microdata: DemoStore, client: httpx.Client) -> None:
    sitemap = etree.fromstring(client.get(f"{microdata.url}/sitemap.xml").content)
    assert len(sitemap.xpath("s:url/s:loc", namespaces=SITEMAP)) == len(microdata.store.products)


# The merchant feed


@pytest.fixture
def feed_store(stores: dict[str, DemoStore]) -> DemoStore:
    return stores["pixel-parcel"]


def _feed_items(client: httpx.Client, store: DemoStore) -> list[dict[str, str]]:
    rss = etree.fromstring(client.get(f"{store.url}/feed.xml").content)
    return [
        {etree.QName(node).localname: node.text or "" for node in item} for item in rss.xpath("channel/item")
    ]


def test_feed_has_an_item_for_every_variant_with_googles_attributes(
    feed_store: DemoStore, client: httpx.Client
) -> None:
    items = {item["id"]: item for item in _feed_items(client, feed_store)}
    variants = {v.sku: (p, v) for p in feed_store.store.products for v in p.variants}
    assert set(items) == set(variants)
    for sku, (product, variant) in variants.items():
        item = items[sku]
        assert item["price"] == f"{variant.list_price or variant.price:.2f} EUR"
        assert item.get("sale_price") == (f"{variant.price:.2f} EUR" if variant.list_price else None)
        assert item.get("gtin") == variant.gtin
        assert ("item_group_id" in item) is bool(product.option_names)
        assert item["availability"].replace(" ", "_") == ("in_stock" if variant.stock else "out_of_stock")
        assert len(item["title"]) <= 150
    assert {item["availability"] for item in items.values()} == {
        "in stock",
        "in_stock",
        "out of stock",
        "out_of_stock",
    }


def test_feed_states_its_shipping(feed_store: DemoStore, client: httpx.Client) -> None:
    rss = etree.fromstring(client.get(f"{feed_store.url}/feed.xml").content)
    prices = rss.xpath("channel/item/g:shipping/g:price/text()", namespaces=GOOGLE)
    assert set(prices) == {"3.95 EUR"}


def test_feed_answers_304_until_something_changes(feed_store: DemoStore, client: httpx.Client) -> None:
    address = f"{feed_store.url}/feed.xml"
    first = client.get(address)
    assert client.get(address, headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
    since = {"If-Modified-Since": first.headers["Last-Modified"]}
    assert client.get(address, headers=since).status_code == 304
    feed_store.control.set_price(feed_store.store.products[0].variants[0].sku, "1.23")
    assert client.get(address, headers=since).status_code == 200
    changed = client.get(address, headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != first.headers["ETag"]


def test_feed_checkout_template_adds_to_the_cart(feed_store: DemoStore, client: httpx.Client) -> None:
    first, second = [v for p in feed_store.store.products for v in p.variants if v.stock > 20][:2]
    item = next(item for item in _feed_items(client, feed_store) if item["id"] == first.sku)
    template = item["checkout_link_template"]
    assert template == f"{feed_store.url}/checkout/add?id={{id}}&qty={{quantity}}"
    for variant, quantity in ((first, 2), (second, 1), (first, 1)):
        link = template.replace("{id}", variant.sku).replace("{quantity}", str(quantity))
        assert client.get(link).status_code == 302
    assert _cart(client, feed_store) == {str(first.id): 3, str(second.id): 1}
    assert client.get(f"{feed_store.url}/checkout/add?id=nothing").status_code == 404


def test_feed_is_announced_on_the_home_page(feed_store: DemoStore, client: httpx.Client) -> None:
    links = html.fromstring(client.get(feed_store.url).text).xpath(
        "//link[@type='application/rss+xml']/@href"
    )
    assert links == ["/feed.xml"]
    assert feed_store.address == f"{feed_store.url}/feed.xml"
