"""Exchange rates: read from the ECB's XML or CSV, kept by day, asked for only while a store needs them."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import dramatiq
import pytest
from dramatiq.brokers.stub import StubBroker
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from aggregator.catalog.exchange_rates import (
    ExchangeRates,
    Rate,
    current_rates,
    keep_rates,
    rates_are_due,
    read_rates,
)
from aggregator.db.models import ExchangeRateFetchRow
from aggregator.db.session import Sessions
from aggregator.domain.errors import InvalidInput
from aggregator.domain.money import Money
from aggregator.settings import Settings
from tests.integration.shop_rows import store_row
from workers import context as work

TODAY = datetime.now(UTC).date()
ECB = """<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
<gesmes:subject>Reference rates</gesmes:subject><gesmes:Sender><gesmes:name>ECB</gesmes:name></gesmes:Sender>
<Cube><Cube time='{day}'><Cube currency='USD' rate='1.0850'/><Cube currency='JPY' rate='161.20'/></Cube></Cube>
</gesmes:Envelope>"""


def test_reads_the_ecbs_xml_and_csv() -> None:
    day = date(2026, 11, 19)
    usd, yen = Rate("USD", day, Decimal("1.0850")), Rate("JPY", day, Decimal("161.20"))
    assert read_rates(ECB.format(day=day).encode()) == [usd, yen]
    assert read_rates(b"\xef\xbb\xbfdate,currency,rate\n2026-11-19, usd ,1.0850\n") == [usd]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>Not found</html>",
        b"day,currency,rate\n2026-11-19,USD,1\n",
        b"date,currency,rate\n2026-11-19,USD,0\n",
        b"date,currency,rate\n2026-11-19,USD,-1\n",
        b"date,currency,rate\n2026-11-19,USD,NaN\n",
        b"date,currency,rate\n2026-11-19,BTC,1\n",
        b"date,currency,rate\nyesterday,USD,1\n",
        b"date,currency,rate\n2026-11-19,USD\n",
    ],
)
def test_refuses_what_is_no_rate(content: bytes) -> None:
    with pytest.raises(InvalidInput):
        read_rates(content)


def test_converts_over_the_euro_in_the_currencys_decimals() -> None:
    rates = ExchangeRates(
        {"USD": Rate("USD", TODAY, Decimal("1.10")), "JPY": Rate("JPY", TODAY - timedelta(1), Decimal(165))}
    )
    assert rates.convert(Money(Decimal("11.00"), "USD"), "EUR") == Money(Decimal("10.00"), "EUR")
    assert rates.convert(Money(Decimal("11.00"), "USD"), "JPY") == Money(Decimal(1650), "JPY")
    assert rates.convert(Money(Decimal("1.00"), "CHF"), "EUR") is None
    assert rates.as_of("USD", "JPY") == TODAY - timedelta(1)
    assert rates.as_of("EUR", "EUR") is None


def test_the_newest_usable_rate_of_each_currency_counts(session: Session) -> None:
    keep_rates(
        session,
        [
            Rate("USD", TODAY - timedelta(days=2), Decimal("1.2")),
            Rate("USD", TODAY - timedelta(days=1), Decimal("1.1")),
            Rate("CHF", TODAY - timedelta(days=11), Decimal("0.9")),
        ],
        "test",
    )
    keep_rates(session, [Rate("USD", TODAY - timedelta(days=1), Decimal("1.15"))], "test")
    assert current_rates(session).rates == {"USD": Rate("USD", TODAY - timedelta(days=1), Decimal("1.15"))}


def test_rates_are_asked_for_only_while_a_store_asks_another_currency(session: Session) -> None:
    store = store_row(session, "near")
    assert not rates_are_due(session, "rates.csv")
    store.currency = "USD"
    session.flush()
    assert not rates_are_due(session, "")
    assert rates_are_due(session, "rates.csv")
    assert not rates_are_due(session, "rates.csv")
    session.execute(update(ExchangeRateFetchRow).values(asked_at=datetime.now(UTC) - timedelta(hours=7)))
    assert rates_are_due(session, "rates.csv")


class _Bank(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        is_there = self.path == "/rates.xml"
        self.send_response(200 if is_there else 404)
        self.end_headers()
        self.wfile.write(ECB.format(day=TODAY).encode() if is_there else b"")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def bank() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Bank) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def read_now(settings: Settings, sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the worker does when the clock asks for rates."""
    dramatiq.set_broker(StubBroker())
    from workers.actors.exchange_rates import read_exchange_rates

    monkeypatch.setattr(work, "_current", work.WorkContext(settings, sessions))
    read_exchange_rates.fn()


def noted(sessions: Sessions) -> tuple[bool, str | None]:
    """Whether the source ever answered, and what was wrong the last time."""
    with sessions() as session:
        row = session.scalars(select(ExchangeRateFetchRow)).one()
        return row.read_at is not None, row.problem


def test_the_worker_reads_an_address_through_the_guard_and_notes_what_is_wrong(
    settings: Settings, sessions: Sessions, bank: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = f"http://{bank}/rates.xml"
    try:
        read_now(replace(settings, exchange_rates=source), sessions, monkeypatch)
        assert noted(sessions)[0] is False  # a loopback address is not fetched unless it is allowed
        allowed = replace(settings, exchange_rates=source, allow_private_hosts=frozenset({bank}))
        read_now(allowed, sessions, monkeypatch)
        assert noted(sessions) == (True, None)
        with sessions() as session:
            assert current_rates(session).factor("USD", "EUR") == 1 / Decimal("1.0850")
    finally:
        forget(sessions)


def test_the_worker_reads_a_file_and_keeps_old_rates_when_it_is_gone(
    settings: Settings, sessions: Sessions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "rates.csv"
    file.write_text(f"date,currency,rate\n{TODAY},USD,1.10\n")
    of_file = replace(settings, exchange_rates=str(file))
    try:
        read_now(of_file, sessions, monkeypatch)
        file.unlink()
        read_now(of_file, sessions, monkeypatch)
        was_read, problem = noted(sessions)
        assert was_read
        assert "No such file" in (problem or "")
        with sessions() as session:
            assert set(current_rates(session).rates) == {"USD"}
    finally:
        forget(sessions)


def forget(sessions: Sessions) -> None:
    """These tables hang on no other that is emptied."""
    with sessions.begin() as session:
        session.execute(text("truncate exchange_rates, exchange_rate_fetches"))
