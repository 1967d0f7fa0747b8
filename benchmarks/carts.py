"""Many shoppers change carts at the same time over the API of the production server; two share each cart.

Half of the changes add, the others read the cart and then change or take out a line with `If-Match`; each tenth of the
first is sent again with its key. What was answered with success is summed up, and must lie in the carts in the end.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from sqlalchemy import text
from sqlalchemy.orm import sessionmaker

from aggregator.db.embedded import embedded_services
from aggregator.db.migrate import migrate
from aggregator.db.session import Sessions, engine_for
from aggregator.settings import Settings
from benchmarks.pages import fill, processor_seconds, production_server
from benchmarks.scratch import percentiles, print_table

CONFLICTS = frozenset({409, 412})
COOKIE = "click2cart_cart"


@dataclass
class SharedCart:
    """A cart of two devices, and what the answers said must lie in it: product id to quantity."""

    cookie: str
    expected: Counter[str] = field(default_factory=Counter)


@dataclass
class Told:
    """What all shoppers were answered."""

    statuses: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    changes: int = 0
    repeated: int = 0
    contradictions: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Shopper:
    """One device that changes a cart."""

    client: httpx.AsyncClient
    cart: SharedCart
    products: list[str]
    told: Told
    rng: random.Random

    async def shop(self, until: float) -> None:
        """One request after the other."""
        while time.monotonic() < until:
            await (self.add() if self.rng.random() < 0.5 else self.change())

    async def add(self) -> None:
        """Put something in, sometimes with the same request once more."""
        product, quantity = self.rng.choice(self.products), self.rng.randint(1, 3)
        key = {"Idempotency-Key": uuid.uuid4().hex}
        body = {"product_id": product, "quantity": quantity}
        answer = await self.send("POST", "/items", key, body)
        if answer is None or answer.status_code != 201:
            return
        self.cart.expected[product] += quantity
        self.told.changes += 1
        if self.rng.random() < 0.1:
            again = await self.send("POST", "/items", key, body)
            self.told.repeated += 1
            if again is None or again.content != answer.content:
                self.told.contradictions.append(f"a request was done twice: {again}")

    async def change(self) -> None:
        """Read, then want one more or less of a line, or none, unless the cart is another one by then."""
        seen = await self.send("GET", "", {})
        if seen is None or seen.status_code != 200 or not (items := seen.json()["items"]):
            return
        item = self.rng.choice(items)
        product, before = item["product"]["id"], item["quantity"]
        wanted = 0 if self.rng.random() < 0.1 else max(1, before + self.rng.choice((-2, -1, 1)))
        guard = {"If-Match": seen.headers["ETag"], "Idempotency-Key": uuid.uuid4().hex}
        path = f"/items/{item['id']}"
        if wanted:
            answer = await self.send("PUT", path, guard, {"quantity": wanted})
        else:
            answer = await self.send("DELETE", path, guard)
        if answer is None or not answer.is_success:
            return
        self.cart.expected[product] += wanted - before
        self.told.changes += 1
        if wanted and {"id": item["id"], "quantity": wanted} not in [
            {"id": one["id"], "quantity": one["quantity"]} for one in answer.json()["items"]
        ]:
            self.told.contradictions.append(f"{wanted} wanted, answered otherwise")

    async def send(
        self, method: str, path: str, headers: dict[str, str], body: dict[str, object] | None = None
    ) -> httpx.Response | None:
        """The answer; None where there was none, which is counted as an error."""
        headers = {**headers, "Cookie": f"{COOKIE}={self.cart.cookie}"}
        began = time.perf_counter()
        try:
            answer = await self.client.request(method, f"/api/v1/cart{path}", headers=headers, json=body)
        except httpx.HTTPError as error:
            self.told.statuses[type(error).__name__] += 1
            return None
        self.told.seconds.append(time.perf_counter() - began)
        self.told.statuses[str(answer.status_code)] += 1
        return answer


@contextmanager
def catalogue(products: int) -> Iterator[tuple[Sessions, list[str]]]:
    """A scratch database and Valkey, which the server is told by the environment; the products' ids."""
    with tempfile.TemporaryDirectory(prefix="c2c-carts-", ignore_cleanup_errors=True) as directory:
        os.chmod(directory, 0o755)  # started by root, PostgreSQL runs as another user
        settings = Settings(data_dir=Path(directory) / "data")
        with embedded_services(settings, with_broker=True) as services:
            os.environ["REDIS_URL"] = services.redis_url or ""
            engine = engine_for(services.database_url)
            migrate(engine)
            sessions = sessionmaker(engine, expire_on_commit=False)
            yield sessions, fill(sessions, 1, products, 90, random.Random(7))
            engine.dispose()


