"""Product pages of about 60 kB for benchmarks, and a fast server for them in a process of its own.

Three templates as shops have them (JSON-LD with OpenGraph, microdata with OpenGraph, and both), with what real
pages carry beside the product: style sheets and scripts inline, a navigation, a table of properties, reviews and
related products with prices of their own.

The server answers conditional requests and counts the bytes it sends. Run as a program it serves the pages:

    python -m benchmarks.crawl_pages --pages 5000
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

_WORDS = (
    "stainless steel kettle lamp wireless compact robust garden outdoor travel ceramic handmade oak cotton quiet "
    "bright series edition black white silver double wall litre watt energy class warranty design office kitchen "
    "bathroom portable foldable adjustable height premium classic modern soft hard light heavy small large"
).split()
# What is the same on every page of a shop: style sheet, navigation, footer, script.
_SITE_WORDS = random.Random(0)
_LASTMOD = "2026-11-01T08:00:00+00:00"


@dataclass(frozen=True, slots=True)
class _Product:
    number: int
    name: str
    price: str
    list_price: str
    gtin: str
    words: random.Random

    def text(self, count: int) -> str:
        """So many words of prose."""
        return " ".join(self.words.choice(_WORDS) for _ in range(count)).capitalize() + "."


def _product(number: int) -> _Product:
    words = random.Random(number)
    name = f"{' '.join(words.sample(_WORDS, 4)).title()} {words.choice('ABCDEFGH')}{1000 + number}"
    cents = words.randrange(499, 99900)
    digits = f"400{number:09d}"
    check = -sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits)) % 10
    price, list_price = (f"{amount // 100}.{amount % 100:02d}" for amount in (cents, cents * 5 // 4))
    return _Product(number, name, price, list_price, f"{digits}{check}", words)


def product_page(number: int, base: str) -> str:
    """The HTML of one product's page."""
    product = _product(number)
    url = f"{base}/p/{number}"
    kind = number % 3
    head = _open_graph(product, url) + (_json_ld(product, url) if kind != 1 else "")
    main = _microdata(product, url) if kind != 0 else _plain(product)
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{product.name} | Bench Shop</title>'
        f'<link rel="canonical" href="{url}">{head}{_style()}</head><body>{_navigation()}'
        f"<main>{_crumbs(product)}{main}{_table(product)}{_reviews(product)}{_related(product)}</main>"
        f"{_footer()}{_script()}</body></html>"
    )


def _open_graph(product: _Product, url: str) -> str:
    values = {
        "og:type": "product", "og:title": product.name, "og:url": url, "og:site_name": "Bench Shop",
        "og:image": f"{url}.jpg", "product:price:amount": product.price, "product:price:currency": "EUR",
        "product:availability": "in stock",
    }  # fmt: skip
    return "".join(f'<meta property="{name}" content="{value}">' for name, value in values.items())


def _json_ld(product: _Product, url: str) -> str:
    markup = {
        "@context": "https://schema.org",
        "@type": "Product",
        "name": product.name,
        "sku": f"SKU-{product.number}",
        "gtin13": product.gtin,
        "brand": {"@type": "Brand", "name": "Benchmark"},
        "image": [f"{url}-{view}.jpg" for view in range(4)],
        "description": product.text(60),
        "aggregateRating": {"@type": "AggregateRating", "ratingValue": "4.4", "reviewCount": "27"},
        "offers": {
            "@type": "Offer",
            "url": url,
            "price": product.price,
            "priceCurrency": "EUR",
            "availability": "https://schema.org/InStock",
            "itemCondition": "https://schema.org/NewCondition",
        },
    }
    return f'<script type="application/ld+json">{json.dumps(markup)}</script>'


@cache
def _style() -> str:
    rules = "".join(
        f".{_SITE_WORDS.choice(_WORDS)}-{rule}{{display:flex;padding:{rule % 9}px;color:#{rule:06x}}}"
        for rule in range(90)
    )
    return f"<style>{rules}</style>"


@cache
def _navigation() -> str:
    links = "".join(
        f'<li class="nav-item level-{link % 3}"><a class="nav-link" href="/c/{link}">'
        f"{_SITE_WORDS.choice(_WORDS).title()} {_SITE_WORDS.choice(_WORDS)}</a></li>"
        for link in range(180)
    )
    return f'<header><a href="/">Bench Shop</a><nav aria-label="Main"><ul>{links}</ul></nav></header>'


def _crumbs(product: _Product) -> str:
    return (
        f'<ol class="breadcrumbs"><li><a href="/">Home</a></li><li>{product.words.choice(_WORDS)}</li></ol>'
    )


def _microdata(product: _Product, url: str) -> str:
    return (
        f'<div itemscope itemtype="https://schema.org/Product"><h1 itemprop="name">{product.name}</h1>'
        f'<meta itemprop="sku" content="SKU-{product.number}"><meta itemprop="gtin13" content="{product.gtin}">'
        f'<div itemprop="brand" itemscope itemtype="https://schema.org/Brand">'
        f'<span itemprop="name">Benchmark</span></div>'
        f'<img itemprop="image" src="{url}.jpg" alt="{product.name}">'
        f'<div itemprop="offers" itemscope itemtype="https://schema.org/Offer"><s>€{product.list_price}</s> '
        f'<span class="price">€{product.price}</span><meta itemprop="price" content="{product.price}">'
        f'<meta itemprop="priceCurrency" content="EUR"><link itemprop="availability" '
        f'href="https://schema.org/InStock">In stock</div><button>Add to cart</button>'
        f'<p itemprop="description">{product.text(60)}</p></div>'
    )


