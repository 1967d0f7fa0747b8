"""The demo: its stores as a process beside the site, and what fills the catalogue from them."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from aggregator.accounts.sign_in import invite, link_address
from aggregator.catalog.matches import count_pending_offers
from aggregator.catalog.stores import get_totals, list_stores
from aggregator.db.embedded.layout import DataLayout
from aggregator.db.session import Sessions, database
from aggregator.domain.errors import Click2CartError, EnvironmentProblem
from aggregator.domain.shipping import ShippingRule, ShippingTier
from aggregator.settings import Settings
from fixtures.demo.profiles import read_profiles
from spiders.registration import add_store
from workers.children import Program
from workers.supervisor import Children, site_url, tell

STORES_PATIENCE = 30.0
SECONDS_BETWEEN_PRICE_CHANGES = 30
DEMO_CRAWL_INTERVAL = "120"
CRAWL_PATIENCE = 180.0
POLL_SECONDS = 0.3
OPERATOR = "operator@demo.example"
WHAT_TO_TRY = """
What to try (all stores, prices and shipping are demo data):
  {site}/search?q=samsung+tv     one product at several stores: open it, see why its offers are the same
  {site}/cart                    put three things in, see the proven cheapest split, hand it over
  {site}/register                make an account; its mails and codes appear at {site}/inbox
  {invitation}
                                 sign in to the operations page (once, within 15 minutes)
The stores change a price now and then; charts grow as they are crawled again every two minutes.
"""


@dataclass(frozen=True, slots=True)
class DemoStore:
    """A demo store as its own process announces it."""

    slug: str
    name: str
    platform: str
    url: str
    address: str


@dataclass(frozen=True, slots=True)
class RunningStores:
    """The demo stores that answer, and the file that says so."""

    ready_file: Path
    stores: tuple[DemoStore, ...]

    def environment(self, settings: Settings) -> dict[str, str]:
        """What lets the site, the worker and the clock fetch from exactly these stores on loopback."""
        hosts = settings.allow_private_hosts | {urlsplit(store.url).netloc for store in self.stores}
        return {
            "CLICK2CART_ALLOW_PRIVATE_HOSTS": ",".join(sorted(hosts)),
            "CLICK2CART_CRAWL_INTERVAL": os.environ.get("CLICK2CART_CRAWL_INTERVAL", DEMO_CRAWL_INTERVAL),
            "CLICK2CART_DEMO": "1",
            "CLICK2CART_INBOX": "1",
            "PORT": str(settings.port),
        }


def start_demo_stores(settings: Settings, children: Children, *, free_ports: bool) -> RunningStores:
    """Start the demo stores and return when all of them answer; the data directory keeps their prices."""
    root = DataLayout.at(settings.data_dir).root
    ready_file, state = root / "demo-stores.json", root / "demo-stores"
    state.mkdir(mode=0o700, exist_ok=True)
    ready_file.unlink(missing_ok=True)
    options = {
        "--ready-file": str(ready_file),
        "--state-dir": str(state),
        "--drift": str(SECONDS_BETWEEN_PRICE_CHANGES),
    }
    command = (
        sys.executable,
        "-m",
        "fixtures.demo",
        *(word for option in options.items() for word in option),
    )
    children.start(Program("demo-stores", (*command, "--free-ports") if free_ports else command))
    children.wait_until(ready_file.exists, what="the demo stores", patience=STORES_PATIENCE)
    return RunningStores(ready_file, read_stores(ready_file))


def read_stores(ready_file: Path) -> tuple[DemoStore, ...]:
    """The stores named in the file that the demo stores write once they answer."""
    try:
        content = json.loads(ready_file.read_text())
        listed = content["stores"] if isinstance(content, dict) else content
        return tuple(DemoStore(*(store[name] for name in DemoStore.__dataclass_fields__)) for store in listed)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EnvironmentProblem(f"{ready_file} cannot be read; start the demo again") from error


def prepare_step(stores: RunningStores, environment: dict[str, str]) -> Program:
    """The step that fills the catalogue, as a process of its own that ends with the supervisor."""
    return Program("demo", (sys.executable, "-m", "workers.demo", str(stores.ready_file)), environment)


def prepare_demo(settings: Settings, stores: tuple[DemoStore, ...]) -> None:
    """Register the stores, wait for their first crawl and matching with progress, and say what to try.

    The worker beside does the crawling. Raises EnvironmentProblem where it does not come to an end.
    """
    with database(settings) as sessions:
        for number, store in enumerate(stores, 1):
            tell(f"[demo] store {number} of {len(stores)}: {store.name} at {store.url}")
            register_demo_store(settings, sessions, store)
        _wait_for_crawls(sessions, stores)
        _wait_for_matching(sessions)
        with sessions.begin() as session:
            totals = get_totals(session)
            invitation = link_address(settings, invite(session, OPERATOR, "admin"))
    tell(
        f"[demo] {totals.offers} offers of {totals.stores} stores are {totals.products} products, "
        f"{totals.products_at_several_stores} of them at several stores"
    )
    tell(WHAT_TO_TRY.format(site=site_url(settings), invitation=invitation))


def register_demo_store(settings: Settings, sessions: Sessions, store: DemoStore) -> None:
    """Add a demo store by its address, as an operator would, with the shipping rule it publishes."""
    profile = next(profile for profile in read_profiles() if profile.slug == store.slug)
    rule = None
    if profile.shipping is not None:
        tiers = tuple(ShippingTier(tier.min_subtotal, tier.cost) for tier in profile.shipping.tiers)
        rule = ShippingRule(tiers, profile.shipping.min_order)
    registered, result = add_store(
        settings, sessions, store.address, slug=store.slug, name=store.name, shipping=rule, may_move=True
    )
    if registered is None:
        raise EnvironmentProblem(
            f"the demo store {store.name} at {store.url} cannot be read: {result.problem}"
        )


def _wait_for_crawls(sessions: Sessions, stores: tuple[DemoStore, ...]) -> None:
    read: set[str] = set()
    slugs = {store.slug for store in stores}
    give_up_at = time.monotonic() + CRAWL_PATIENCE
    while read != slugs:
        with sessions.begin() as session:
            summaries = [store for store in list_stores(session) if store.slug in slugs - read]
        for summary in summaries:
            run = summary.last_run
            if summary.checked_at is not None:
                read.add(summary.slug)
                tell(f"[demo] {len(read)} of {len(slugs)} read: {summary.name}, {summary.offer_count} offers")
            elif run is not None and run.state not in {"running", "finished"}:
                raise EnvironmentProblem(f"reading {summary.name} {run.state}: {run.problem}")
        if time.monotonic() > give_up_at:
            raise EnvironmentProblem(
                f"no answer from {', '.join(sorted(slugs - read))}; start the demo again"
            )
        time.sleep(POLL_SECONDS)


def _wait_for_matching(sessions: Sessions) -> None:
    give_up_at = time.monotonic() + CRAWL_PATIENCE
    told = 0
    while True:
        with sessions.begin() as session:
            pending = count_pending_offers(session)
        if not pending:
            return
        if pending != told:
            tell(f"[demo] matching: {pending} offers wait")
            told = pending
        if time.monotonic() > give_up_at:
            raise EnvironmentProblem("the matcher does not come to an end; start the demo again")
        time.sleep(POLL_SECONDS)


def main() -> None:
    """The step that `click2cart demo` runs as a process of its own: argument, the stores' ready file."""
    try:
        prepare_demo(Settings.from_env(), read_stores(Path(sys.argv[1])))
    except Click2CartError as error:
        tell(f"click2cart: {error}")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
