"""The committed catalogues of the demo stores hold what the demo needs, and nothing that would give the game away."""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal

import pytest
from stdnum import ean

from fixtures.demo.catalogue import Product, Variant, read_catalogue
from fixtures.demo.catalogue_build.gtins import shared_gtins
from fixtures.demo.catalogue_build.invention import demonstration_gtin
from fixtures.demo.catalogue_build.sources import SourceOffer
from fixtures.demo.catalogue_build.wording import (
    is_german,
    read_brand,
    read_capacity,
    read_colours,
    read_model,
    repair_german,
    restyle,
)
from fixtures.demo.profiles import read_profiles

SLUGS = [profile.slug for profile in read_profiles()]
OFFERS = [
    (slug, product, variant)
    for slug in SLUGS
    for product in read_catalogue(slug)
    for variant in product.variants
]


def test_the_five_stores_offer_about_three_thousand_real_offers() -> None:
    assert len(SLUGS) == 5
    assert 2_500 <= len(OFFERS) <= 3_500
    counts = Counter(slug for slug, _, _ in OFFERS)
    assert max(counts.values()) < 1.1 * min(counts.values())


def test_several_hundred_products_are_sold_by_three_stores_or_more_under_different_wording() -> None:
    titles: dict[str, dict[str, str]] = defaultdict(dict)
    for slug, product, variant in OFFERS:
        if not variant.source.startswith("invented/"):
            titles[variant.cluster][slug] = product.title_of(variant)
    widely = [by_store for by_store in titles.values() if len(by_store) >= 3]
    assert len(widely) >= 400
    assert all(len(set(by_store.values())) >= 3 for by_store in widely)


@pytest.mark.parametrize("slug", SLUGS)
def test_a_store_sells_a_product_once(slug: str) -> None:
    clusters = Counter(variant.cluster for product in read_catalogue(slug) for variant in product.variants)
    assert [cluster for cluster, count in clusters.items() if count > 1] == []


@pytest.mark.parametrize("slug", SLUGS)
def test_addresses_ids_and_skus_are_unique_within_a_store(slug: str) -> None:
    products = read_catalogue(slug)
    variants = [variant for product in products for variant in product.variants]
    assert len({product.handle for product in products}) == len(products)
    assert len({product.id for product in products}) == len(products)
    assert len({variant.id for variant in variants}) == len(variants)
    assert len({variant.sku for variant in variants}) == len(variants)


def test_at_most_a_third_of_the_offers_has_a_gtin_all_valid_and_from_the_demonstration_prefix() -> None:
    gtins = [variant.gtin for _, _, variant in OFFERS if variant.gtin is not None]
    assert len(OFFERS) / 5 < len(gtins) <= len(OFFERS) / 3
    assert all(ean.is_valid(gtin) and gtin.startswith("952") and len(gtin) == 13 for gtin in gtins)


def test_offers_share_a_gtin_only_where_brand_and_model_are_the_same() -> None:
    articles: dict[str, set[tuple[str | None, str | None]]] = defaultdict(set)
    for _, product, variant in OFFERS:
        if variant.gtin is not None:
            articles[variant.gtin].add((product.brand, variant.model))
    assert all(len(names) == 1 for names in articles.values())


def test_a_gtin_never_depends_on_the_cluster() -> None:
    offers = [_source_offer(number, title) for number, title in enumerate(_TITLES)]
    elsewhere = [
        _source_offer(number, title, cluster=f"other/{number}") for number, title in enumerate(_TITLES)
    ]
    assert shared_gtins(offers) == shared_gtins(elsewhere)
    assert len(shared_gtins(offers)) > 0


def test_only_some_stores_have_variants_and_their_options_differ() -> None:
    families = {slug: [p for p in read_catalogue(slug) if p.option_names] for slug in SLUGS}
    assert {slug for slug, found in families.items() if found} == {"fernway", "kettle-cable", "pixel-parcel"}
    for products in families.values():
        for product in products:
            values = [tuple(variant.options.values()) for variant in product.variants]
            assert len(values) == len(set(values)) >= 2


def test_edge_cases_are_there() -> None:
    titles = {product.title for _, product, _ in OFFERS}
    assert max(len(title) for title in titles) == 180
    assert any("سماعات" in title for title in titles)
    assert any("&" in title and "<" in title for title in titles)
    assert any("™" in title for title in titles)
    assert any(not product.has_picture for _, product, _ in OFFERS)
    assert any(variant.stock == 0 for _, _, variant in OFFERS)
    assert any(variant.list_price is not None for _, _, variant in OFFERS)


