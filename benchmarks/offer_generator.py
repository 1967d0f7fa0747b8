"""A catalogue of any size from real titles: `python -m benchmarks.offer_generator --offers 1000000 --output FILE`.

Products are real ones under new codes, series, sizes and colours; offers word them as stores do: house styles,
other order, missing, added and misspelt words, units written differently, brand moved or left out. The same
arguments give the same files. What is stated as a share is counted and printed.
"""

from __future__ import annotations

import argparse
import bisect
import itertools
import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from benchmarks.product_families import GeneratedProduct, ProductMaker
from benchmarks.store_styles import StoreStyle, invent_styles, write_title
from benchmarks.title_patterns import read_patterns

COLUMNS = (
    "offer_id",
    "store",
    "title",
    "brand",
    "mpn",
    "gtin",
    "price",
    "currency",
    "description",
    "category",
)
SINGLETON_SHARE = 0.45  # of products; the others have 2 to 30 offers, ever fewer with ever more
MOST_OFFERS = 30
NAMED_SHARE = 0.18  # of families whose products have a name and no model number
LOST_CODE_SHARE = 0.12  # of offers whose product has a model number and a name, and that state the name only
SLIP_SHARE = 0.01  # of offers in which even what tells the product from others may be dropped or misspelt
GTIN_SHARE = 0.6  # of products that have one; 30 % of stores state it
WRONG_GTIN_SHARE = 0.003  # of the stated ones: another product's


@dataclass(frozen=True, slots=True)
class GeneratedOffers:
    """`offers` in the matcher's columns, `truth` (offer_id, cluster_id), rows in one random order; `shares` counted."""

    offers: pa.Table
    truth: pa.Table
    shares: dict[str, float]


def generate(
    offers: int, *, seed: int = 1, titles: Path | None = None, stores: int | None = None
) -> GeneratedOffers:
    """Exactly `offers` rows from the titles under `titles` or the demo stores' catalogues.

    Without `stores` there are as many as an aggregator of that size has, and few list a product twice. Fewer than
    31 list products again and again, as big marketplaces do.
    """
    return _Generator(offers, seed, titles, stores).run()


