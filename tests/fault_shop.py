"""A shop on loopback that misbehaves as real ones do: whole answers by raw socket, down to the last byte."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_PATIENCE = 20.0
_NAMES = "Kettle Toaster Lamp Mixer Blender Iron Scale Clock Radio Grill Fan Heater".split()


@dataclass(frozen=True, slots=True)
class Article:
    """One thing on the shelf, with a page and a feed item of its own."""

    sku: str
    name: str
    gtin: str
    price: Decimal
    currency: str = "EUR"
    availability: str = "InStock"


def shelf(count: int = 24) -> dict[str, Article]:
    """So many articles by SKU; the same ones whenever they are asked for."""
    articles = [
        Article(
            sku=f"A{number:03}",
            name=f"Nordwind {_NAMES[number % len(_NAMES)]} NW-{100 + 7 * number}",
            gtin=_gtin(4_006_381_000_00 + number),
            price=Decimal(1990 + 310 * number) / 100,
        )
        for number in range(count)
    ]
    return {article.sku: article for article in articles}


def _gtin(digits: int) -> str:
    body = f"{digits:012}"
    odd, even = sum(map(int, body[::2])), sum(map(int, body[1::2]))
    return f"{body}{-(odd + 3 * even) % 10}"


class Visit:
    """One request under way. Behaviours write what they like; nothing checks that it is HTTP."""

    def __init__(
        self, shop: FaultShop, connection: socket.socket, path: str, headers: dict[str, str]
    ) -> None:
        self.shop = shop
        self.path = path
        self.headers = headers
        self._connection = connection

    def write(self, data: bytes) -> None:
        """Raises OSError once the visitor has gone."""
        self._connection.sendall(data)
        self.shop.bytes_sent += len(data)

    def head(self, status: int = 200, length: int | None = None, **headers: str) -> None:
        """The status line and headers; without a length the body ends with the connection."""
        lines = [f"HTTP/1.1 {status} Because", "Connection: close"]
        if length is not None:
            lines.append(f"Content-Length: {length}")
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.write(("\r\n".join(lines) + "\r\n\r\n").encode())

    def answer(self, body: bytes, status: int = 200, **headers: str) -> None:
        """A whole answer."""
        headers.setdefault("Content_Type", "text/html; charset=utf-8")
        self.head(status, len(body), **headers)
        self.write(body)


Behaviour = Callable[[Visit], None]


@dataclass(slots=True)
class _Planned:
    path: str
    behaviour: Behaviour
    times: int | None


@dataclass
class FaultShop:
    """What the shop sells and how it misbehaves; `asked` are the paths of all requests so far, in order."""

    articles: dict[str, Article] = field(default_factory=shelf)
    robots: str = "User-agent: *\nAllow: /\n"
    host: str = "127.0.0.1"
    port: int = 0
    scheme: str = "http"
    asked: list[str] = field(default_factory=list)
    visitors: list[dict[str, str]] = field(default_factory=list)
    bytes_sent: int = 0
    certificate: ssl.SSLContext | None = None
    _planned: list[_Planned] = field(default_factory=list)
    _is_over: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"

    @property
    def authority(self) -> str:
        return f"{self.host}:{self.port}"

    def misbehave(self, path: str, behaviour: Behaviour, *, times: int | None = None) -> None:
        """Do so at the next `times` requests below that path, or at each."""
        self._planned.append(_Planned(path, behaviour, times))

    def behave(self) -> None:
        """Be a good shop again, with its old goods."""
        self._planned.clear()
        self.articles = shelf()
        self.robots = "User-agent: *\nAllow: /\n"
        self.certificate = None
        self.scheme = "http"

    def forget(self) -> None:
        """Forget what was asked."""
        self.asked.clear()
        self.visitors.clear()
        self.bytes_sent = 0

    def change(self, change: Callable[[Article], Article], *, every: int = 1) -> None:
        """Change each article, or every n-th."""
        self.articles = {
            sku: change(article) if number % every == 0 else article
            for number, (sku, article) in enumerate(self.articles.items())
        }

    def wait(self, seconds: float) -> bool:
        """Let time go by; true once the shop closes."""
        return self._is_over.wait(seconds)

    def page(self, sku: str) -> bytes:
        """An article's page: what a visitor sees, and the same as markup."""
        article = self.articles[sku]
        markup = {
            "@context": "https://schema.org",
            "@type": "Product",
            "name": article.name,
            "sku": article.sku,
            "gtin13": article.gtin,
            "brand": {"@type": "Brand", "name": "Nordwind"},
            "offers": {
                "@type": "Offer",
                "price": str(article.price),
                "priceCurrency": article.currency,
                "availability": f"https://schema.org/{article.availability}",
            },
        }
        return (
            f"<!doctype html><html lang=en><title>{article.name}</title>"
            f'<script type="application/ld+json">{json.dumps(markup)}</script>'
            f"<h1>{article.name}</h1><p class=price>{article.price} {article.currency}</p>"
            f"<p>{'In stock' if article.availability == 'InStock' else 'Sold out'}</p></html>"
        ).encode()

    def sitemap(self) -> bytes:
        """Every article's page."""
        entries = "".join(f"<url><loc>{self.url}/p/{sku}</loc></url>" for sku in self.articles)
        return f'<?xml version="1.0"?><urlset>{entries}</urlset>'.encode()

    def feed(self) -> bytes:
        """Every article as an item of a merchant feed."""
        items = "".join(
            f"<item><g:id>{a.sku}</g:id><title>{a.name}</title><link>{self.url}/p/{a.sku}</link>"
            f"<g:price>{a.price} {a.currency}</g:price><g:gtin>{a.gtin}</g:gtin><g:brand>Nordwind</g:brand>"
            f"<g:availability>{'in_stock' if a.availability == 'InStock' else 'out_of_stock'}</g:availability></item>"
            for a in self.articles.values()
        )
        return (
            '<?xml version="1.0"?><rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel>'
            f"<title>Feed</title>{items}</channel></rss>"
        ).encode()

    def meet(self, visit: Visit) -> None:
        """Answer one request."""
        self.asked.append(visit.path)
        self.visitors.append(visit.headers)
        for planned in self._planned:
            if visit.path.startswith(planned.path) and planned.times != 0:
                planned.times = None if planned.times is None else planned.times - 1
                planned.behaviour(visit)
                return
        self.serve(visit)

    def serve(self, visit: Visit) -> None:
        """As a good shop answers."""
        path = visit.path.partition("?")[0]
        if path == "/robots.txt":
            visit.answer(self.robots.encode(), Content_Type="text/plain")
        elif path == "/sitemap.xml":
            visit.answer(self.sitemap(), Content_Type="application/xml")
        elif path == "/feed.xml":
            visit.answer(self.feed(), Content_Type="application/xml")
        elif path.startswith("/p/") and path[3:] in self.articles:
            visit.answer(self.page(path[3:]))
        elif path == "/":
            visit.answer(b"<!doctype html><title>Nordwind</title><h1>Nordwind</h1>")
        else:
            visit.answer(b"nothing here", 404)

    def whole(self, path: str) -> bytes:
        """The body of a good answer."""
        name = path.partition("?")[0]
        return (
            self.feed()
            if name == "/feed.xml"
            else self.sitemap()
            if name == "/sitemap.xml"
            else self.page(name[3:])
        )