def make_carts(address: str, count: int, products: list[str]) -> list[SharedCart]:
    """Carts with a first piece in each."""
    carts = []
    with httpx.Client(base_url=address, trust_env=False) as client:
        for _ in range(count):
            client.cookies.clear()
            answer = client.post("/api/v1/cart/items", json={"product_id": products[0]}).raise_for_status()
            carts.append(SharedCart(answer.cookies[COOKIE], Counter({products[0]: 1})))
    return carts


async def run(
    address: str, carts: list[SharedCart], shoppers: int, seconds: float, products: list[str]
) -> Told:
    """Let them shop; what they were told."""
    told = Told()
    async with AsyncExitStack() as stack:
        # One each: a pool of all connections looks through them at every request.
        clients = [
            await stack.enter_async_context(
                httpx.AsyncClient(base_url=address, timeout=60, trust_env=False, verify=False)  # plain HTTP
            )
            for _ in range(shoppers)
        ]
        until = time.monotonic() + seconds
        await asyncio.gather(
            *(
                Shopper(client, carts[number % len(carts)], products, told, random.Random(number)).shop(until)
                for number, client in enumerate(clients)
            )
        )
    return told


def lost_updates(address: str, carts: list[SharedCart]) -> int:
    """How many lines are not what the answers said."""
    wrong = 0
    with httpx.Client(base_url=address, trust_env=False) as client:
        for cart in carts:
            answer = client.get("/api/v1/cart", headers={"Cookie": f"{COOKIE}={cart.cookie}"})
            items = answer.raise_for_status().json()["items"]
            found = Counter({item["product"]["id"]: item["quantity"] for item in items})
            wrong += sum(found[product] != cart.expected[product] for product in {*found, *cart.expected})
    return wrong


def main() -> int:
    """Print the table; 1 if an update was lost or anything failed but the documented conflict."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shoppers", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--processes", type=int, default=2, help="serving processes")
    arguments = parser.parse_args()
    os.environ |= {
        "CLICK2CART_API_REQUESTS": "1000000",
        "CLICK2CART_WEB_WORKERS": str(arguments.processes),
    }
    with catalogue(200) as (sessions, ids):
        url = sessions.kw["bind"].url.render_as_string(hide_password=False)
        with production_server(url) as (port, server):
            address = f"http://127.0.0.1:{port}"
            carts = make_carts(address, max(1, arguments.shoppers // 2), ids)
            began, used = time.perf_counter(), processor_seconds(server)
            told = asyncio.run(run(address, carts, arguments.shoppers, arguments.seconds, ids[:8]))
            took, used = time.perf_counter() - began, processor_seconds(server) - used
            lost = lost_updates(address, carts)
        with sessions() as session:
            deadlocks = session.scalar(
                text("select deadlocks from pg_stat_database where datname = current_database()")
            )
    errors = {
        status: count
        for status, count in told.statuses.items()
        if not status.startswith("2") and status not in {str(one) for one in CONFLICTS}
    }
    p50, p95 = percentiles(told.seconds)
    print_table(
        f"{arguments.shoppers} shoppers change {len(carts)} carts for {arguments.seconds:.0f} s; "
        f"{arguments.processes} serving processes",
        ("", "figure"),
        [
            ("requests", f"{len(told.seconds):,} ({len(told.seconds) / took:.0f} a second)"),
            ("requests per CPU-second of the web processes", f"{len(told.seconds) / used:.0f}"),
            ("p50, p95", f"{p50:.0f} ms, {p95:.0f} ms"),
            ("changes made", f"{told.changes:,}"),
            ("sent again with their key", f"{told.repeated:,}"),
            ("conflicts (412, 409)", sum(told.statuses[str(one)] for one in CONFLICTS)),
            ("lines that are not what the answers said", lost),
            ("answers that contradict themselves", len(told.contradictions)),
            ("deadlocks", deadlocks),
            ("other errors", errors or 0),
        ],
    )
    return 1 if lost or told.contradictions or deadlocks or errors else 0


if __name__ == "__main__":
    sys.exit(main())