class _Generator:
    def __init__(self, offers: int, seed: int, titles: Path | None, stores: int | None) -> None:
        self._wanted = offers
        self._chance = random.Random(seed)
        self._seed = seed
        self._maker = ProductMaker(read_patterns(titles), self._chance, named_share=NAMED_SHARE)
        self._stores = invent_styles(stores or min(1000, max(MOST_OFFERS + 10, offers // 100)), self._chance)
        self._store_ends = list(
            itertools.accumulate(1 / (rank + 10) ** 0.7 for rank in range(len(self._stores)))
        )
        self._size_ends = list(itertools.accumulate(size**-1.9 for size in range(2, MOST_OFFERS + 1)))
        self._columns: dict[str, list[str]] = {name: [] for name in (*COLUMNS, "cluster_id")}
        self._tables: list[pa.Table] = []
        self._made = 0
        self._products = 0
        self._last_gtin = ""
        self._counted = dict.fromkeys(
            ("without_model_number", "with_gtin", "wrong_gtin", "with_mpn", "singletons"), 0
        )

    def run(self) -> GeneratedOffers:
        while self._made < self._wanted:
            price = min(9000.0, max(3.0, self._chance.lognormvariate(4.6, 1.1)))
            for product in self._maker.family():
                self._offer(product, price * self._chance.uniform(0.8, 1.4))
        self._flush()
        table = pa.concat_tables(self._tables)[: self._wanted]
        order = np.random.default_rng(self._seed).permutation(len(table))
        table = table.take(pa.array(order))
        table = table.set_column(0, "offer_id", pa.array([f"o{number}" for number in range(len(table))]))
        shares = {name: times / self._made for name, times in self._counted.items() if name != "singletons"}
        shares["singleton_products"] = self._counted["singletons"] / self._products
        shares["products"] = self._products
        shares["stores"] = len(self._stores)
        return GeneratedOffers(table.select(list(COLUMNS)), table.select(["offer_id", "cluster_id"]), shares)

    def _offer(self, product: GeneratedProduct, price: float) -> None:
        chance = self._chance
        cluster = f"p{self._products}"
        self._products += 1
        count = 1 if chance.random() < SINGLETON_SHARE else 2 + self._pick(self._size_ends)
        self._counted["singletons"] += count == 1
        gtin = self._new_gtin() if chance.random() < GTIN_SHARE else ""
        seen: list[int] = []
        while len(seen) < count:
            place = self._pick(self._store_ends)
            if place in seen and len(self._stores) > MOST_OFFERS:
                continue
            seen.append(place)
            store = self._stores[place]
            for _ in range(2 if store.lists_twice and chance.random() < 0.15 else 1):
                self._row(product, store, cluster, price, gtin)
        if gtin:
            self._last_gtin = gtin

    def _row(
        self, product: GeneratedProduct, store: StoreStyle, cluster: str, price: float, gtin: str
    ) -> None:
        chance = self._chance
        is_codeless = product.may_lose_code and chance.random() < LOST_CODE_SHARE
        slips = chance.random() < SLIP_SHARE
        title = write_title(
            chance.choice(product.wordings),
            store,
            chance,
            kept=() if slips else product.kept,
            with_code=not is_codeless,
        )
        mpn = product.model if store.fills_mpn and not is_codeless and chance.random() < 0.8 else ""
        stated = gtin if store.fills_gtin else ""
        if stated and self._last_gtin and chance.random() < WRONG_GTIN_SHARE:
            stated = self._last_gtin
            self._counted["wrong_gtin"] += 1
        asked = price * store.price_level * chance.uniform(0.94, 1.06)
        if len(self._columns["title"]) >= 100_000:
            self._flush()
        for name, value in (
            ("offer_id", ""),
            ("store", store.name),
            ("title", title),
            ("brand", product.brand if store.fills_brand else ""),
            ("mpn", mpn),
            ("gtin", stated.zfill(store.gtin_digits) if stated else ""),
            ("price", f"{asked * (1.08 if store.currency == 'USD' else 1):.2f}"),
            ("currency", store.currency),
            ("description", ""),
            ("category", product.category if store.fills_brand else ""),
            ("cluster_id", cluster),
        ):
            self._columns[name].append(value)
        self._made += 1
        self._counted["without_model_number"] += is_codeless or not product.model
        self._counted["with_gtin"] += bool(stated)
        self._counted["with_mpn"] += bool(mpn)

    def _pick(self, ends: list[float]) -> int:
        return bisect.bisect(ends, self._chance.random() * ends[-1])

    def _new_gtin(self) -> str:
        """A number of GS1's demonstration prefix, with its check digit (GS1 General Specifications, 7.9)."""
        body = f"952{self._products % 10**9:09d}"
        weighed = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(body))
        return f"{body}{-weighed % 10}"

    def _flush(self) -> None:
        self._tables.append(
            pa.table({name: pa.array(values, pa.string()) for name, values in self._columns.items()})
        )
        for values in self._columns.values():
            values.clear()


def write_table(table: pa.Table, path: Path) -> None:
    """CSV or, by the ending `.parquet`, Parquet."""
    if path.suffix == ".parquet":
        parquet.write_table(table, path, row_group_size=100_000)
    else:
        csv.write_csv(table, path, csv.WriteOptions(quoting_style="needed"))


def main() -> int:
    """Write the offers and their truth; say what they hold on standard error."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--offers", type=int, default=35_000)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument(
        "--titles", type=Path, help="folder of folders with offers.csv and truth.csv; else the demo's"
    )
    arguments.add_argument(
        "--stores", type=int, help="fewer than 31 list products twice; else as many as usual"
    )
    arguments.add_argument("--output", type=Path, required=True, help="offers, .csv or .parquet")
    arguments.add_argument("--truth", type=Path, help="offer_id,cluster_id, .csv or .parquet")
    options: Any = arguments.parse_args()
    made = generate(options.offers, seed=options.seed, titles=options.titles, stores=options.stores)
    write_table(made.offers, options.output)
    if options.truth:
        write_table(made.truth, options.truth)
    for name, value in made.shares.items():
        print(f"{name:22} {value:,.4g}" if value < 1 else f"{name:22} {value:,.0f}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