@contextmanager
def open_shop(shop: FaultShop | None = None) -> Iterator[FaultShop]:
    """A shop that answers on a free port until the block ends."""
    shop = shop or FaultShop()
    with socket.create_server((shop.host, 0), backlog=64) as listener:
        shop.port = listener.getsockname()[1]
        listener.settimeout(0.05)
        threads: list[threading.Thread] = []

        def listen() -> None:
            while not shop.wait(0):
                with suppress(TimeoutError):
                    connection, _ = listener.accept()
                    thread = threading.Thread(target=_receive, args=(shop, connection), daemon=True)
                    thread.start()
                    threads.append(thread)

        listening = threading.Thread(target=listen, daemon=True)
        listening.start()
        try:
            yield shop
        finally:
            shop._is_over.set()
            listening.join()
            for thread in threads:
                thread.join(_PATIENCE)


def _receive(shop: FaultShop, connection: socket.socket) -> None:
    connection.settimeout(_PATIENCE)
    with connection, suppress(OSError):
        if shop.certificate is not None:
            connection = shop.certificate.wrap_socket(connection, server_side=True)
        with connection:
            request = b""
            while b"\r\n\r\n" not in request:
                received = connection.recv(65_536)
                if not received:
                    return
                request += received
            first, *lines = request.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
            pairs = (line.partition(":") for line in lines)
            headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
            shop.meet(Visit(shop, connection, first.split(" ")[1], headers))


# Behaviours ------------------------------------------------------------------------------------------------


