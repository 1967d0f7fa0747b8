"""Search over a million products, made of real titles: p50 and p95 of one page with its facets."""

from __future__ import annotations

import argparse
import random
from decimal import Decimal

from sqlalchemy import text

from aggregator.catalog.search import search_products
from aggregator.db.copy import copy_rows
from aggregator.domain.products import SearchQuery
from aggregator.domain.search_words import search_vector
from benchmarks.scratch import Stopwatch, percentiles, print_table, scratch_database
from fixtures.demo.catalogue import CATALOGUES, read_catalogue

COLUMNS = (
    "public_id", "title", "brand", "category", "updated_at", "offer_count", "store_count", "store_ids",
    "is_available", "lowest_price", "lowest_price_currency", "search_vector",
)  # fmt: skip


def all_titles() -> list[str]:
    """Every title that the demo stores show."""
    return sorted(
        {product.title for path in CATALOGUES.glob("*.jsonl") for product in read_catalogue(path.stem)}
    )


def products(count: int, rng: random.Random) -> list[tuple[object, ...]]:
    """Rows of products: a real title with one word swapped and a number of its own, real-looking facets."""
    titles = all_titles()
    words = sorted({word for title in titles for word in title.split() if word.isalpha() and len(word) > 2})
    brands = [f"Brand {number}" for number in range(2_000)]
    rows = []
    for number in range(count):
        parts = rng.choice(titles).split()
        parts[rng.randrange(len(parts))] = rng.choice(words)
        title = " ".join([*parts, f"{rng.choice('ABCDEFGHKLMN')}{number:06d}"])
        brand = brands[min(int(rng.expovariate(0.01)), 1_999)]
        stores = rng.sample(range(1, 41), min(1 + int(rng.expovariate(0.8)), 10))
        rows.append(
            (
                f"p{number:011d}",
                title,
                brand,
                f"Category {min(int(rng.expovariate(0.05)), 199)}",
                "2026-01-01T00:00:00+00:00",
                len(stores),
                len(stores),
                "{" + ",".join(map(str, stores)) + "}",
                rng.random() < 0.9,
                Decimal(int(rng.lognormvariate(4, 1) * 100)).scaleb(-2),
                "EUR",
                search_vector(title, brand, None, []),
            )
        )
    return rows


def queries(count: int, rng: random.Random) -> list[SearchQuery]:
    """One to three words of real titles, half of them with a filter or another order."""
    titles = all_titles()
    made = []
    for _ in range(count):
        words = [word for word in rng.choice(titles).split() if word.isalnum() and len(word) > 2] or ["tv"]
        chosen = " ".join(rng.sample(words, min(rng.randint(1, 3), len(words))))
        kind = rng.randrange(4)
        made.append(
            SearchQuery(
                text=chosen,
                max_price=Decimal(80) if kind == 1 else None,
                sorting="price" if kind == 2 else "relevance",
                brands=("Brand 1", "Brand 7") if kind == 3 else (),
            )
        )
    return made


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=200)
    arguments = parser.parse_args()
    rng = random.Random(7)
    with scratch_database() as sessions:
        with sessions.begin() as session:
            copy_rows(
                session,
                "stores",
                ("public_id", "slug", "name", "url", "platform", "crawl_interval"),
                (
                    (f"s{number}", f"s{number}", f"Store {number}", "https://s.example", "generic", 60)
                    for number in range(1, 41)
                ),
            )
        with Stopwatch() as loading:
            for _ in range(0, arguments.products, 50_000):
                with sessions.begin() as session:
                    rows = products(min(50_000, arguments.products), rng)
                    shift = session.scalar(text("select count(*) from products")) or 0
                    copy_rows(session, "products", COLUMNS, ((f"{shift}{row[0]}", *row[1:]) for row in rows))
        with sessions.kw["bind"].connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("vacuum analyze products"))
        with sessions() as session:
            asked = queries(arguments.queries, rng)
            for query in asked[:20]:
                search_products(session, query)
            seconds, found = [], []
            for query in asked:
                with Stopwatch() as watch:
                    found.append(search_products(session, query).total)
                seconds.append(watch.wall)
    p50, p95 = percentiles(seconds)
    found.sort()
    print_table(
        f"Search over {arguments.products:,} products: a page of 24 with total and three facets",
        ("queries", "p50 ms", "p95 ms", "hits p50", "hits p95"),
        [(len(asked), f"{p50:.1f}", f"{p95:.1f}", found[len(found) // 2], found[int(len(found) * 0.95)])],
        note=f"Loaded in {loading.wall:.0f} s.",
    )


if __name__ == "__main__":
    main()
