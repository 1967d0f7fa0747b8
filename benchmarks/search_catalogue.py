"""A million products for search benchmarks: real titles with a word exchanged and a number of their own."""

from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from itertools import islice

from sqlalchemy import text

from aggregator.db.copy import copy_rows
from aggregator.db.session import Sessions
from aggregator.domain.search_words import search_vector
from aggregator.domain.taxonomy import category_of
from fixtures.demo.catalogue import CATALOGUES, read_catalogue

STORES = 40
BRANDS = 2_000
_MOMENT = "2026-01-01T00:00:00+00:00"
_AT_ONCE = 50_000
_COLOURS = ("Black", "White", "Silver", "Red", "Blue", "Green", "Grey", "Gold")
_PRODUCT_COLUMNS = (
    "id", "public_id", "title", "brand", "category", "category_key", "updated_at", "offer_count", "store_count",
    "store_ids", "is_available", "lowest_price", "lowest_price_currency", "search_vector",
)  # fmt: skip
_OFFER_COLUMNS = (
    "store_id", "product_id", "match_state", "external_id", "url", "title", "mpn", "variant_attributes", "price",
    "price_currency", "shipping_cost", "availability", "item_condition", "digest", "first_seen_at", "changed_at",
)  # fmt: skip


@cache
def all_titles() -> tuple[str, ...]:
    """Every title that the demo stores show."""
    titles = {product.title for path in CATALOGUES.glob("*.jsonl") for product in read_catalogue(path.stem)}
    return tuple(sorted(titles))


@cache
def _category(title: str) -> str:
    return category_of(None, title)


def fill(sessions: Sessions, count: int, seed: int = 7) -> None:
    """Stores, products with facets as uneven as real ones, and an offer of each."""
    with sessions.begin() as session:
        copy_rows(
            session,
            "stores",
            ("id", "public_id", "slug", "name", "url", "platform", "currency", "crawl_interval"),
            (
                (
                    number,
                    f"s{number}",
                    f"s{number}",
                    f"Store {number}",
                    "https://s.example",
                    "generic",
                    "EUR",
                    60,
                )
                for number in range(1, STORES + 1)
            ),
        )
    rows = _rows(count, random.Random(seed))
    while some := list(islice(rows, _AT_ONCE)):
        with sessions.begin() as session:
            copy_rows(session, "products", _PRODUCT_COLUMNS, (product for product, _ in some))
            copy_rows(session, "offers", _OFFER_COLUMNS, (offer for _, offer in some))
    with sessions.kw["bind"].connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("vacuum analyze products"))
        connection.execute(text("vacuum analyze offers"))


def _rows(count: int, rng: random.Random) -> Iterator[tuple[tuple[object, ...], tuple[object, ...]]]:
    """(a product, an offer of it)."""
    titles = all_titles()
    words = sorted({word for title in titles for word in title.split() if word.isalpha() and len(word) > 2})
    for number in range(1, count + 1):
        base = rng.choice(titles)
        parts = base.split()
        parts[rng.randrange(len(parts))] = rng.choice(words)
        code = f"{rng.choice('ABCDEFGHKLMN')}{number:07d}"
        title = " ".join([*parts, code])
        brand = f"Brand {min(int(rng.expovariate(0.01)), BRANDS - 1)}"
        stores = rng.sample(range(1, STORES + 1), min(1 + int(rng.expovariate(0.8)), 10))
        price = Decimal(int(rng.lognormvariate(4, 1) * 100) + 1).scaleb(-2)
        is_available = rng.random() < 0.9
        attributes = {"colour": rng.choice(_COLOURS)} if rng.random() < 0.5 else {}
        condition = "NewCondition" if rng.random() < 0.93 else "RefurbishedCondition"
        yield (
            (
                number, f"p{number:011d}", title, brand, "Products", _category(base), _MOMENT, len(stores), len(stores),
                "{" + ",".join(map(str, stores)) + "}", is_available, price, "EUR",
                search_vector(title, brand, None, []),
            ),
            (
                stores[0], number, "linked", code, f"https://s.example/{number}", title, code, attributes, price, "EUR",
                Decimal("4.90") if rng.random() < 0.7 else None, "InStock" if is_available else "OutOfStock", condition,
                b"", _MOMENT, _MOMENT,
            ),
        )  # fmt: skip