def says(body: bytes | str, status: int = 200, **headers: str) -> Behaviour:
    """The same answer to everything."""
    content = body.encode() if isinstance(body, str) else body
    return lambda visit: visit.answer(content, status, **headers)


def empty(visit: Visit) -> None:
    """Status 200 and nothing."""
    visit.answer(b"")


def captcha(visit: Visit) -> None:
    """What a shop's gatekeeper shows instead of the page, with status 200."""
    visit.answer(
        b"<!doctype html><title>Just a moment...</title><h1>Checking your browser</h1>"
        b"<form action=/cdn-cgi/challenge><div class=g-recaptcha data-sitekey=x></div>"
        b"<p>Please prove that you are human to go on.</p></form>"
    )


def other_layout(visit: Visit) -> None:
    """The page after a redesign: no markup, the price only in a picture."""
    article = visit.shop.articles[visit.path.partition("?")[0][3:]]
    visit.answer(
        f"<!doctype html><title>{article.name}</title><main><h2>{article.name}</h2>"
        "<img src=/price.png alt=''><section>Free delivery above a certain value</section></main>".encode()
    )


def truncated(visit: Visit) -> None:
    """Promises the whole body, sends half and hangs up."""
    body = visit.shop.whole(visit.path)
    visit.head(200, len(body), Content_Type="text/html")
    visit.write(body[: len(body) // 2])


def cut_short(visit: Visit) -> None:
    """Half of the body as if it were all of it."""
    body = visit.shop.whole(visit.path)
    visit.answer(body[: len(body) // 2], Content_Type="text/html")


def endless_redirect(visit: Visit) -> None:
    """Always one further."""
    base, _, count = visit.path.partition("?n=")
    visit.answer(b"", 302, Location=f"{base}?n={int(count or 0) + 1}")


def redirect(location: str) -> Behaviour:
    """To there."""
    return lambda visit: visit.answer(b"", 302, Location=location)


def zip_bomb(size: int) -> Behaviour:
    """A page that is small on the wire and `size` bytes when it is unpacked."""
    block = bytes(1 << 20)

    def send(visit: Visit) -> None:
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        first = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
        # After a full flush the same input packs to the same bytes: one block serves for all.
        again = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
        visit.head(200, Content_Type="text/html", Content_Encoding="gzip")
        visit.write(first)
        for _ in range(size // len(block) - 1):
            visit.write(again)
        visit.write(packer.flush(zlib.Z_FINISH))

    return send


def huge(size: int, *, is_announced: bool) -> Behaviour:
    """A body of `size` bytes, with its length said before or not."""
    block = b"<p>" + b"x" * 65_000 + b"</p>"

    def send(visit: Visit) -> None:
        visit.head(200, size if is_announced else None, Content_Type="text/html")
        for _ in range(size // len(block) + 1):
            visit.write(block)

    return send


def drip(visit: Visit) -> None:
    """A byte now and then, for ever."""
    visit.head(200, 1_000_000, Content_Type="text/html")
    while not visit.shop.wait(0.05):
        visit.write(b"x")


def reset(visit: Visit) -> None:
    """Hangs up without a word, so hard that the kernel says so."""
    visit._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def sitemap_loop(visit: Visit) -> None:
    """An index of sitemaps that are indexes of each other, and ever new ones."""
    base, _, count = visit.path.partition("?n=")
    number = int(count or 0)
    children = [f"{base}?n={number}", f"{base}?n={number + 1}", f"{base}?n={number + 2}", "/sitemap.xml"]
    entries = "".join(f"<sitemap><loc>{visit.shop.url}{child}</loc></sitemap>" for child in children)
    visit.answer(f"<sitemapindex>{entries}</sitemapindex>".encode(), Content_Type="application/xml")


def times_hundred(article: Article) -> Article:
    """As if the decimal point had gone."""
    return replace(article, price=article.price * 100)


def in_dollars(article: Article) -> Article:
    """The same number in another currency."""
    return replace(article, currency="USD")


def sold_out(article: Article) -> Article:
    """Not to be had."""
    return replace(article, availability="OutOfStock")


def expired_certificate(folder: Path) -> ssl.SSLContext:
    """A server's TLS with a certificate for 127.0.0.1 that ended yesterday."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now - timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    file = folder / "expired.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def wait_until(condition: Callable[[], object], *, what: str, patience: float = 180.0) -> None:
    """Wait for something that other processes do."""
    give_up_at = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < give_up_at, f"{what} did not happen in {patience:.0f} s"
        time.sleep(0.05)
