"""Alarms: opened once, told once by mail and webhook, closed by themselves; none is lost."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from aggregator.accounts.sign_in import invite
from aggregator.catalog.alarms import (
    acknowledge_alarm,
    count_open_alarms,
    get_alarm,
    list_alarms,
    raise_alarm,
    settle_alarms,
)
from aggregator.catalog.ingest import IngestReport, release_run, settle_held_run, stage_offers
from aggregator.catalog.run_alarms import failure_kind
from aggregator.catalog.runs import open_run
from aggregator.catalog.watch import watch
from aggregator.db.models import NoticeRow, ProcessRow, QueueRow, StoreCrawlStateRow, StoreRow
from aggregator.db.session import Sessions
from aggregator.domain.errors import NotDelivered, NotFound
from aggregator.domain.notices import NewNotice, OutboxState
from aggregator.domain.offers import RawOffer
from aggregator.domain.runs import CrawlCounts
from aggregator.notifications.mail import MailServer
from aggregator.notifications.outbox import (
    note_not_sent,
    outbox_state,
    put_notices,
    take_due_notices,
)
from aggregator.settings import Settings
from tests.integration.mail_catcher import mail_catcher
from tests.integration.shop_rows import store_row
from workers.telling import deliver_notices, look_around, tell_of_alarms

NOTHING = OutboxState(waiting=0, retried=0, given_up=0, oldest_waiting_at=None, last_problem=None)


@dataclass
class Hook:
    """A receiver of webhooks: what it was posted, and what it answers, perhaps with the address of another place."""

    url: str = ""
    posts: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    status: int = 204
    location: str | None = None


@contextmanager
def webhook_catcher() -> Iterator[Hook]:
    hook = Hook()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.posts.append((dict(self.headers), body))
            self.send_response(hook.status)
            if hook.location is not None:
                self.send_header("Location", hook.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing of it belongs into the tests' output."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        hook.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield hook
        finally:
            server.shutdown()
            thread.join()


def offers(count: int, price: str = "10.00") -> list[RawOffer]:
    return [
        RawOffer(
            external_id=f"sku-{number}",
            url=f"https://shop.example/p/{number}",
            title=f"Kettle {number}",
            price=Decimal(price),
            price_currency="EUR",
            availability="InStock",
        )
        for number in range(count)
    ]


def crawl(
    session: Session, found: list[RawOffer], *, problem: str | None = None, slug: str = "shop"
) -> IngestReport:
    ticket = open_run(session, slug, trigger="command", worker="test")
    assert ticket is not None
    stage_offers(session, ticket, found, CrawlCounts(requests=1))
    return release_run(session, ticket, is_complete=problem is None, problem=problem)


def kinds(session: Session) -> list[str]:
    return sorted(alarm.kind for alarm in list_alarms(session))


@pytest.fixture
def store(session: Session) -> StoreRow:
    return store_row(session, "shop", platform="generic", checked_at=None)


def test_a_failing_store_raises_one_alarm_that_a_good_run_closes(session: Session, store: StoreRow) -> None:
    for _ in range(3):
        crawl(session, [], problem="https://shop.example/: cannot be reached: timed out")
    (alarm,) = list_alarms(session)
    assert (alarm.kind, alarm.sightings, alarm.store_slug, alarm.state) == (
        "store_unreachable",
        3,
        "shop",
        "open",
    )
    assert "timed out" in alarm.message
    crawl(session, offers(3))
    assert list_alarms(session) == []
    assert get_alarm(session, alarm.id).state == "closed"
    crawl(session, [], problem="timed out")
    assert [again.id != alarm.id for again in list_alarms(session)] == [True]


@pytest.mark.parametrize(
    ("problem", "kind"),
    [
        ("https://a.example/p: robots.txt forbids it for Click2Cart", "robots_disallow"),
        (
            "https://a.example: robots.txt of this site cannot be read, so nothing is fetched",
            "robots_disallow",
        ),
        ("cannot be reached: [SSL: CERTIFICATE_VERIFY_FAILED] certificate has expired", "certificate"),
        ("answered HTTP 500", "store_unreachable"),
    ],
)
def test_an_alarm_says_what_kind_of_failure_it_was(problem: str, kind: str) -> None:
    assert failure_kind(problem) == kind


def test_a_held_run_is_an_alarm_until_it_is_settled_or_the_store_is_well(
    session: Session, store: StoreRow
) -> None:
    crawl(session, offers(40))
    held = crawl(session, offers(40, "1000.00"))
    (alarm,) = list_alarms(session)
    assert (alarm.kind, alarm.run) == ("run_held", held.run)
    settle_held_run(session, held.run, accept=False)
    assert list_alarms(session) == []
    crawl(session, offers(40, "1000.00"))
    assert kinds(session) == ["run_held"]
    crawl(session, offers(40))
    assert kinds(session) == []


def test_a_held_run_that_a_broken_off_one_replaced_is_no_alarm_any_more(
    session: Session, store: StoreRow
) -> None:
    crawl(session, offers(40))
    crawl(session, offers(40, "1000.00"))
    assert kinds(session) == ["run_held"]
    crawl(session, offers(10), problem="cannot be reached: no route")
    assert kinds(session) == ["store_unreachable"]


def test_a_smaller_yield_and_a_growing_quarantine_are_alarms(session: Session, store: StoreRow) -> None:
    crawl(session, offers(40))
    broken = [replace(offer, price="call us") for offer in offers(12)]
    crawl(session, [*broken, *offers(40)[12:]])
    assert kinds(session) == ["quarantine_growth", "yield_drop"]
    crawl(session, offers(40))
    assert kinds(session) == []


def test_an_acknowledged_alarm_is_still_counted_and_closes_by_itself(
    session: Session, store: StoreRow
) -> None:
    crawl(session, [], problem="timed out")
    (alarm,) = list_alarms(session)
    assert acknowledge_alarm(session, alarm.id).state == "acknowledged"
    crawl(session, [], problem="timed out")
    assert [(each.id, each.state) for each in list_alarms(session)] == [(alarm.id, "acknowledged")]
    assert count_open_alarms(session) == {"store_unreachable": 1}
    crawl(session, offers(3))
    assert count_open_alarms(session) == {}
    with pytest.raises(NotFound):
        acknowledge_alarm(session, "nowhere")


def test_the_watch_sees_what_no_run_says(session: Session, store: StoreRow) -> None:
    old = datetime.now(UTC) - timedelta(days=3)
    assert watch(session, stale_after=3, outbox=NOTHING) == 0
    session.execute(update(StoreRow).values(checked_at=old, next_crawl_at=old))
    session.execute(
        insert(StoreCrawlStateRow).values(store_id=store.id, circuit="open", failures=4, reason="HTTP 500")
    )
    session.execute(insert(QueueRow).values(name="crawling", waiting=7, waiting_since=old, seen_at=old))
    full = replace(NOTHING, waiting=2, retried=2, oldest_waiting_at=old, last_problem="refused")
    assert watch(session, stale_after=3, outbox=full) == 5
    assert kinds(session) == [
        "circuit_open",
        "notices_failing",
        "queue_stuck",
        "store_stale",
        "worker_missing",
    ]
    stale = next(alarm for alarm in list_alarms(session) if alarm.kind == "store_stale")
    assert "3 days" in stale.message
    session.execute(update(StoreRow).values(is_active=False, next_crawl_at=None))
    session.execute(update(StoreCrawlStateRow).values(circuit="closed"))
    session.execute(update(QueueRow).values(waiting=0, waiting_since=None))
    assert watch(session, stale_after=3, outbox=NOTHING) == 0
    assert kinds(session) == []


def test_a_living_worker_is_not_missed(session: Session, store: StoreRow) -> None:
    now = datetime.now(UTC)
    session.execute(update(StoreRow).values(next_crawl_at=now - timedelta(hours=1), checked_at=now))
    session.execute(
        insert(ProcessRow).values(
            id="w", kind="worker", host="h", pid=1, version="1", is_leader=False, started_at=now, seen_at=now
        )
    )
    assert watch(session, stale_after=3, outbox=NOTHING) == 0


def told(sessions: Sessions, settings: Settings) -> int:
    with sessions.begin() as session:
        return tell_of_alarms(session, settings)


def raised(sessions: Sessions, *subjects: str) -> None:
    with sessions.begin() as session:
        for subject in subjects:
            raise_alarm(
                session, "queue_stuck", subject=subject, message=f"The queue {subject} <stands> still"
            )


def test_an_alarm_is_mailed_and_posted_once_when_it_opens_and_once_when_it_closes(
    sessions: Sessions, site_settings: Settings
) -> None:
    with mail_catcher() as mailbox, webhook_catcher() as hook:
        settings = replace(
            site_settings,
            smtp_url=mailbox.url,
            alarm_mail=("ops@example.org",),
            alarm_webhooks=(hook.url,),
            webhook_secret="a shared secret",
            allow_private_hosts=frozenset({hook.url.split("/")[2]}),
            site_url="https://prices.example",
            mail_from="Prices <prices@shop.example>",
        )
        raised(sessions, "crawling")
        assert told(sessions, settings) == 2
        raised(sessions, "crawling")
        assert told(sessions, settings) == 0
        assert deliver_notices(settings, sessions) == (2, 0)
        with sessions.begin() as session:
            settle_alarms(session, "crawling", "queue_stuck")
        assert told(sessions, settings) == 2
        assert deliver_notices(settings, sessions) == (2, 0)
        assert deliver_notices(settings, sessions) == (0, 0)
    assert [mail["Subject"] for mail in mailbox.mails] == [
        "Alarm: The queue crawling <stands> still",
        "Well again: The queue crawling <stands> still",
    ]
    opened = mailbox.mails[0]
    assert (opened["To"], opened["From"]) == ("ops@example.org", "Prices <prices@shop.example>")
    assert opened["Message-ID"].endswith("@shop.example>")
    html = opened.get_body(("html",))
    assert html is not None
    assert "&lt;stands&gt;" in html.get_content()
    assert "https://prices.example/operations" in html.get_content()
    headers, body = hook.posts[0]
    expected = hmac.new(
        b"a shared secret", headers["Click2Cart-Timestamp"].encode() + b"." + body, hashlib.sha256
    ).hexdigest()
    assert headers["Click2Cart-Signature"] == f"sha256={expected}"
    document: dict[str, Any] = json.loads(body)
    assert document["id"] == headers["Click2Cart-Notice"]
    assert [(each["kind"], each["state"]) for each in document["alarms"]] == [("queue_stuck", "open")]
    assert json.loads(hook.posts[1][1])["alarms"][0]["state"] == "closed"


def test_many_alarms_make_one_mail_to_each_operator(sessions: Sessions, site_settings: Settings) -> None:
    with sessions.begin() as session:
        invite(session, "ada@example.org", "operator")
        invite(session, "bob@example.org", "admin")
        invite(session, "eve@example.org", "shopper")
    raised(sessions, *(f"queue {number}" for number in range(30)))
    with mail_catcher() as mailbox:
        settings = replace(site_settings, smtp_url=mailbox.url)
        assert told(sessions, settings) == 2
        assert deliver_notices(settings, sessions) == (2, 0)
        with sessions.begin() as session:
            # The watch finds no queue standing still: all is well again, and said so.
            assert look_around(session, settings) == 2
            assert list_alarms(session) == []
    assert sorted(mail["To"] for mail in mailbox.mails) == ["ada@example.org", "bob@example.org"]
    assert {mail["Subject"] for mail in mailbox.mails} == {"Alarms: 30 need a look"}


def test_nothing_is_told_of_an_alarm_that_closed_before_anybody_could_be_told(
    sessions: Sessions, site_settings: Settings
) -> None:
    raised(sessions, "crawling")
    assert told(sessions, site_settings) == 0
    with sessions.begin() as session:
        settle_alarms(session, "crawling", "queue_stuck")
    assert told(sessions, replace(site_settings, alarm_webhooks=("https://hook.example/",))) == 0


def test_a_notice_waits_while_the_mail_server_is_away_and_keeps_its_id(
    sessions: Sessions, site_settings: Settings
) -> None:
    with mail_catcher() as mailbox:
        settings = replace(site_settings, smtp_url=mailbox.url, alarm_mail=("ops@example.org",))
        away = replace(settings, smtp_url="smtp://127.0.0.1:1")
        raised(sessions, "crawling")
        told(sessions, settings)
        assert deliver_notices(away, sessions) == (0, 1)
        assert deliver_notices(settings, sessions) == (0, 0)
        mailbox.answer = "451 later"
        later(sessions)
        assert deliver_notices(settings, sessions) == (0, 1)
        mailbox.answer = "250 taken"
        later(sessions)
        assert deliver_notices(settings, sessions) == (1, 0)
    with sessions.begin() as session:
        row = session.scalars(select(NoticeRow)).one()
    assert (row.state, row.attempts, row.problem) == ("sent", 3, None)
    assert mailbox.mails[0]["Message-ID"] == f"<{row.public_id}@localhost>"


def later(sessions: Sessions) -> None:
    with sessions.begin() as session:
        session.execute(update(NoticeRow).values(due_at=NoticeRow.due_at - timedelta(days=1)))


def test_a_recipient_that_will_never_do_is_given_up_at_once(
    sessions: Sessions, site_settings: Settings
) -> None:
    with mail_catcher() as mailbox:
        mailbox.refused = "550 no such user"
        settings = replace(site_settings, smtp_url=mailbox.url, alarm_mail=("nobody@example.org",))
        raised(sessions, "crawling")
        told(sessions, settings)
        assert deliver_notices(settings, sessions) == (0, 1)
    with sessions.begin() as session:
        assert outbox_state(session).given_up == 1


@pytest.mark.parametrize(("status", "state"), [(500, "waiting"), (404, "waiting"), (410, "given_up")])
def test_a_webhook_that_is_not_taken_is_tried_again_unless_its_receiver_is_gone(
    sessions: Sessions, site_settings: Settings, status: int, state: str
) -> None:
    with webhook_catcher() as hook:
        hook.status = status
        settings = replace(
            site_settings,
            alarm_webhooks=(hook.url,),
            allow_private_hosts=frozenset({hook.url.split("/")[2]}),
        )
        raised(sessions, "crawling")
        told(sessions, settings)
        assert deliver_notices(settings, sessions) == (0, 1)
    with sessions.begin() as session:
        row = session.scalars(select(NoticeRow)).one()
        assert row.state == state
        # The address of a webhook is often all the secret there is: its problem stands in an alarm.
        assert hook.url not in (row.problem or "")


def test_a_webhook_never_reaches_a_private_address(sessions: Sessions, site_settings: Settings) -> None:
    with webhook_catcher() as hook:
        settings = replace(site_settings, alarm_webhooks=(hook.url,))
        raised(sessions, "crawling")
        told(sessions, settings)
        assert deliver_notices(settings, sessions) == (0, 1)
    assert hook.posts == []


def test_what_a_killed_sender_had_taken_is_sent_when_its_hold_is_over(session: Session) -> None:
    notice = NewNotice(topic="t", channel="mail", recipient="a@b.c", dedupe_key="k", content={"subject": "s"})
    assert put_notices(session, [notice]) == 1
    assert put_notices(session, [notice]) == 0
    (taken,) = take_due_notices(session, limit=10, hold=timedelta(minutes=3))
    assert take_due_notices(session, limit=10, hold=timedelta(minutes=3)) == []
    session.execute(update(NoticeRow).values(taken_until=datetime.now(UTC) - timedelta(seconds=1)))
    (again,) = take_due_notices(session, limit=10, hold=timedelta(minutes=3))
    assert (again.id, again.attempts) == (taken.id, 2)
    for _ in range(20):
        note_not_sent(session, replace(again, attempts=20), "down")
    assert session.scalars(select(NoticeRow.state)).one() == "given_up"


def test_a_header_cannot_be_smuggled_into_a_mail(site_settings: Settings, session: Session) -> None:
    content = {"subject": "hi\r\nBcc: all@example.org", "text": "x"}
    put_notices(
        session,
        [NewNotice(topic="t", channel="mail", recipient="a@b.c\r\nX: y", dedupe_key="k", content=content)],
    )
    (taken,) = take_due_notices(session, limit=1, hold=timedelta(minutes=3))
    with mail_catcher() as mailbox, MailServer(replace(site_settings, smtp_url=mailbox.url)) as server:
        with pytest.raises(NotDelivered) as error:
            server.send(taken)
        assert error.value.is_final
        server.send(replace(taken, recipient="a@b.c"))
    assert mailbox.mails[0]["Subject"] == "hi Bcc: all@example.org"
    assert mailbox.mails[0]["Bcc"] is None
