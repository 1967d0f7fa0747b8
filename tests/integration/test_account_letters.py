"""Mails and codes about accounts on their way out: once, in time, and without leaving secrets behind."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import select, update

from aggregator.accounts.letters import mail_activation, send_code
from aggregator.db.models import NoticeRow
from aggregator.db.session import Sessions
from aggregator.notifications.inbox import list_inbox
from aggregator.settings import Settings
from tests.integration.mail_catcher import mail_catcher
from tests.integration.test_alarms import webhook_catcher
from web.cli import shows_mail
from workers.telling import deliver_notices

NUMBER = "+491701234567"


def test_a_mail_with_a_link_goes_out_and_leaves_no_link_behind(
    sessions: Sessions, site_settings: Settings
) -> None:
    with mail_catcher() as mailbox:
        settings = replace(site_settings, smtp_url=mailbox.url, site_url="https://prices.example")
        with sessions.begin() as session:
            mail_activation(session, settings, "ada@shop.example", "the-token")
        assert deliver_notices(settings, sessions) == (1, 0)
    [mail] = mailbox.mails
    assert mail["To"] == "ada@shop.example"
    assert "https://prices.example/activate/the-token" in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]  # it has one
    with sessions() as session:
        assert session.scalars(select(NoticeRow.content)).one() == {}


def test_a_code_is_posted_to_the_gateway_with_its_token(sessions: Sessions, site_settings: Settings) -> None:
    with webhook_catcher() as gateway:
        settings = replace(
            site_settings,
            sms_gateway=gateway.url,
            sms_token="sesame",
            allow_private_hosts=frozenset({urlsplit(gateway.url).netloc}),
        )
        with sessions.begin() as session:
            send_code(session, NUMBER, "123456", lives=timedelta(minutes=10))
        assert deliver_notices(settings, sessions) == (1, 0)
    [(headers, body)] = gateway.posts
    document = json.loads(body)
    assert headers["Authorization"] == "Bearer sesame"
    assert headers["Idempotency-Key"] == document["id"]
    assert (document["to"], document["text"][:32]) == (NUMBER, "123456 is your Click2Cart code. ")


def test_a_gateway_that_is_down_is_tried_again_and_one_that_refuses_is_not(
    sessions: Sessions, site_settings: Settings
) -> None:
    with webhook_catcher() as gateway:
        settings = replace(
            site_settings,
            sms_gateway=gateway.url,
            allow_private_hosts=frozenset({urlsplit(gateway.url).netloc}),
        )
        for gateway.status, state in ((503, "waiting"), (400, "given_up")):
            with sessions.begin() as session:
                send_code(session, NUMBER, "123456", lives=timedelta(minutes=10))
            assert deliver_notices(settings, sessions) == (0, 1)
            with sessions() as session:
                newest = session.scalars(select(NoticeRow).order_by(NoticeRow.id.desc()).limit(1)).one()
            assert newest.state == state
            assert NUMBER not in (newest.problem or "")


def test_a_code_that_comes_too_late_is_not_sent(sessions: Sessions, site_settings: Settings) -> None:
    with webhook_catcher() as gateway:
        settings = replace(
            site_settings,
            sms_gateway=gateway.url,
            allow_private_hosts=frozenset({urlsplit(gateway.url).netloc}),
        )
        with sessions.begin() as session:
            send_code(session, NUMBER, "123456", lives=timedelta(seconds=-1))
        assert deliver_notices(settings, sessions) == (0, 1)
    assert gateway.posts == []
    with sessions() as session:
        assert session.scalars(select(NoticeRow.state)).one() == "given_up"


def test_the_demo_sends_nothing_and_shows_everything(sessions: Sessions, site_settings: Settings) -> None:
    with mail_catcher() as mailbox:
        settings = replace(site_settings, smtp_url=mailbox.url, inbox="of the demo")
        with sessions.begin() as session:
            mail_activation(session, settings, "ada@shop.example", "the-token")
            send_code(session, NUMBER, "123456", lives=timedelta(minutes=10))
            session.execute(update(NoticeRow).values(created_at=datetime.now(UTC)))
        assert deliver_notices(settings, sessions) == (2, 0)
    assert mailbox.mails == []
    with sessions() as session:
        assert [message.recipient for message in list_inbox(session)] == [NUMBER, "ada@shop.example"]
        [mail] = list_inbox(session, recipient="ada@shop.example")
    assert "/activate/the-token" in mail.text


def test_mail_stays_in_the_demo_alone_and_never_with_a_database_of_the_operators(tmp_path: Path) -> None:
    demo = Settings(data_dir=tmp_path, inbox="1", is_demo=True)
    assert (demo.has_inbox, shows_mail(demo)) == (True, True)
    for changes in ({"database_url": "postgresql://db/x"}, {"inbox": ""}, {"inbox": "yes"}):
        assert not replace(demo, **changes).has_inbox  # type: ignore[arg-type]  # names of its fields
        assert not shows_mail(replace(demo, **changes))  # type: ignore[arg-type]  # names of its fields
    handed_on = replace(demo, inbox="of the demo", database_url="postgresql://db/x")
    assert (handed_on.has_inbox, shows_mail(handed_on)) == (True, False)
