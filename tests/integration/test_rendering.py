"""Pages made by scripts, read through a browser that has no network but our own guarded one."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from aggregator.domain.errors import FetchRefused
from aggregator.domain.offers import InvalidOffer, RawOffer
from aggregator.domain.stores import Store
from aggregator.settings import Settings
from spiders.crawl_conversation import crawl_lines
from spiders.item_lines import Counts, Ending
from spiders.rendering import rendering_settings
from spiders.store_options import is_rendered
from tests.integration.test_crawl_process import Pages, site, sitemap

JSON = {"Content-Type": "application/json"}
HTML = {"Content-Type": "text/html"}
SCRIPT = {"Content-Type": "text/javascript"}

FILL = """
async function fill(name) {
  const product = await (await fetch("/api/product.json")).json();
  const markup = document.createElement("script");
  markup.type = "application/ld+json";
  markup.textContent = JSON.stringify({"@type": "Product", name: name || product.name, sku: product.sku,
    offers: {price: product.price, priceCurrency: "EUR", availability: "https://schema.org/InStock"}});
  document.head.append(markup);
  const heading = document.createElement("h1");
  heading.textContent = name || product.name;
  document.getElementById("app").append(heading);
}
"""

ESCAPES = """
const got = [];
const attempt = async (name, action) => { try { await action(); got.push(name); } catch (error) {} };
const provoke = async action => { try { await action(); } catch (error) {} };
const opened = socket => new Promise((resolve, reject) => { socket.onopen = resolve; socket.onerror = reject; });
const added = (tag, more) => new Promise((resolve, reject) => {
  document.body.append(Object.assign(document.createElement(tag), more, {onload: resolve, onerror: reject}));
  setTimeout(reject, 1000);
});
(async () => {
  for (const ear of PORTS) {
    const at = `127.0.0.1:${ear}/secret`;
    await attempt("fetch", () => fetch(`http://${at}`));
    await attempt("opaque", () => fetch(`http://${at}`, {mode: "no-cors"}));
    await attempt("name", () => fetch(`http://localhost:${ear}/`, {mode: "no-cors"}));
    await attempt("script", () => added("script", {src: `http://${at}`}));
    await attempt("image", () => added("img", {src: `http://${at}`}));
    await attempt("socket", () => opened(new WebSocket(`ws://${at}`)));
    await attempt("events", () => opened(new EventSource(`http://${at}`)));
    await attempt("transport", () => new WebTransport(`https://${at}`).ready);
    provoke(() => added("iframe", {src: `http://${at}`}));
    provoke(() => added("link", {rel: "preconnect", href: `http://${at}`}));
    provoke(() => added("link", {rel: "prefetch", href: `http://${at}`}));
    provoke(() => navigator.sendBeacon(`http://${at}`, "x"));
    provoke(() => window.open(`http://${at}`));
    const inside = `new WebSocket("ws://${at}"); fetch("http://${at}", {mode: "no-cors"})`;
    provoke(() => new Worker(URL.createObjectURL(new Blob([inside]))));
    provoke(async () => {
      const servers = [{urls: `stun:127.0.0.1:${ear}`},
        {urls: `turn:127.0.0.1:${ear}?transport=tcp`, username: "u", credential: "c"}];
      const peer = new RTCPeerConnection({iceServers: servers});
      peer.createDataChannel("x");
      await peer.setLocalDescription(await peer.createOffer());
    });
  }
  await attempt("metadata", () => fetch("http://169.254.169.254/latest/meta-data/", {mode: "no-cors"}));
  await attempt("file", () => fetch("file:///etc/hostname"));
  await attempt("post", () => fetch("/api/product.json", {method: "POST"}));
  await attempt("redirect", () => fetch("/away"));
  await attempt("service worker", async () => {
    if ((await navigator.serviceWorker.register("/fill.js")) === undefined) throw new Error("blocked");
  });
  // Long enough for what was only set going.
  for (let turn = 0; turn < 10; turn++) {
    await fetch("/api/product.json");
    await new Promise(resolve => setTimeout(resolve, 200));
  }
  await fill("got: " + (got.join(", ") || "nothing"));
})();
"""

SHOP: Pages = {
    "/sitemap.xml": sitemap("http://127.0.0.1:{port}/p/1"),
    "/api/product.json": (200, JSON, json.dumps({"name": "Reading lamp", "sku": "L-1", "price": "49.90"})),
    "/fill.js": (200, SCRIPT, FILL),
}


def shell(script: str) -> tuple[int, dict[str, str], str]:
    """A page without a word of its own."""
    loaded = f'<script src="/fill.js"></script><script>{script}</script>'
    return 200, HTML, f'<html><body><div id="app"></div>{loaded}</body></html>'


@pytest.fixture
def _chromium() -> None:
    """Without Chromium these tests are skipped, or fail where nothing may be skipped."""
    if not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))):
        missing = "no Chromium on the PATH (apt-get install chromium)"
        if os.environ.get("CLICK2CART_REQUIRE_ALL"):
            pytest.fail(missing)
        pytest.skip(missing)


needs_chromium = pytest.mark.usefixtures("_chromium")


def shop(port: int, **options: str) -> Store:
    return Store(
        id="s", slug="s", name="S", url=f"http://127.0.0.1:{port}", platform="generic", options=options
    )


def crawl(
    port: int, *, allowed: frozenset[int] = frozenset(), **options: str
) -> tuple[list[RawOffer | InvalidOffer], Counts, Ending]:
    settings = Settings(allow_private_hosts=frozenset(f"127.0.0.1:{number}" for number in {port, *allowed}))
    with crawl_lines(settings, shop(port, **options), "spiders.crawlers.sitemap:SitemapSpider") as lines:
        read = list(lines)
    offers = [line for line in read if isinstance(line, RawOffer | InvalidOffer)]
    *_, counts, ending = [line for line in read if isinstance(line, Counts | Ending)]
    assert isinstance(counts, Counts)
    assert isinstance(ending, Ending)
    return offers, counts, ending


@contextmanager
def silent_ears() -> Iterator[tuple[int, socket.socket, socket.socket]]:
    """A port where nobody may knock, by TCP or UDP."""
    with (
        socket.socket() as connections,
        socket.socket(type=socket.SOCK_DGRAM) as datagrams,
    ):
        connections.bind(("127.0.0.1", 0))
        connections.listen()
        connections.setblocking(False)
        port = connections.getsockname()[1]
        datagrams.bind(("127.0.0.1", port))
        datagrams.setblocking(False)
        yield port, connections, datagrams


def assert_nobody_came(connections: socket.socket, datagrams: socket.socket) -> None:
    with pytest.raises(BlockingIOError):
        connections.accept()
    with pytest.raises(BlockingIOError):
        datagrams.recv(1)


def test_without_the_option_such_a_page_is_kept_apart() -> None:
    with site({**SHOP, "/p/1": shell("fill()")}) as (port, asked):
        (offer,), _, ending = crawl(port)
    assert isinstance(offer, InvalidOffer)
    assert offer.reason == "needs_browser"
    assert ending == Ending(None)
    assert "/api/product.json" not in asked


@needs_chromium
def test_what_scripts_fetch_and_show_is_read() -> None:
    with site({**SHOP, "/p/1": shell("fill()")}) as (port, asked):
        (offer,), counts, ending = crawl(port, render="yes")
        assert isinstance(offer, RawOffer)
        assert (offer.title, offer.external_id, str(offer.price), offer.price_currency) == (
            "Reading lamp",
            "L-1",
            "49.90",
            "EUR",
        )
        assert offer.url == f"http://127.0.0.1:{port}/p/1"
    assert ending == Ending(None)
    assert asked[-3:] == ["/p/1", "/fill.js", "/api/product.json"]
    assert counts.requests == len(asked)


@needs_chromium
def test_scripts_are_fetched_once_for_all_pages() -> None:
    pages: Pages = {
        **SHOP,
        "/sitemap.xml": sitemap(*(f"http://127.0.0.1:{{port}}/p/{number}" for number in (1, 2, 3))),
        "/p/1": shell("fill('one')"),
        "/p/2": shell("fill('two')"),
        "/p/3": shell("fill('three')"),
    }
    with site(pages) as (port, asked):
        offers, _, _ = crawl(port, render="yes", offer_key="url")
    assert sorted(offer.title for offer in offers) == ["one", "three", "two"]
    assert asked.count("/fill.js") == 1


@needs_chromium
def test_a_page_reaches_nothing_but_the_stores_own_and_the_open_internet() -> None:
    with silent_ears() as (closed, connections, datagrams), site({}) as (other, asked_of_other):
        script = ESCAPES.replace("PORTS", f"[{closed}, {other}]")
        pages: Pages = {
            **SHOP,
            "/p/1": shell(script),
            "/away": (302, {"Location": f"http://127.0.0.1:{other}/secret"}, ""),
        }
        with site(pages) as (port, asked):
            # The operator allows the other port for another store; this store's pages do not come in there.
            (offer,), _, _ = crawl(port, allowed=frozenset({other}), render="yes")
        assert offer.title == "got: nothing"
        assert asked_of_other == []
        assert_nobody_came(connections, datagrams)
        assert "/away" in asked


@pytest.mark.prove
@needs_chromium
def test_a_page_that_never_ends_is_given_up_and_the_next_one_is_read() -> None:
    pages: Pages = {
        **SHOP,
        "/sitemap.xml": sitemap("http://127.0.0.1:{port}/p/1", "http://127.0.0.1:{port}/p/2"),
        "/p/1": shell("addEventListener('load', () => { for (;;) {} })"),
        "/p/2": shell("fill()"),
    }
    with site(pages) as (port, _):
        offers, _, ending = crawl(port, render="yes")
    assert sorted(type(offer).__name__ for offer in offers) == ["InvalidOffer", "RawOffer"]
    assert ending.problem is not None
    assert ending.problem.startswith(f"http://127.0.0.1:{port}/p/1: did not answer (")


@needs_chromium
def test_a_page_gets_so_many_answers_and_no_more() -> None:
    pages: Pages = {
        **SHOP,
        "/p/1": shell(
            "(async () => { for (let n = 0; n < 200; n++) await fetch('/n?' + n).catch(() => 0); })()"
        ),
    }
    with site(pages) as (port, asked):
        (offer,), _, _ = crawl(port, render="yes")
    assert isinstance(offer, InvalidOffer)
    assert sum(path.startswith("/n?") for path in asked) == 59


@needs_chromium
def test_leaving_a_crawl_ends_its_browser() -> None:
    with site({**SHOP, "/p/1": shell("for (;;) {}")}) as (port, _):
        settings = Settings(allow_private_hosts=frozenset({f"127.0.0.1:{port}"}))
        with crawl_lines(settings, shop(port, render="yes"), "spiders.crawlers.sitemap:SitemapSpider"):
            deadline = time.monotonic() + 30
            while not (browsers := [child for child in children() if is_browser(child)]):
                assert time.monotonic() < deadline, "no browser came up"
                time.sleep(0.1)
        _, alive = psutil.wait_procs(browsers, timeout=15)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []


def children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def is_browser(process: psutil.Process) -> bool:
    try:
        return any("--host-resolver-rules" in part for part in process.cmdline())
    except psutil.NoSuchProcess:
        return False


def test_a_machine_without_chromium_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(FetchRefused, match="rendering needs Chromium on the PATH: apt-get install chromium"):
        rendering_settings(shop(80, render="yes"))


def test_an_installation_without_the_extra_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scrapy_playwright", None)
    with pytest.raises(FetchRefused, match=r"rendering needs the extra: pip install click2cart\[rendering\]"):
        rendering_settings(shop(80, render="yes"))


def test_an_option_that_is_neither_yes_nor_no_is_refused() -> None:
    with pytest.raises(FetchRefused, match="set it with --set render=yes or render=no"):
        is_rendered(shop(80, render="maybe"))
