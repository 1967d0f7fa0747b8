"""The crawl process: guarded at every connection and redirect, and never left behind."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psutil

from aggregator.domain.offers import InvalidOffer, RawOffer
from aggregator.domain.stores import Store
from aggregator.settings import Settings
from spiders.crawl_conversation import crawl_lines
from spiders.item_lines import Counts, Ending

Pages = dict[str, tuple[int, dict[str, str], str]]


@contextmanager
def site(pages: Pages) -> Iterator[tuple[int, list[str]]]:
    """Serves pages by path; "{port}" in them becomes the port. Gives the port and the log of paths."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            status, headers, body = pages.get(self.path, (404, {}, "nothing here"))
            content = body.replace("{port}", str(server.server_port)).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value.replace("{port}", str(server.server_port)))
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_port, asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def product(name: str) -> tuple[int, dict[str, str], str]:
    markup = json.dumps(
        {"@type": "Product", "name": name, "sku": name, "offers": {"price": "1.00", "priceCurrency": "EUR"}}
    )
    return 200, {"Content-Type": "text/html"}, f'<script type="application/ld+json">{markup}</script>'


def sitemap(*addresses: str) -> tuple[int, dict[str, str], str]:
    entries = "".join(f"<url><loc>{address}</loc></url>" for address in addresses)
    return 200, {"Content-Type": "text/xml"}, f"<urlset>{entries}</urlset>"


def crawl(port: int, **options: str) -> tuple[list[RawOffer | InvalidOffer], Counts, Ending]:
    settings = Settings(allow_private_hosts=frozenset({f"127.0.0.1:{port}"}))
    store = Store(
        id="s", slug="s", name="S", url=f"http://127.0.0.1:{port}", platform="generic", options=options
    )
    with crawl_lines(settings, store, "spiders.crawlers.sitemap:SitemapSpider") as lines:
        read = list(lines)
    offers = [line for line in read if isinstance(line, RawOffer | InvalidOffer)]
    *_, counts, ending = [line for line in read if isinstance(line, Counts | Ending)]
    assert isinstance(counts, Counts)
    assert isinstance(ending, Ending)
    return offers, counts, ending


def test_only_the_stores_own_allowed_host_is_connected_to() -> None:
    with site({}) as (other_port, asked_of_other):
        base = "http://127.0.0.1:{port}"
        pages: Pages = {
            "/sitemap.xml": sitemap(
                f"{base}/p/1",
                f"{base}/p/2",
                f"{base}/p/3",
                f"{base}/p/4",
                f"http://localhost:{other_port}/p/9",
            ),
            "/p/1": product("one"),
            "/p/2": (302, {"Location": f"http://127.0.0.1:{other_port}/secret"}, ""),
            "/p/3": (302, {"Location": f"http://localhost:{other_port}/secret"}, ""),
            "/p/4": (301, {"Location": "/p/5"}, ""),
            "/p/5": product("five"),
        }
        with site(pages) as (port, _):
            offers, _, ending = crawl(port)
    assert sorted(offer.title for offer in offers) == ["five", "one"]
    assert ending == Ending(None)
    assert asked_of_other == []


def test_robots_hold_for_every_page() -> None:
    pages: Pages = {
        "/robots.txt": (
            200,
            {},
            "User-agent: Click2Cart\nDisallow: /secret\nSitemap: http://127.0.0.1:{port}/map.xml\n",
        ),
        "/map.xml": sitemap("http://127.0.0.1:{port}/secret/1", "http://127.0.0.1:{port}/p/1"),
        "/p/1": (302, {"Location": "/secret/2"}, ""),
        "/secret/1": product("hidden"),
        "/secret/2": product("hidden"),
    }
    with site(pages) as (port, asked):
        offers, counts, ending = crawl(port)
    assert offers == []
    assert sorted(asked) == ["/map.xml", "/p/1", "/robots.txt"]
    assert counts.requests == 3
    assert ending == Ending(None)


def test_nothing_is_fetched_while_robots_cannot_be_read() -> None:
    pages: Pages = {
        "/robots.txt": (503, {}, ""),
        "/sitemap.xml": sitemap("http://127.0.0.1:{port}/p/1"),
        "/p/1": product("x"),
    }
    with site(pages) as (port, asked):
        offers, _, ending = crawl(port)
    assert offers == []
    assert set(asked) == {"/robots.txt"}
    assert ending.problem is not None
    assert "robots.txt" in ending.problem


def test_pages_may_be_keyed_by_address() -> None:
    pages: Pages = {
        "/sitemap.xml": sitemap("http://127.0.0.1:{port}/p/1", "http://127.0.0.1:{port}/p/2"),
        "/p/1": product("same"),
        "/p/2": product("same"),
    }
    with site(pages) as (port, _):
        offers, _, _ = crawl(port, offer_key="url")
        assert sorted(offer.external_id for offer in offers) == [
            f"http://127.0.0.1:{port}/p/{n}" for n in (1, 2)
        ]
        offers, _, _ = crawl(port)
        assert [offer.external_id for offer in offers] == ["same", "same"]


def test_leaving_a_crawl_ends_its_process() -> None:
    pages: Pages = {
        "/robots.txt": (
            200,
            {},
            "User-agent: *\nCrawl-delay: 20\nSitemap: http://127.0.0.1:{port}/map.xml\n",
        ),
        "/map.xml": sitemap(*(f"http://127.0.0.1:{{port}}/p/{n}" for n in range(50))),
    } | {f"/p/{n}": product(str(n)) for n in range(50)}
    with site(pages) as (port, _):
        settings = Settings(allow_private_hosts=frozenset({f"127.0.0.1:{port}"}))
        store = Store(id="s", slug="s", name="S", url=f"http://127.0.0.1:{port}", platform="generic")
        with crawl_lines(settings, store, "spiders.crawlers.sitemap:SitemapSpider"):
            (child,) = crawl_processes()
        deadline = time.monotonic() + 10
        while child.is_running() and child.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
            child.wait(1)
        assert crawl_processes() == []


def crawl_processes() -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children(recursive=True):
        # A child of somebody else's, or one that ends just now, has no command line to look at.
        with suppress(psutil.NoSuchProcess):
            if "spiders.crawl_process" in child.cmdline():
                found.append(child)
    return found
