"""Pages of the shop window: a product with 40 offers and two years of history, home and a category, over HTTP."""

from __future__ import annotations

import argparse
import http.client
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import psutil
from sqlalchemy import text

from aggregator.catalog.product_cards import product_slug
from aggregator.catalog.product_pages import get_product_page
from aggregator.catalog.products import describe_products
from aggregator.db.copy import copy_rows
from aggregator.db.session import Sessions
from aggregator.domain.identifiers import new_public_id
from benchmarks.scratch import Stopwatch, percentiles, print_table, scratch_database
from benchmarks.search import all_titles

OFFERS = 40
DAYS = 730
_OFFER = (
    "id", "public_id", "store_id", "product_id", "match_state", "external_id", "url", "title", "brand", "category",
    "price", "price_currency", "availability", "digest", "first_seen_at", "changed_at",
)  # fmt: skip
_PRICE = ("offer_id", "recorded_at", "price", "price_currency", "price_kind", "availability")


def fill(sessions: Sessions, rich: int, others: int, every: int, rng: random.Random) -> list[str]:
    """So many products at 40 stores whose prices change every so many days, and others; public ids, those first."""
    now = datetime.now(UTC)
    titles = all_titles()
    shipping = {"tiers": [{"min_subtotal": "0", "cost": "4.90"}, {"min_subtotal": "50", "cost": "0"}]}
    with sessions.begin() as session:
        copy_rows(
            session,
            "stores",
            (
                "public_id",
                "slug",
                "name",
                "url",
                "platform",
                "currency",
                "crawl_interval",
                "shipping",
                "checked_at",
            ),
            (
                (f"s{n}", f"s{n}", f"Store {n}", f"https://s{n}.example", "generic", "EUR", 60, shipping, now)
                for n in range(1, OFFERS + 1)
            ),
        )
        products = [(new_public_id(), "", now) for _ in range(rich + others)]
        copy_rows(session, "products", ("public_id", "title", "updated_at"), products)
        offers, prices = [], []
        number = 0
        for product in range(1, rich + others + 1):
            title, price = rng.choice(titles), Decimal(rng.randrange(500, 90_000)).scaleb(-2)
            stores = range(1, OFFERS + 1) if product <= rich else rng.sample(range(1, OFFERS + 1), 3)
            for store in stores:
                number += 1
                asked = price * rng.randrange(95, 115) / 100
                offers.append(
                    (
                        number, f"o{number:019d}", store, product, "linked", f"x{number}",
                        f"https://s{store}.example/p/{number}", f"{title} by {store}", "Acme", "Home > Fridge freezers",
                        round(asked, 2), "EUR", "InStock", b"", now - timedelta(days=DAYS), now,
                    )
                )  # fmt: skip
                days = range(DAYS, 0, -every) if product <= rich else (DAYS,)
                prices.extend(
                    (
                        number, now - timedelta(days=day, seconds=store),
                        round(asked * rng.randrange(90, 110) / 100, 2), "EUR", "regular", "InStock",
                    )
                    for day in days
                )  # fmt: skip
        copy_rows(session, "offers", _OFFER, offers)
        copy_rows(session, "offer_prices", _PRICE, sorted(prices, key=lambda row: row[1]))
        evidence = [
            {"comparison": "model", "level": "same", "weight": 6.2, "sentence": "Both name the model K-100."}
        ] * 6
        copy_rows(
            session,
            "match_links",
            ("offer_id", "other_offer_id", "probability", "outcome", "evidence", "model_version"),
            (
                (first + n, first, 0.99, "merged", evidence, "bench")
                for first in range(1, rich * OFFERS + 1, OFFERS)
                for n in range(1, OFFERS)
            ),
        )
        describe_products(session, list(range(1, rich + others + 1)))
    with sessions.kw["bind"].connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("vacuum analyze"))
    return [row[0] for row in products]


