"""Stores of other platforms on loopback: added by their address, crawled, and their offers listed, by command."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from aggregator.cli import commands
from aggregator.db.models import StoreRow
from aggregator.db.session import Sessions
from aggregator.settings import Settings
from tests.unit.store_answers import saved

# Answers a request (method, path with query, posted text) with status, headers and body.
Answering = Callable[[str, str, str, dict[str, str]], tuple[int, dict[str, str], str]]
JSON = {"Content-Type": "application/json; charset=utf-8"}
HTML = {"Content-Type": "text/html; charset=utf-8"}


@dataclass
class Shop:
    """A shop on a free port of this machine."""

    url: str
    authority: str


@pytest.fixture
def opened(
    settings: Settings, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Answering], Shop]]:
    servers: list[ThreadingHTTPServer] = []

    def open_shop(answer: Answering) -> Shop:
        class Handler(BaseHTTPRequestHandler):
            def _serve(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                posted = self.rfile.read(length).decode()
                headers = {name.lower(): value for name, value in self.headers.items()}
                status, named, body = answer(self.command, self.path, posted, headers)
                content = body.replace("https://shop.example", url).encode()
                self.send_response(status)
                for name, value in {**named, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = _serve

            def log_message(self, format: str, *args: object) -> None:
                """Tests are quiet."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        authorities = ",".join(f"127.0.0.1:{one.server_port}" for one in servers)
        monkeypatch.setenv("CLICK2CART_ALLOW_PRIVATE_HOSTS", authorities)
        return Shop(url, f"127.0.0.1:{server.server_port}")

    monkeypatch.setenv("DATABASE_URL", settings.database_url or "")
    monkeypatch.setenv("CLICK2CART_DATA_DIR", str(settings.data_dir))
    yield open_shop
    for server in servers:
        server.shutdown()
        server.server_close()


def run(*arguments: str) -> tuple[int, Any, str]:
    """Exit code, the JSON document, and what was said beside it."""
    done = CliRunner().invoke(commands, [*arguments])
    return (
        done.exit_code,
        json.loads(done.stdout) if done.stdout.startswith("{") else done.stdout,
        done.stderr,
    )


def offers(slug: str) -> list[dict[str, Any]]:
    done = CliRunner().invoke(commands, ["offers", "--store", slug, "--format", "jsonl"])
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return sorted(found, key=lambda offer: str(offer["external_id"]))


def vendure(method: str, path: str, posted: str, headers: dict[str, str]) -> tuple[int, dict[str, str], str]:
    exposed = {**JSON, "Access-Control-Expose-Headers": "vendure-auth-token"}
    if method == "GET":
        return (
            (400, exposed, '{"errors":[]}') if path == "/shop-api" else (404, exposed, '{"statusCode":404}')
        )
    if "__type" in posted:
        return 200, exposed, '{"data":{"__type":{"fields":[{"name":"gtin"},{"name":"mpn"}]}}}'
    return 200, exposed, json.dumps(saved("vendure/products.json"))


def medusa(method: str, path: str, posted: str, headers: dict[str, str]) -> tuple[int, dict[str, str], str]:
    if not path.startswith("/store/"):
        return 404, HTML, "<pre>Cannot GET /</pre>"
    if headers.get("x-publishable-api-key") != "pk_1":
        return 400, JSON, json.dumps(saved("medusa/no_key.json"))
    return (
        200,
        JSON,
        json.dumps(saved("medusa/regions.json" if "/regions" in path else "medusa/products.json")),
    )


def opencart(method: str, path: str, posted: str, headers: dict[str, str]) -> tuple[int, dict[str, str], str]:
    pages = {
        "/": "opencart/home.html",
        "/en-gb/catalog/phones": "opencart/category.html",
        "/en-gb/product/blue-phone": "opencart/product.html",
        "/en-gb/product/phones/red-phone": "opencart/plain-product.html",
    }
    if path not in pages:
        return 404, HTML, "<html>Not found"
    return 200, {**HTML, "Set-Cookie": "OCSESSID=1f2e; path=/; SameSite=Strict"}, saved(pages[path])


