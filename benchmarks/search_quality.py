"""Search of the demo catalogue: misspelt queries, exact titles and model numbers, and where the right product comes."""

from __future__ import annotations

import argparse
import random
import string
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from aggregator.catalog.products import OfferGroup, assign_offers
from aggregator.catalog.search import search_products
from aggregator.catalog.search_index import IndexPlace, SearchIndex
from aggregator.catalog.search_sync import rebuild
from aggregator.db.copy import copy_rows
from aggregator.db.session import Sessions
from aggregator.domain.normalization.names import fold
from aggregator.domain.products import SearchQuery
from aggregator.domain.search_words import query_words
from benchmarks.scratch import Stopwatch, percentiles, print_table, scratch_database
from fixtures.demo.catalogue import CATALOGUES, read_catalogue

PAGE = 24
_OFFER_COLUMNS = (
    "store_id", "external_id", "url", "title", "brand", "gtin", "mpn", "sku", "category", "price", "price_currency",
    "availability", "digest", "first_seen_at", "changed_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """One query with the product that it is to find."""

    text: str
    product: str


def fill_with_demo(sessions: Sessions) -> None:
    """The demo stores' offers as products: what their sources take for one product is one."""
    now = datetime.now(UTC)
    with sessions.begin() as session:
        rows, clusters = [], []
        for number, path in enumerate(sorted(CATALOGUES.glob("*.jsonl")), 1):
            store_id = session.scalar(
                text(
                    "insert into stores (public_id, slug, name, url, platform, currency, crawl_interval)"
                    " values (:slug, :slug, :slug, 'https://s.example', 'generic', 'EUR', 60) returning id"
                ),
                {"slug": f"{path.stem}-{number}"},
            )
            for product in read_catalogue(path.stem):
                for variant in product.variants:
                    key = f"{store_id}-{variant.sku}"
                    rows.append(
                        (
                            store_id, key, f"https://s.example/{key}", product.title_of(variant), product.brand,
                            variant.gtin and variant.gtin.zfill(14), variant.model, variant.sku,
                            " > ".join(product.category), variant.price, "EUR",
                            "InStock" if variant.stock else "OutOfStock", b"", now, now,
                        )
                    )  # fmt: skip
                    clusters.append((key, variant.cluster))
        copy_rows(session, "offers", _OFFER_COLUMNS, rows)
        ids = {row.external_id: row.id for row in session.execute(text("select id, external_id from offers"))}
        groups: defaultdict[str, list[int]] = defaultdict(list)
        for key, cluster in clusters:
            groups[cluster].append(ids[key])
        assign_offers(session, [OfferGroup(tuple(offers)) for offers in groups.values()], reason="demo")


def misspelt_queries(session: Session, index: SearchIndex, count: int, seed: int) -> list[Asked]:
    """Brand and two to four title words that rank the product first, then edited: in two words for a quarter."""
    rng = random.Random(seed)
    products = session.execute(
        text("select public_id, title, brand from products where brand is not null order by id")
    ).all()
    asked: list[Asked] = []
    while len(asked) < count:
        product = rng.choice(products)
        brand_words = query_words(product.brand)
        words = [word for word in query_words(product.title) if word not in brand_words and len(word) > 1]
        if len(words) < 2:
            continue
        chosen = [*brand_words, *rng.sample(words, min(rng.randint(2, 4), len(words)))]
        found = search_products(session, SearchQuery(text=" ".join(chosen), limit=1), index).products
        if not found or found[0].id != product.public_id:
            continue
        places = [place for place, word in enumerate(chosen) if sum(map(str.isalpha, word)) > 2]
        edits = 2 if len(asked) % 4 == 0 else 1
        if len(places) < edits:
            continue
        for place in rng.sample(places, edits):
            chosen[place] = edited(chosen[place], rng)
        asked.append(Asked(" ".join(chosen), product.public_id))
    return asked


def edited(word: str, rng: random.Random) -> str:
    """The word with one letter dropped, doubled up with another, exchanged or swapped; digits stay as they are."""
    letters = [place for place, sign in enumerate(word) if sign.isalpha()]
    while True:
        place = rng.choice(letters)
        kind = rng.randrange(4)
        letter = rng.choice(string.ascii_lowercase)
        if kind == 0:
            changed = word[:place] + word[place + 1 :]
        elif kind == 1:
            changed = word[:place] + letter + word[place:]
        elif kind == 2:
            changed = word[:place] + letter + word[place + 1 :]
        elif place + 1 < len(word) and word[place + 1].isalpha():
            changed = word[:place] + word[place + 1] + word[place] + word[place + 2 :]
        else:
            continue
        if changed != word:
            return changed


def exact_queries(session: Session, count: int, seed: int) -> list[Asked]:
    """Titles as any store words them, and model numbers that one product alone has."""
    rng = random.Random(seed)
    rows = session.execute(
        text(
            "select p.public_id, o.title, o.mpn from offers o join products p on p.id = o.product_id order by o.id"
        )
    ).all()
    owners: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        for said in (row.title, row.mpn):
            if said:
                owners[fold(said)].add(row.public_id)
    candidates = [
        Asked(said, row.public_id)
        for row in rows
        for said in (row.title, row.mpn)
        if said and len(owners[fold(said)]) == 1
    ]
    return rng.sample(candidates, count)


def places(
    session: Session, index: SearchIndex, asked: Iterable[Asked]
) -> tuple[list[int | None], list[float]]:
    """(the place of the right product on the first page or None, the seconds) of each query."""
    found: list[int | None] = []
    seconds = []
    for one in asked:
        with Stopwatch() as watch:
            page = search_products(session, SearchQuery(text=one.text, limit=PAGE), index)
        ids = [card.id for card in page.products]
        found.append(ids.index(one.product) + 1 if one.product in ids else None)
        seconds.append(watch.wall)
    return found, seconds


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--missed", action="store_true", help="print what was not found")
    arguments = parser.parse_args()
    with scratch_database() as sessions, tempfile.TemporaryDirectory() as folder:
        fill_with_demo(sessions)
        place = IndexPlace(Path(folder) / "index")
        products = rebuild(sessions, place)
        index = SearchIndex(place)
        rows = []
        with sessions() as session:
            for name, asked, within in (
                ("misspelt", misspelt_queries(session, index, arguments.queries, arguments.seed), PAGE),
                ("title or model number", exact_queries(session, arguments.queries, arguments.seed), 2),
            ):
                found, seconds = places(session, index, asked)
                good = sum(1 for one in found if one is not None and one <= within)
                p50, p95 = percentiles(seconds)
                first = sum(1 for one in found if one == 1)
                share = Decimal(100 * good) / len(found)
                rows.append((name, len(found), first, within, f"{share:.1f} %", f"{p50:.1f}", f"{p95:.1f}"))
                if arguments.missed:
                    for one, spot in zip(asked, found, strict=True):
                        if spot is None or spot > within:
                            print(name, spot, one)
    print_table(
        f"Search of the demo catalogue ({products:,} products, seed {arguments.seed})",
        ("queries", "number", "first", "asked to be among the first", "found there", "p50 ms", "p95 ms"),
        rows,
    )


if __name__ == "__main__":
    main()