def test_prices_are_whole_cents_and_below_their_list_price() -> None:
    for _, _, variant in OFFERS:
        assert variant.price > 0
        assert variant.price == variant.price.quantize(Decimal("0.01"))
        assert variant.list_price is None or variant.list_price > variant.price


def test_each_offer_names_its_source() -> None:
    datasets = Counter(variant.source.split("/")[0] for _, _, variant in OFFERS)
    assert set(datasets) == {"abt-buy", "amazon-google", "pricerunner-dev", "invented"}
    assert datasets["invented"] == 9


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            "intel core i7 6800k processor 3.4 ghz box 15 mb smart cache",
            "Intel Core i7-6800K Processor 3.4 GHz Box 15 MB Smart Cache",
        ),
        (
            "panasonic nn ct555wbpq microwave 27l 1000w white",
            "Panasonic NN CT555WBPQ Microwave 27L 1000W White",
        ),
        ("siemens kg36nhi32/kg36nhi32", "Siemens KG36NHI32"),
        (
            "Samsung 32' Series 6 LCD Black Flat Panel HDTV - LN32A650",
            'Samsung 32" Series 6 LCD Black Flat Panel HDTV - LN32A650',
        ),
        ("hotpoint fridge freezer frost free a", "Hotpoint Fridge Freezer Frost Free A"),
    ],
)
def test_titles_are_restyled_as_a_shop_writes_them(source: str, expected: str) -> None:
    assert restyle(source) == expected


def test_a_screen_size_gets_its_inch_sign_back() -> None:
    assert (
        restyle("samsung ue49nu7100 49 ultra hd smart tv", screen=True)
        == 'Samsung UE49NU7100 49" Ultra HD Smart TV'
    )
    assert (
        restyle("samsung ue49nu7100 49 inch smart tv", screen=True) == "Samsung UE49NU7100 49 Inch Smart TV"
    )


def test_lost_umlauts_come_back_and_unknown_ones_are_refused() -> None:
    assert is_german("bosch geschirrsp ler wei smv46")
    assert repair_german("bosch geschirrsp ler wei smv46") == "bosch geschirrspüler weiß smv46"
    assert repair_german("bosch einbau w rmeschublade h he") is None


@pytest.mark.parametrize(
    ("title", "brand", "model"),
    [
        ("Sony Turntable - PSLX350H", "Sony", "PSLX350H"),
        ("Canon EOS 50D Body Only - 2807B006", "Canon", "2807B006"),
        ("bosch kis87ad40", "Bosch", "KIS87AD40"),
        ("lg 49 inch 1080p led tv 60hz 1000w", "LG", None),
        ("math success deluxe 2006", None, None),
    ],
)
def test_brand_and_model_are_read_from_the_title_alone(
    title: str, brand: str | None, model: str | None
) -> None:
    assert (read_brand(title), read_model(title)) == (brand, model)


def test_colour_and_memory_size_are_read_from_the_title() -> None:
    assert read_colours("Apple 8GB Green iPod, stainless steel back") == ("Green", "Stainless steel")
    assert read_capacity("Transcend 4 GB card") == "4 GB"
    assert read_capacity("Transcend 4GB and 8GB cards") is None


def test_demonstration_gtins_have_a_valid_check_digit() -> None:
    assert all(ean.is_valid(demonstration_gtin(number)) for number in range(100_000_000, 100_000_050))


_TITLES = [
    f"Sony Camera {model}"
    for model in ("DSCW120X", "DSCW150X", "KDL46Z41", "STRDE197", "MDREX55B", "NPFH100A")
]


def _source_offer(number: int, title: str, cluster: str = "same") -> SourceOffer:
    return SourceOffer(f"abt-buy/{number}", "abt-buy", "shop", title, None, cluster, "")


def test_a_variant_is_worded_with_its_options() -> None:
    variant = Variant(1, "S", Decimal(1), None, 1, None, None, {"Colour": "Red"}, "s", "c")
    product = Product(1, "h", "Kettle", None, ("Kitchen",), True, (variant,))
    assert product.title_of(variant) == "Kettle - Red"