def _plain(product: _Product) -> str:
    return (
        f'<div class="product"><h1>{product.name}</h1><p class="price"><s>€{product.list_price}</s> '
        f"<strong>€{product.price}</strong></p><p>In stock</p><button>Add to cart</button>"
        f"<p>{product.text(60)}</p></div>"
    )


def _table(product: _Product) -> str:
    rows = "".join(f"<tr><th>{name.title()}</th><td>{product.text(4)}</td></tr>" for name in _WORDS[:24])
    return f"<h2>Properties</h2><table>{rows}</table><p>{product.text(160)}</p>"


def _reviews(product: _Product) -> str:
    reviews = "".join(
        f'<article class="review"><h3>{product.text(4)}</h3><span class="stars">{1 + review % 5}</span>'
        f"<p>{product.text(55)}</p></article>"
        for review in range(40)
    )
    return f"<h2>Reviews</h2>{reviews}"


def _related(product: _Product) -> str:
    cards = "".join(
        f'<li class="card"><a href="/p/{product.number + card}"><img loading="lazy" src="/i/{card}.jpg" alt="">'
        f'<span class="card-title">{product.text(4)}</span></a>'
        f'<span class="card-price">€{product.words.randrange(5, 900)}.99</span></li>'
        for card in range(1, 25)
    )
    return f"<h2>You may also like</h2><ul>{cards}</ul>"


@cache
def _footer() -> str:
    links = "".join(f'<a href="/f/{link}">{_SITE_WORDS.choice(_WORDS).title()}</a> ' for link in range(40))
    return f"<footer>{links}</footer>"


@cache
def _script() -> str:
    lines = "".join(
        f"function f{line}(a,b){{var c=a*{line}+b;if(c>{line * 7}){{return '{_SITE_WORDS.choice(_WORDS)}'}}return c}}"
        for line in range(70)
    )
    return f"<script>window.shop=window.shop||{{}};{lines}</script>"


class _Site:
    """The answers, made once; `sent` counts the bytes of all of them."""

    def __init__(self, pages: int, base: str) -> None:
        self.sent = 0
        self.pages = {
            f"/p/{number}".encode(): self._page(product_page(number, base).encode())
            for number in range(pages)
        }
        self.base = base
        self.has_lastmod = True

    def _page(self, body: bytes) -> tuple[bytes, bytes, bytes]:
        tag = b'"' + hashlib.blake2b(body, digest_size=8).hexdigest().encode() + b'"'
        fields = b"ETag: " + tag + b"\r\nContent-Type: text/html; charset=utf-8\r\n"
        return (
            tag,
            b"HTTP/1.1 200 OK\r\n" + fields + b"Content-Length: %d\r\n\r\n" % len(body) + body,
            b"HTTP/1.1 304 Not Modified\r\nETag: " + tag + b"\r\n\r\n",
        )

    def answer(self, head: bytes) -> bytes:
        """The answer to one request."""
        path = head.split(b" ", 2)[1]
        page = self.pages.get(path)
        if page is None:
            body = self._other(path)
            status = b"200 OK" if body is not None else b"404 Not Found"
            body = body or b""
            return b"HTTP/1.1 " + status + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        return page[2] if b"\r\nif-none-match: " + page[0] in head.lower() else page[1]

    def _other(self, path: bytes) -> bytes | None:
        if path == b"/sitemap.xml":
            lastmod = f"<lastmod>{_LASTMOD}</lastmod>" if self.has_lastmod else ""
            entries = "".join(f"<url><loc>{self.base}{p.decode()}</loc>{lastmod}</url>" for p in self.pages)
            return f"<urlset>{entries}</urlset>".encode()
        if path in {b"/-/lastmod", b"/-/no-lastmod"}:
            self.has_lastmod = path == b"/-/lastmod"
            return b"ok"
        return str(self.sent).encode() if path == b"/-/sent" else None


class _Connection(asyncio.Protocol):
    def __init__(self, site: _Site) -> None:
        self._site = site
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            answer = self._site.answer(head)
            if b" /-/" not in head[:20]:
                self._site.sent += len(answer)
            self._transport.write(answer)


@dataclass(frozen=True, slots=True)
class BenchmarkSite:
    """The running server."""

    port: int

    @property
    def base(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def sent(self) -> int:
        """Bytes sent so far, heads included."""
        return int(self._ask("sent"))

    def list_with_lastmod(self, has_lastmod: bool) -> None:
        """Whether its sitemap says when each page changed."""
        self._ask("lastmod" if has_lastmod else "no-lastmod")

    def _ask(self, what: str) -> str:
        with urllib.request.urlopen(f"{self.base}/-/{what}") as answer:
            return str(answer.read().decode())


@contextmanager
def served_pages(pages: int) -> Iterator[BenchmarkSite]:
    """Serves so many product pages from a process of its own."""
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.crawl_pages", "--pages", str(pages)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    try:
        yield BenchmarkSite(int(server.stdout.readline()))
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


async def _serve(pages: int) -> None:
    holder: list[_Site] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(holder[0]), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    holder.append(_Site(pages, f"http://127.0.0.1:{port}"))
    print(port, flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Serve benchmark pages; prints the port.")
    parser.add_argument("--pages", type=int, default=5000)
    asyncio.run(_serve(parser.parse_args().pages))
