"""Two stores that were read well once, each on a shop that can misbehave; every test gets a copy of that state."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil
import redis
from sqlalchemy import text
from sqlalchemy.orm import sessionmaker

from aggregator.catalog.ingest import IngestReport
from aggregator.catalog.offers import list_offers
from aggregator.catalog.search import search_products
from aggregator.db.migrate import migrate
from aggregator.db.session import Sessions
from aggregator.domain.products import SearchQuery
from aggregator.domain.shipping import ShippingRule, ShippingTier
from aggregator.settings import Settings
from aggregator.shopping.cart_plans import plan_cart
from aggregator.shopping.carts import add_to_cart
from matcher.linker import link_pending_offers
from spiders.registration import add_store
from spiders.runner import crawl_store
from tests.databases import drop_database, fresh_database, name_beside
from tests.fault_shop import FaultShop, open_shop

PAGES, FEED = "pages", "feed"
_TEMPLATE = "faults_template"
_COPY = "faults_copy"
_SAMPLE_SECONDS = 0.05
_EVERYTHING = SearchQuery(text="Nordwind", limit=100)


@dataclass(frozen=True, slots=True)
class Shown:
    """What shoppers see: each current offer, what each product costs from, and a cart's proven total."""

    offers: dict[tuple[str, str], tuple[Decimal, str, str | None]]
    lowest: dict[str, Decimal | None]
    total: Decimal
    is_complete: bool


@dataclass
class World:
    """A fresh copy of the good state, with the shops that its two stores are read from."""

    settings: Settings
    sessions: Sessions
    shops: dict[str, FaultShop]
    cart: str
    peak_bytes: int = 0
    _good: Shown | None = field(default=None, repr=False)

    def crawl(self, slug: str) -> IngestReport:
        """One run of the store, with the memory of its crawl process watched."""
        with self.watched():
            report = crawl_store(self.settings, self.sessions, slug, trigger="operator")
        assert report is not None
        return report

    def crawl_by_command(self, slug: str, **environment: str) -> dict[str, Any]:
        """One run by `click2cart crawl`: a process that remembers nothing, a day after the last run."""
        with self.sessions.begin() as session:
            session.execute(text("delete from robots_files"))
        whole = {
            **os.environ,
            "DATABASE_URL": self.settings.database_url or "",
            "REDIS_URL": self.settings.redis_url or "",
            "CLICK2CART_DATA_DIR": str(self.settings.data_dir),
            "CLICK2CART_ALLOW_PRIVATE_HOSTS": ",".join(self.settings.allow_private_hosts),
            **environment,
        }
        command = [str(Path(sys.executable).with_name("click2cart")), "crawl", slug, "--json"]
        done = subprocess.run(command, env=whole, capture_output=True, text=True, timeout=90, check=False)
        assert done.stdout, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        assert done.returncode == (0 if report["state"] == "finished" else 1)
        return report

    def shown(self) -> Shown:
        """What shoppers see now."""
        with self.sessions.begin() as session:
            offers = {
                (offer.store, offer.external_id): (
                    offer.price.amount,
                    offer.price.currency,
                    offer.availability,
                )
                for offer in list_offers(session)
            }
            found = search_products(session, _EVERYTHING)
            lowest = {
                card.title: card.lowest_price.amount if card.lowest_price else None for card in found.products
            }
            planned = plan_cart(session, self.cart, assumed_shipping=Decimal("5.90"))
            return Shown(offers, lowest, planned.plan.total, planned.plan.complete)

    @property
    def good(self) -> Shown:
        """What shoppers saw before anything went wrong."""
        assert self._good is not None
        return self._good

    def limited(self, **limits: Any) -> Settings:
        """The settings with tighter limits."""
        return replace(self.settings, **limits)

    def value(self, query: str, **parameters: Any) -> Any:
        """The first value of a query."""
        with self.sessions.begin() as session:
            return session.execute(text(query), parameters).scalar()

    def column(self, query: str, **parameters: Any) -> list[Any]:
        """The first column of a query."""
        with self.sessions.begin() as session:
            return list(session.execute(text(query), parameters).scalars())

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Note the highest memory of this process's children (the crawl process) meanwhile."""
        is_over = threading.Event()

        def watch() -> None:
            while not is_over.wait(_SAMPLE_SECONDS):
                for child in psutil.Process().children(recursive=True):
                    with contextlib.suppress(psutil.Error):
                        if "spiders.crawl_process" in child.cmdline():
                            self.peak_bytes = max(self.peak_bytes, child.memory_info().rss)

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()


@contextmanager
def good_state(
    settings: Settings, folder: Path
) -> Iterator[Callable[[], contextlib.AbstractContextManager[World]]]:
    """Register and read both stores once; gives what makes a fresh copy of that for each test."""
    assert settings.database_url is not None
    with ExitStack() as stack:
        shops = {slug: stack.enter_context(open_shop()) for slug in (PAGES, FEED)}
        own = replace(
            settings,
            data_dir=folder,
            allow_private_hosts=frozenset(shop.authority for shop in shops.values()),
        )
        template, copy = (name_beside(settings, ending) for ending in (_TEMPLATE, _COPY))
        with fresh_database(own, template) as (at_template, engine):
            migrate(engine)
            cart, good = _prepare(World(at_template, sessionmaker(engine, expire_on_commit=False), shops, ""))

        @contextmanager
        def fresh() -> Iterator[World]:
            for shop in shops.values():
                shop.behave()
                shop.forget()
            _forget_broker(own)
            with fresh_database(own, copy, template=template) as (at_copy, engine):
                sessions = sessionmaker(engine, expire_on_commit=False)
                yield World(at_copy, sessions, shops, cart, _good=good)

        try:
            yield fresh
        finally:
            for name in (copy, template):
                drop_database(own, name)


def _prepare(world: World) -> tuple[str, Shown]:
    shipping = ShippingRule((ShippingTier(Decimal(0), Decimal("4.90")),), None)
    for slug, path in ((PAGES, "/"), (FEED, "/feed.xml")):
        store, _ = add_store(
            world.settings, world.sessions, world.shops[slug].url + path, slug=slug, shipping=shipping
        )
        assert store is not None
        report = world.crawl(slug)
        assert (report.state, report.new) == ("finished", len(world.shops[slug].articles)), report
    link_pending_offers(world.sessions)
    with world.sessions.begin() as session:
        cards = search_products(session, _EVERYTHING).products
        assert [card.store_count for card in cards] == [2] * len(world.shops[FEED].articles)
        token = None
        for card in cards[:3]:
            _, fresh_token = add_to_cart(session, token, card.id, 2)
            token = token or fresh_token
    assert token is not None
    world.cart = token
    good = world.shown()
    assert good.is_complete
    assert len(good.offers) == sum(len(shop.articles) for shop in world.shops.values())
    return token, good


def _forget_broker(settings: Settings) -> None:
    assert settings.redis_url is not None
    with redis.Redis.from_url(settings.redis_url) as client:
        client.flushdb()
