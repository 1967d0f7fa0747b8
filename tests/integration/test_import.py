"""A feed taken by hand into its store: staged, judged and released like a crawl."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from aggregator.catalog.runs import due_stores
from aggregator.db.models import OfferRow, QuarantinedOfferRow, RunRow, StoreRow
from aggregator.db.session import Sessions
from aggregator.domain.errors import FetchRefused, InvalidInput
from aggregator.settings import Settings
from spiders.import_cli import import_feed as command
from spiders.importing import ImportRequest, import_feed
from tests.integration.shop_rows import store_row

HEADER = "id,title,link,price,availability,brand\n"


def rows(count: int, price: str = "19.90 EUR") -> str:
    return HEADER + "".join(
        f"A-{number},Kettle {number},https://www.kettles.example/p/{number},{price},in stock,Brüher\n"
        for number in range(count)
    )


def written(folder: Path, text: str, name: str = "feed.csv") -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def offers(sessions: Sessions) -> list[tuple[str, Decimal, bool]]:
    with sessions.begin() as session:
        found = session.execute(
            select(OfferRow.external_id, OfferRow.price, OfferRow.gone_at).order_by(OfferRow.id)
        )
        return [(external_id, price, gone_at is not None) for external_id, price, gone_at in found]


@pytest.fixture
def environment(settings: Settings) -> dict[str, str]:
    assert settings.database_url is not None
    return {"DATABASE_URL": settings.database_url, "CLICK2CART_DATA_DIR": str(settings.data_dir)}


def run(environment: dict[str, str], *arguments: str) -> Result:
    return CliRunner().invoke(command, arguments, env=environment, catch_exceptions=False)


def test_a_file_makes_its_store_and_is_released(
    environment: dict[str, str], sessions: Sessions, tmp_path: Path
) -> None:
    place = written(tmp_path, rows(3) + ",No number,https://www.kettles.example/p/x,1.00 EUR,,\n")
    result = run(environment, place, "--country", "de", "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["store"], told["state"], told["requests"]) == (
        0,
        "kettles-example",
        "finished",
        0,
    )
    assert told["offers"] == {
        "seen": 4, "new": 3, "changed": 0, "unchanged": 0, "held": 0, "quarantined": 1, "gone": 0,
    }  # fmt: skip
    with sessions.begin() as session:
        store = session.scalars(select(StoreRow)).one()
        assert (store.platform, store.url, store.currency, store.country, store.next_crawl_at) == (
            "merchant_feed", "https://www.kettles.example", "EUR", "DE", None,
        )  # fmt: skip
        assert session.scalars(select(RunRow.trigger)).one() == "import"
        assert session.scalars(select(QuarantinedOfferRow.reason)).one() == "no_id"
        assert due_stores(session) == []


def test_the_same_feed_again_changes_nothing_and_what_it_leaves_out_is_gone(
    settings: Settings, sessions: Sessions, tmp_path: Path
) -> None:
    place = written(tmp_path, rows(3))
    import_feed(settings, sessions, ImportRequest(place=place))
    assert import_feed(settings, sessions, ImportRequest(place=place))[1].unchanged == 3
    shorter = written(tmp_path, rows(2, "17.50 EUR"), "shorter.csv")
    report = import_feed(settings, sessions, ImportRequest(place=shorter, slug="kettles-example"))[1]
    assert (report.changed, report.gone) == (2, 1)
    assert offers(sessions) == [
        ("A-0", Decimal("17.5000"), False), ("A-1", Decimal("17.5000"), False), ("A-2", Decimal("19.9000"), True),
    ]  # fmt: skip


def test_a_feed_gone_wrong_is_held(environment: dict[str, str], sessions: Sessions, tmp_path: Path) -> None:
    assert run(environment, written(tmp_path, rows(40))).exit_code == 0
    result = run(environment, written(tmp_path, rows(40, "1990.00 EUR"), "wrong.csv"))
    assert result.exit_code == 1
    assert "kettles-example: held" in result.stdout
    assert {price for _, price, _ in offers(sessions)} == {Decimal("19.9000")}


def test_a_feed_that_ends_in_the_middle_takes_nothing_away(
    settings: Settings, sessions: Sessions, tmp_path: Path
) -> None:
    items = [
        {"id": f"A-{n}", "title": "Kettle", "link": f"https://kettles.example/{n}", "price": "5.00 EUR"}
        for n in range(3)
    ]
    import_feed(settings, sessions, ImportRequest(place=written(tmp_path, json.dumps(items), "whole.json")))
    cut = json.dumps(items)[: -len(json.dumps(items[-1]))]
    store, report = import_feed(settings, sessions, ImportRequest(place=written(tmp_path, cut, "cut.json")))
    assert (store.slug, report.state, report.gone) == ("kettles-example", "failed", 0)
    assert "ends in the middle" in (report.problem or "")
    assert [gone for _, _, gone in offers(sessions)] == [False, False, False]


def test_a_table_in_another_language_is_read_by_the_columns_named(
    settings: Settings, sessions: Sessions, tmp_path: Path
) -> None:
    table = "Nummer;Name;Preis;Seite\n1;Löffel;4,95;https://shop.example/l\n"
    columns = {"columns": "id=Nummer, price=Preis, link=Seite"}
    asked = ImportRequest(place=written(tmp_path, table), slug="spoons", currency="CHF", options=columns)
    assert import_feed(settings, sessions, asked)[1].new == 1
    # The store remembers them for the next time.
    assert import_feed(settings, sessions, replace(asked, options={}))[1].unchanged == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEADER, "holds no item with an id, a title and a link"),
        (HEADER + "1,Kettle,,1.00 EUR,,\n", "a feed item without link"),
    ],
)
def test_a_feed_without_anything_to_sell_says_what_to_do(
    settings: Settings, sessions: Sessions, tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(InvalidInput, match=f"{words}.*--set columns="):
        import_feed(settings, sessions, ImportRequest(place=written(tmp_path, text)))


def test_a_store_read_in_another_way_is_left_alone(
    settings: Settings, sessions: Sessions, tmp_path: Path
) -> None:
    with sessions.begin() as session:
        store_row(session, "taken", url="https://kettles.example")
    with pytest.raises(InvalidInput, match="taken is read over plugged"):
        import_feed(settings, sessions, ImportRequest(place=written(tmp_path, rows(1)), slug="taken"))
    with sessions.begin() as session:
        assert session.scalars(select(StoreRow.platform)).one() == "plugged"


@pytest.mark.parametrize(
    "arguments",
    [
        ("none.csv",),
        ("none.csv", "--currency", "gold"),
        ("none.csv", "--country", "Elsewhere"),
        ("none.csv", "--set", "x"),
    ],
)
def test_wrong_calls_end_in_one_line(
    environment: dict[str, str], sessions: Sessions, arguments: tuple[str, ...]
) -> None:
    with pytest.raises(InvalidInput):
        run(environment, *arguments)


@pytest.fixture
def feed_server() -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_feed = self.path == "/feed.csv.gz"
            body = gzip.compress(rows(2).encode()) if is_feed else b""
            self.send_response(200 if is_feed else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_an_address_is_fetched_through_the_guard_and_kept_for_crawls(
    settings: Settings, sessions: Sessions, feed_server: int
) -> None:
    place = f"http://127.0.0.1:{feed_server}/feed.csv.gz"
    with pytest.raises(FetchRefused):
        import_feed(settings, sessions, ImportRequest(place=place))
    allowed = replace(settings, allow_private_hosts=frozenset({f"127.0.0.1:{feed_server}"}))
    store, report = import_feed(allowed, sessions, ImportRequest(place=place))
    assert (report.new, report.requests, store.options) == (2, 2, {"feed_url": place})
    with sessions.begin() as session:
        assert session.scalars(select(StoreRow.next_crawl_at)).one() is not None