def test_a_vendure_store_is_added_by_its_address_and_crawled(opened: Callable[[Answering], Shop]) -> None:
    shop = opened(vendure)
    code, added, _ = run("stores", "add", shop.url, "--slug", "vend", "--json")
    assert (code, added["platform"], added["hand_off"]) == (0, "vendure", "product_link")
    code, report, _ = run("crawl", "vend", "--json")
    assert (code, report["state"], report["offers"]["new"]) == (0, "finished", 5)
    first = offers("vend")[0]
    assert (first["external_id"], first["price"], first["currency"], first["mpn"]) == (
        "1", "226.99", "EUR", "WH1000XM4B.CE7",
    )  # fmt: skip
    code, report, _ = run("crawl", "vend", "--json")
    assert (report["offers"]["unchanged"], report["offers"]["changed"]) == (5, 0)


def test_a_medusa_store_says_which_key_it_needs_and_keeps_it_secret(
    opened: Callable[[Answering], Shop], sessions: Sessions
) -> None:
    shop = opened(medusa)
    code, added, _ = run("stores", "add", shop.url, "--slug", "med", "--json")
    assert (code, added["platform"]) == (0, "medusa")
    code, report, said = run("crawl", "med", "--json")
    assert (code, report["state"]) == (1, "failed")
    assert "needs a key: --set publishable_key=…" in said
    given = ("--set", "publishable_key=pk_1", "--set", "region=Europe", "--set", "country=at")
    template = ("--set", f"product_url_template={shop.url}/p/{{handle}}")
    assert run("stores", "add", shop.url, "--slug", "med", *given, *template, "--json")[0] == 0
    code, report, _ = run("crawl", "med", "--json")
    assert (code, report["state"], report["offers"]["new"]) == (0, "finished", 4)
    assert {offer["url"].split("/p/")[0] for offer in offers("med")} == {shop.url}
    with sessions.begin() as session:
        row = session.scalars(select(StoreRow).where(StoreRow.slug == "med")).one()
        assert "pk_1" not in json.dumps([row.options, row.detection, str(row.secret_options)])


def test_an_opencart_shop_is_added_by_its_address_and_crawled(opened: Callable[[Answering], Shop]) -> None:
    shop = opened(opencart)
    assert run("stores", "add", shop.url, "--slug", "cart", "--json")[1]["platform"] == "opencart"
    code, report, _ = run("crawl", "cart", "--json")
    assert (code, report["state"], report["offers"]["new"]) == (0, "finished", 5)
    assert [offer["price"] for offer in offers("cart")] == [
        "1294.99",
        "1289.99",
        "1353.99",
        "1348.99",
        "79.99",
    ]


def test_a_store_whose_pages_tell_nothing_is_read_as_the_operator_says(
    opened: Callable[[Answering], Shop],
) -> None:
    def headless(
        method: str, path: str, posted: str, headers: dict[str, str]
    ) -> tuple[int, dict[str, str], str]:
        if path == "/api/graphql/":
            return 200, JSON, json.dumps(saved("saleor/products.json"))
        return (200, HTML, '<html><body><div id="__next"></div>') if path == "/" else (404, HTML, "<html>")

    shop = opened(headless)
    assert run("stores", "add", shop.url, "--slug", "head", "--json")[0] == 1
    given = ("--platform", "saleor", "--set", f"api_url={shop.url}/api/graphql/", "--country", "us")
    code, added, _ = run("stores", "add", shop.url, "--slug", "head", *given, "--json")
    assert (code, added["platform"], added["country"]) == (0, "saleor", "US")
    assert added["signals"][0] == {"what": "named by the operator", "where": "--platform"}
    code, report, _ = run("crawl", "head", "--json")
    assert (code, report["offers"]["new"], report["offers"]["quarantined"]) == (0, 2, 1)


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--platform", "tin_can", "no such store platform: tin_can"),
        ("--currency", "EURO", "is not an ISO 4217 currency"),
        ("--country", "Germany", "is no country"),
    ],
)
def test_a_wrong_word_about_a_store_is_refused_before_it_is_asked(
    opened: Callable[[Answering], Shop], option: str, value: str, said: str
) -> None:
    asked: list[str] = []

    def listening(
        method: str, path: str, posted: str, headers: dict[str, str]
    ) -> tuple[int, dict[str, str], str]:
        asked.append(path)
        return 404, HTML, ""

    shop = opened(listening)
    done = CliRunner().invoke(commands, ["stores", "add", shop.url, option, value, "--json"])
    assert done.exit_code != 0
    assert said in f"{done.stderr}{done.exception}"
    assert asked == []
