"""A small shop of product pages that answers conditional requests and says what it was asked."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aggregator.catalog.ingest import IngestReport
from aggregator.catalog.stores import NewStore, register_store
from aggregator.db.session import Sessions
from aggregator.settings import Settings
from spiders.runner import crawl_store


@dataclass
class PageSite:
    """Products by number with their price; `lastmods` are what its sitemap says of them, if anything."""

    prices: dict[int, str]
    lastmods: dict[int, str] = field(default_factory=dict)
    robots: str = ""
    has_etags: bool = True
    # Whatever else is to be answered, by path: (status, headers, body).
    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    asked: list[tuple[str, int]] = field(default_factory=list)
    before: Callable[[str], None] = field(default=lambda path: None)
    port: int = 0

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def pages_asked(self, status: int | None = None) -> list[str]:
        """Paths of product pages that were asked for, in order; only those answered with `status` where given."""
        return [
            path for path, got in self.asked if path.startswith("/p/") and (status is None or got == status)
        ]

    def answer(self, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        if path in self.answers:
            return self.answers[path]
        if path == "/robots.txt":
            return 200, {}, self.robots.encode()
        if path == "/sitemap.xml":
            return self._conditional(self._sitemap(), "text/xml", headers)
        number = int(path.rpartition("/")[2]) if path.startswith("/p/") else -1
        if number not in self.prices:
            return 404, {}, b"nothing here"
        return self._conditional(self._page(number), "text/html", headers)

    def _conditional(
        self, body: bytes, kind: str, headers: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        tag = f'"{hashlib.blake2b(body, digest_size=8).hexdigest()}"'
        if not self.has_etags:
            return 200, {"Content-Type": kind}, body
        if headers.get("if-none-match") == tag:
            return 304, {"ETag": tag}, b""
        return 200, {"Content-Type": kind, "ETag": tag}, body

    def _sitemap(self) -> bytes:
        entries = "".join(
            f"<url><loc>{self.base}/p/{number}</loc>"
            + (f"<lastmod>{self.lastmods[number]}</lastmod>" if number in self.lastmods else "")
            + "</url>"
            for number in sorted(self.prices)
        )
        return f"<urlset>{entries}</urlset>".encode()

    def _page(self, number: int) -> bytes:
        offer = {"price": self.prices[number], "priceCurrency": "EUR"}
        markup = {"@type": "Product", "name": f"Kettle {number}", "sku": f"sku-{number}", "offers": offer}
        return f'<h1>Kettle {number}</h1><script type="application/ld+json">{json.dumps(markup)}</script>'.encode()


@contextmanager
def served(site: PageSite) -> Iterator[PageSite]:
    """The site at a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            site.before(self.path)
            status, headers, body = site.answer(
                self.path, {name.lower(): value for name, value in self.headers.items()}
            )
            site.asked.append((self.path, status))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 304:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            return

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            return  # a client that was killed

    server = Server(("127.0.0.1", 0), Handler)
    site.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass(frozen=True)
class Shop:
    """A site registered as the store "shop"."""

    site: PageSite
    settings: Settings
    sessions: Sessions

    def crawl(self) -> IngestReport:
        self.site.asked.clear()
        report = crawl_store(self.settings, self.sessions, "shop", trigger="command")
        assert report is not None
        return report


def registered(site: PageSite, settings: Settings, sessions: Sessions, **options: str) -> Shop:
    with sessions.begin() as session:
        register_store(
            session,
            NewStore(url=site.base, platform="generic", name="Shop", slug="shop", options=options),
        )
    return Shop(site, settings, sessions)
