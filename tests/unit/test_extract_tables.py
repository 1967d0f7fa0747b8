"""Tables of saved answers, price texts and product numbers, read in bulk."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from aggregator.domain.errors import InvalidInput
from spiders.extract_tables import read_api_manifest, read_gtins, read_prices
from tests.unit.store_answers import CASSETTES
from tests.unit.test_mutations import mutate, no_hang


def written(path: Path, *lines: object) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def table(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def predictions(folder: Path, *lines: dict[str, Any]) -> list[dict[str, Any]]:
    for line in lines:
        shutil.copytree(
            CASSETTES / line["file"].split("/")[0], folder / line["file"].split("/")[0], dirs_exist_ok=True
        )
    output = folder / "predictions.jsonl"
    read_api_manifest(written(folder / "api.jsonl", *lines), output)
    return table(output)


@pytest.mark.parametrize(
    ("platform", "file", "count", "first"),
    [
        ("shopify", "shopify/products.json", 3, ("18.50", "EUR", "TM-R3")),
        ("woocommerce_store", "woocommerce/product.json", 1, None),
        ("magento_graphql", "magento/products.json", 6, ("49.95", "EUR", "PT-100")),
        ("bigcommerce", "bigcommerce/products.json", 4, ("39.00", "EUR", "TOWEL-B")),
        ("prestashop", "prestashop/product.xml", 1, ("12.50", "EUR", "PS-7")),
        ("bestbuy", "bestbuy/products.json", 2, ("149.99", "USD", "5550001")),
        ("google_feed", "merchant_feed/feed.xml", 3, None),
        ("merchant_feed", "merchant_feed/awin.csv", 2, ("89.90", "EUR", "AW-1")),
        ("medusa", "medusa/products.json", None, None),
        ("vendure", "vendure/products.json", None, None),
        ("ebay_browse", "ebay/search.json", None, None),
        ("walmart", "walmart/search.json", None, None),
        ("etsy", "etsy/listings.json", None, None),
        ("amazon", "amazon/search.json", None, None),
    ],
)
def test_each_platforms_saved_answers_are_read_as_its_live_ones(
    tmp_path: Path, platform: str, file: str, count: int | None, first: tuple[str, str, str] | None
) -> None:
    (line,) = predictions(tmp_path, {"file": file, "platform": platform, "shop_currency_hint": "EUR"})
    assert "error" not in line
    assert line["offers"]
    assert count in (None, len(line["offers"]))
    if first is not None:
        read = line["offers"][0]
        assert (read["price"], read["price_currency"], read["sku"]) == first


def test_a_product_of_several_variants_is_also_told_as_it_is_listed(tmp_path: Path) -> None:
    (line,) = predictions(tmp_path, {"file": "magento/products.json", "platform": "magento"})
    group = line["offers"][-1]
    assert (group["sku"], group["name"], group["price"], group["price_kind"], group["is_group"]) == (
        "PT-200", "Trail Jacket", "119.00", "from", True,
    )  # fmt: skip
    assert line["offers"][-2]["problem"] == "grouped_product"
    assert [row["reason"] for row in line["quarantined"]] == ["no_id"]


def test_an_unknown_currency_is_null_and_stays_an_offer(tmp_path: Path) -> None:
    (line,) = predictions(tmp_path, {"file": "bigcommerce/products.json", "platform": "bigcommerce"})
    towel = line["offers"][0]
    assert (towel["price"], towel["price_currency"], towel["problem"]) == ("39", None, "no_currency")
    assert [row["reason"] for row in line["quarantined"]] == ["hidden_price"]


def test_an_item_without_a_link_is_told_with_its_problem_and_one_without_title_or_price_is_not(
    tmp_path: Path,
) -> None:
    rows = "id,title,link,price\n1,Kettle,,5.00 EUR\n2,,https://shop.example/2,5.00 EUR\n3,Mug,https://shop.example/3,\n"
    (tmp_path / "feed.csv").write_text(rows, encoding="utf-8")
    output = tmp_path / "out.jsonl"
    read_api_manifest(written(tmp_path / "m.jsonl", {"file": "feed.csv", "platform": "google_feed"}), output)
    (line,) = table(output)
    assert [(row["name"], row["price"], row["problem"]) for row in line["offers"]] == [
        ("Kettle", "5.00", "no_link")
    ]
    assert [(row["sku"], row["reason"]) for row in line["quarantined"]] == [
        ("2", "no_title"),
        ("3", "no_price"),
    ]


def test_half_a_character_does_not_end_the_run(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"sku": 7, "name": "Half \\ud800 lamp"}', encoding="utf-8")
    output = tmp_path / "out.jsonl"
    read_api_manifest(written(tmp_path / "m.jsonl", {"file": "a.json", "platform": "bestbuy"}), output)
    assert table(output)[0]["quarantined"][0]["name"] == "Half ? lamp"


def test_a_product_sold_as_variants_only_is_told_by_its_lowest_price(tmp_path: Path) -> None:
    prices = {"price": "1500", "currency_code": "EUR", "currency_minor_unit": 2}
    product = {
        "id": 5,
        "type": "variable",
        "name": "Cap",
        "sku": "CAP",
        "prices": prices,
        "permalink": "https://x.example/c",
    }
    (tmp_path / "woo.json").write_text(json.dumps(product), encoding="utf-8")
    output = tmp_path / "out.jsonl"
    read_api_manifest(written(tmp_path / "m.jsonl", {"file": "woo.json", "platform": "woocommerce"}), output)
    (row,) = table(output)[0]["offers"]
    assert (row["price"], row["price_kind"], row["problem"]) == ("15.00", "from", "sold_as_variants")


def test_what_cannot_be_read_gives_an_error_and_the_run_goes_on(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{", encoding="utf-8")
    lines = [
        {"file": "shopify/products.json", "platform": "tin_can"},
        {"file": "shopify/none.json", "platform": "shopify"},
        {"file": "shopify/products.json"},
        {"file": "shopify/products.json", "platform": "shopify", "shop_currency_hint": 7},
    ]
    read = predictions(tmp_path, *lines)
    assert [bool(line.get("error")) for line in read] == [True, True, True, False]
    assert [line["offers"] == [] for line in read] == [True, True, True, False]
    read_api_manifest(
        written(tmp_path / "m.jsonl", {"file": "broken.json", "platform": "shopify"}), tmp_path / "out.jsonl"
    )
    assert "is not the JSON" in table(tmp_path / "out.jsonl")[0]["error"]


def test_prices_keep_their_line_and_gain_what_was_read(tmp_path: Path) -> None:
    lines = [{"text": "1 849,50 Kč", "hint": None, "n": 1}, {"text": "$ 5", "hint": "Price"}, {"text": None}]
    read_prices(written(tmp_path / "prices.jsonl", *lines), tmp_path / "out.jsonl")
    assert table(tmp_path / "out.jsonl") == [
        {**lines[0], "got_amount": "1849.50", "got_currency": "Kč", "got_iso": "CZK"},
        {**lines[1], "got_amount": "5", "got_currency": "$", "got_iso": None},
        {**lines[2], "got_amount": None, "got_currency": None, "got_iso": None},
    ]


def test_numbers_of_works_have_a_kind_and_no_value(tmp_path: Path) -> None:
    lines = [{"text": "EAN 4006381333931"}, {"text": "2434-561X"}, {"text": "WH-1000"}, {}]
    read_gtins(written(tmp_path / "gtin.jsonl", *lines), tmp_path / "out.jsonl")
    assert [(line["got_kind"], line["got_value"]) for line in table(tmp_path / "out.jsonl")] == [
        ("gtin13", "4006381333931"), ("issn", None), (None, None), (None, None),
    ]  # fmt: skip


def test_a_table_that_is_none_says_where(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"text": "1"}\n[1]\n', encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"x\.jsonl:2: is no JSON object"):
        read_prices(tmp_path / "x.jsonl", tmp_path / "out.jsonl")
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_gtins(tmp_path / "none.jsonl", tmp_path / "out.jsonl")


SAVED = sorted(
    path
    for name in (
        "shopify",
        "woocommerce",
        "magento",
        "bigcommerce",
        "prestashop",
        "bestbuy",
        "merchant_feed",
        "vendure",
    )
    for path in (CASSETTES / name).iterdir()
    if path.suffix != ".md"
)


def damage_saved(folder: Path, seed: int, count: int) -> None:
    rng = random.Random(seed)
    lines = []
    for number in range(count):
        path = rng.choice(SAVED)
        (folder / str(number)).write_bytes(mutate(path.read_bytes(), rng))
        lines.append({"file": str(number), "platform": path.parent.name, "shop_currency_hint": "EUR"})
    with no_hang(f"saved answers, seed {seed}"):
        read_api_manifest(written(folder / "m.jsonl", *lines), folder / "out.jsonl")
    assert [line["file"] for line in table(folder / "out.jsonl")] == [line["file"] for line in lines]


def test_a_sample_of_damaged_saved_answers_gives_offers_quarantined_rows_or_an_error(tmp_path: Path) -> None:
    damage_saved(tmp_path, 3, 400)


@pytest.mark.prove
@pytest.mark.parametrize("chunk", range(20))
def test_ten_thousand_damaged_saved_answers_do_no_harm(tmp_path: Path, chunk: int) -> None:
    damage_saved(tmp_path, 3000 + chunk, 500)
