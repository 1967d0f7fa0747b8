"""Ten thousand alerts at once, and workers killed while they are told: none lost, none told as two."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text, update

from aggregator.catalog.search_changes import record_search_changes
from aggregator.db.models import AccountRow, AlertRow, NoticeRow, OfferRow, StoreRow
from aggregator.db.session import Sessions
from aggregator.domain.identifiers import new_public_id
from aggregator.settings import Settings
from tests.integration.mail_catcher import Mailbox, mail_catcher
from tests.integration.real_processes import process
from tests.integration.shop_rows import offer_row, product_row, store_row

pytestmark = pytest.mark.prove

ALERTS = 10_000
PRODUCTS = 100
KILLS = 8
PATIENCE = 900.0


def watch_everything(sessions: Sessions) -> list[int]:
    """Ten thousand accounts, each with an alert on one of a hundred products; the products' keys."""
    with sessions.begin() as session:
        store = store_row(session, "storm", checked_at=datetime.now(UTC))
        products = [product_row(session, f"Lamp {number}") for number in range(PRODUCTS)]
        for product in products:
            offer_row(session, store, product, "20.00")
        accounts = session.scalars(
            insert(AccountRow).returning(AccountRow.id),
            [
                {"email": f"shopper{number}@example.org", "public_id": new_public_id()}
                for number in range(ALERTS)
            ],
        ).all()
        session.execute(
            insert(AlertRow),
            [
                {
                    "public_id": new_public_id(),
                    "account_id": account,
                    "product_id": products[number % PRODUCTS].id,
                    "rule": "below",
                    "amount": Decimal(15),
                    "currency": "EUR",
                    "price_then": Decimal(20),
                }
                for number, account in enumerate(accounts)
            ],
        )
        return [product.id for product in products]


def drop_prices(sessions: Sessions, products: list[int]) -> None:
    with sessions.begin() as session:
        session.execute(update(StoreRow).values(checked_at=datetime.now(UTC)))
        session.execute(update(OfferRow).values(price=Decimal(10)))
        record_search_changes(session, products)


def waiting(sessions: Sessions) -> int:
    """What nobody was told of, in the outbox or before it."""
    with sessions.begin() as session:
        return int(
            session.scalar(
                text(
                    "select (select count(*) from alert_events where told_at is null)"
                    " + (select count(*) from notices where state = 'waiting')"
                )
            )
            or 0
        )


def test_ten_thousand_alerts_are_told_once_though_workers_are_killed(
    sessions: Sessions, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    products = watch_everything(sessions)
    chance = random.Random(7)
    log = tmp_path / "log"
    with mail_catcher() as mailbox, ExitStack() as stack:
        environment = {"CLICK2CART_SMTP_URL": mailbox.url, "CLICK2CART_MAIL_FROM": "alerts@shop.example"}

        def start() -> subprocess.Popen[bytes]:
            return stack.enter_context(process(settings, "worker", log, (), environment))

        stack.enter_context(process(settings, "clock", log, (), environment))
        workers = [start(), start()]
        drop_prices(sessions, products)
        kills, pause = 0, threading.Event()
        give_up_at = time.monotonic() + PATIENCE
        next_kill = 0
        while len(distinct(mailbox)) < ALERTS or waiting(sessions):
            assert time.monotonic() < give_up_at, f"{len(distinct(mailbox))} told; {log.read_text()[-3000:]}"
            if kills < KILLS and len(mailbox.mails) >= next_kill:
                victim = workers.pop(chance.randrange(len(workers)))
                os.kill(victim.pid, signal.SIGKILL)
                kills += 1
                next_kill = len(mailbox.mails) + chance.randrange(200, 1_200)
                workers.append(start())
            pause.wait(0.2)
    with sessions.begin() as session:
        notices = session.scalars(select(NoticeRow.public_id).where(NoticeRow.topic == "alerts")).all()
        assert len(notices) == ALERTS
    ids = distinct(mailbox)
    assert set(ids) == {f"<{notice}@shop.example>" for notice in notices}
    assert {mail["To"] for mail in mailbox.mails} == {f"shopper{n}@example.org" for n in range(ALERTS)}
    repeats = sum(count - 1 for count in ids.values())
    with capsys.disabled():
        sys.stdout.write(
            f"\n{ALERTS} alerts, {kills} workers killed, {repeats} mails sent again under their old Message-ID\n"
        )
    # Only what was being handed over when its worker was killed may come again: each has four threads for that.
    assert repeats <= 4 * KILLS


def distinct(mailbox: Mailbox) -> Counter[str]:
    return Counter(str(mail["Message-ID"]) for mail in list(mailbox.mails))