@contextmanager
def production_server(database_url: str) -> Iterator[tuple[int, psutil.Process]]:
    """`click2cart web` with one process; its port and itself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="c2c-pages-") as directory:
        environment = {
            **os.environ,
            "DATABASE_URL": database_url,
            "PORT": str(port),
            "CLICK2CART_DATA_DIR": directory,
        }
        command = [str(Path(sys.executable).with_name("click2cart")), "web"]
        with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
            try:
                until = time.monotonic() + 60
                while time.monotonic() < until:
                    try:
                        if fetch(http.client.HTTPConnection("127.0.0.1", port), "/readyz")[0] == 200:
                            break
                    except OSError:
                        time.sleep(0.1)
                yield port, psutil.Process(process.pid)
            finally:
                process.terminate()
                process.wait(timeout=30)


def fetch(connection: http.client.HTTPConnection, path: str) -> tuple[int, int, str | None]:
    """(status, bytes, where it leads)."""
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, len(answer.read()), answer.headers.get("Location")


def processor_seconds(server: psutil.Process) -> float:
    """CPU time of the server and its serving processes."""
    times = [process.cpu_times() for process in [server, *server.children(recursive=True)]]
    return sum(one.user + one.system for one in times)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=5_000)
    parser.add_argument("--requests", type=int, default=150, help="of each page, and products with 40 offers")
    parser.add_argument("--every", type=int, default=7, help="days between two prices of an offer")
    arguments = parser.parse_args()
    with scratch_database() as sessions:
        count = arguments.requests
        ids = fill(sessions, count, arguments.products, arguments.every, random.Random(7))
        measure_reading(sessions, ids[:count])
        url = sessions.kw["bind"].url.render_as_string(hide_password=False)
        with production_server(url) as (port, server):
            connection = http.client.HTTPConnection("127.0.0.1", port)
            addresses = addresses_of(sessions, ids)
            rich, usual = addresses[:count], addresses[count : 2 * count]
            pages = {
                "product, 40 offers, shown for the first time": rich,
                "the same again": rich,
                "product, 3 offers, shown for the first time": usual,
                "home": ["/"] * count,
                "category": ["/categories/fridges-and-freezers"] * count,
            }
            # None of those that are measured; what every page needs is loaded then.
            measure_pages(connection, server, ["/", *addresses[-20:]])
            rows = [(name, *measure_pages(connection, server, some)) for name, some in pages.items()]
        print_table(
            f"Whole pages over HTTP, one after the other, one serving process, {arguments.products:,} products",
            ("page", "kB", "p50 ms", "p95 ms", "requests per CPU-second"),
            rows,
            note="CPU of the web processes alone, PostgreSQL's beside it.",
        )


def addresses_of(sessions: Sessions, ids: list[str]) -> list[str]:
    """Of each product's page, by public id."""
    with sessions() as session:
        rows = session.execute(
            text("select public_id, title from products where public_id = any(:ids)"), {"ids": ids}
        )
        slugs = {row.public_id: product_slug(row.title) for row in rows}
    return [f"/products/{public_id}-{slugs[public_id]}" for public_id in ids]


def measure_reading(sessions: Sessions, ids: list[str]) -> None:
    """What a product's page is made of, each product read once."""
    spent = []
    with sessions() as session:
        for public_id in ids:
            with Stopwatch() as watch:
                get_product_page(session, public_id, assumed_shipping=Decimal("5.90"), country="DE")
            spent.append((watch.wall, watch.cpu))
        points = session.scalar(
            text(
                "select count(*) from offer_prices h join offers o on o.id = h.offer_id where o.product_id = 1"
            )
        )
    clock, cpu = zip(*spent, strict=True)
    print_table(
        f"A product page's data: {OFFERS} offers, {points:,} prices over two years",
        ("products", "p50 ms", "p95 ms", "CPU p50 ms", "CPU p95 ms"),
        [(len(ids), *(f"{one:.1f}" for one in (*percentiles(clock), *percentiles(cpu))))],
    )


def measure_pages(
    connection: http.client.HTTPConnection, server: psutil.Process, paths: list[str]
) -> tuple[str, ...]:
    """(kB of the last, p50, p95 in ms, requests per CPU second)."""
    before, seconds, size = processor_seconds(server), [], 0
    for path in paths:
        with Stopwatch() as watch:
            status, size, _ = fetch(connection, path)
        assert status == 200, (path, status)
        seconds.append(watch.wall)
    used = processor_seconds(server) - before
    p50, p95 = percentiles(seconds)
    return f"{size / 1000:.0f}", f"{p50:.1f}", f"{p95:.1f}", f"{len(paths) / used:.0f}"


if __name__ == "__main__":
    main()
