"""The whole of it on loopback: demo stores, crawled and matched; the site on its own server; a real browser."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit

import pytest
from argon2 import PasswordHasher
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from sqlalchemy.orm import sessionmaker
from werkzeug.serving import make_server

from aggregator.accounts import passwords
from aggregator.db.migrate import migrate
from aggregator.db.session import Sessions
from aggregator.settings import Settings
from fixtures.demo.stores import DemoStore, run_demo_stores
from matcher.linker import link_pending_offers
from spiders.runner import crawl_store
from tests.databases import fresh_database, name_beside
from web import create_app
from workers.demo import register_demo_store

QUIET_CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True, slots=True)
class Site:
    """The running site with what it runs on."""

    url: str
    settings: Settings
    sessions: Sessions
    stores: dict[str, DemoStore]


def chromium() -> str:
    """Chromium's path; without one the browser tests are skipped, or fail where nothing may be skipped."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        missing = "no Chromium on the PATH (apt-get install chromium)"
        if os.environ.get("CLICK2CART_REQUIRE_ALL"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    executable = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=QUIET_CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def demo_stores() -> Iterator[dict[str, DemoStore]]:
    with run_demo_stores() as stores:
        yield {store.slug: store for store in stores}


@pytest.fixture(scope="session")
def site(
    browser: Browser, settings: Settings, demo_stores: dict[str, DemoStore], shared_dir: Path
) -> Iterator[Site]:
    """The site over a catalogue that was crawled from the demo stores and matched."""
    with fresh_database(settings, name_beside(settings, "e2e")) as (settings, engine):
        hosts = frozenset(urlsplit(store.url).netloc for store in demo_stores.values())
        # Its own folder: what is derived from one database is nothing to another.
        data_dir = shared_dir / name_beside(settings, "e2e-data")
        settings = replace(settings, allow_private_hosts=hosts, port=free_port(), data_dir=data_dir)
        migrate(engine)
        sessions = sessionmaker(engine, expire_on_commit=False)
        for store in demo_stores.values():
            register_demo_store(settings, sessions, store)  # type: ignore[arg-type]  # the same five fields
            crawl_store(settings, sessions, store.slug, trigger="command")
        link_pending_offers(sessions)
        with running_web(settings, shared_dir / "web.log") as address:
            yield Site(address, settings, sessions, demo_stores)


@pytest.fixture(scope="session")
def demo(site: Site) -> Iterator[str]:
    """The address of the site as the demo shows it, with its inbox, over the catalogue of the others' journeys."""
    port = free_port()
    settings = replace(site.settings, redis_url=None, inbox="of the demo", is_demo=True, port=port)
    with pytest.MonkeyPatch.context() as cheaper:
        # What passwords cost is tested elsewhere; here it would be much of the time.
        cheaper.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        server = make_server("127.0.0.1", port, create_app(settings, site.sessions), threaded=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        # By its name, since no passkey is made for an address of numbers.
        yield f"http://localhost:{port}"
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def running_web(settings: Settings, log: Path) -> Iterator[str]:
    """The site on its production server, as a process of its own; its address."""
    environment = {
        **os.environ,
        "CLICK2CART_DATA_DIR": str(settings.data_dir),
        "DATABASE_URL": settings.database_url or "",
        "REDIS_URL": settings.redis_url or "",
        "CLICK2CART_ALLOW_PRIVATE_HOSTS": ",".join(settings.allow_private_hosts),
        "PORT": str(settings.port),
    }
    address = f"http://127.0.0.1:{settings.port}"
    command = [str(Path(sys.executable).with_name("click2cart")), "web"]
    with (
        log.open("ab") as output,
        subprocess.Popen(command, env=environment, stdout=output, stderr=output) as process,
    ):
        try:
            give_up_at = time.monotonic() + 60
            while not answers(f"{address}/readyz"):
                assert process.poll() is None, f"the site ended: {log.read_text()}"
                assert time.monotonic() < give_up_at, f"the site is not ready: {log.read_text()}"
                time.sleep(0.05)
            yield address
        finally:
            process.terminate()
            process.wait(timeout=30)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except (URLError, OSError):
        return False


@pytest.fixture
def visitor(browser: Browser) -> Iterator[BrowserContext]:
    """A new visitor on a desktop screen."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    yield context
    context.close()


@pytest.fixture
def page(visitor: BrowserContext, site: Site) -> Iterator[Page]:
    """A page of a new visitor; an error in a script or a broken policy of ours fails the test."""
    page = visitor.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    yield page
    assert [
        problem for problem in problems if site.url in problem or "Content Security Policy" in problem
    ] == []
