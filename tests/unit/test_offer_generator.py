"""The generated catalogue: exact size, the same for the same seed, products that their titles tell apart."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest
from pyarrow import parquet

from aggregator.domain.identifiers import read_gtin
from benchmarks.offer_generator import COLUMNS, GeneratedOffers, generate, write_table
from matcher.files import read_offers


@pytest.fixture(scope="module")
def made() -> GeneratedOffers:
    return generate(3000, seed=7)


def test_it_makes_exactly_the_offers_that_were_asked_for(made: GeneratedOffers) -> None:
    assert made.offers.column_names == list(COLUMNS)
    assert len(made.offers) == len(made.truth) == 3000
    assert made.truth.column("offer_id").equals(made.offers.column("offer_id"))


def test_the_same_seed_makes_the_same_offers(made: GeneratedOffers) -> None:
    assert generate(3000, seed=7).offers.equals(made.offers)
    assert not generate(3000, seed=8).offers.equals(made.offers)


def test_stated_shares_are_near_what_is_counted(made: GeneratedOffers) -> None:
    assert made.shares["without_model_number"] == pytest.approx(0.15, abs=0.05)
    assert made.shares["singleton_products"] == pytest.approx(0.45, abs=0.05)


def test_hardly_a_title_belongs_to_two_products(made: GeneratedOffers) -> None:
    products = defaultdict(set)
    for title, cluster in zip(made.offers.column("title"), made.truth.column("cluster_id"), strict=True):
        products[title.as_py()].add(cluster.as_py())
    shared = sum(len(clusters) > 1 for clusters in products.values())
    assert shared / len(products) < 0.005


def test_bar_codes_have_right_check_digits(made: GeneratedOffers) -> None:
    stated = [gtin for gtin in made.offers.column("gtin").to_pylist() if gtin]
    assert len(stated) > 100
    assert all(read_gtin(gtin) for gtin in stated)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_the_matcher_reads_what_is_written(made: GeneratedOffers, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"offers.{ending}"
    write_table(made.offers, path)
    records = read_offers(path)
    assert [record.title for record in records] == made.offers.column("title").to_pylist()
    if ending == "parquet":
        assert parquet.read_table(path).equals(made.offers)


def test_a_few_stores_list_products_again_and_again() -> None:
    made = generate(1500, seed=3, stores=4)
    rows = list(
        zip(made.offers.column("store").to_pylist(), made.truth.column("cluster_id").to_pylist(), strict=True)
    )
    assert len({store for store, _ in rows}) == 4
    assert len(set(rows)) < 0.8 * len(rows)
