"""Telling people: alarms become notices, and notices leave the house. No network inside a transaction."""

from __future__ import annotations

import logging
import time
from datetime import timedelta

from sqlalchemy.orm import Session

from aggregator.accounts.staff import list_staff
from aggregator.catalog.alarms import take_untold_alarms
from aggregator.catalog.watch import watch
from aggregator.db.session import Sessions
from aggregator.domain.errors import NotDelivered
from aggregator.domain.notices import Notice
from aggregator.fetching import Fetcher
from aggregator.notifications.alarm_messages import alarm_notices
from aggregator.notifications.mail import MailServer
from aggregator.notifications.outbox import (
    note_not_sent,
    note_sent,
    outbox_state,
    put_back,
    put_notices,
    take_due_notices,
)
from aggregator.settings import Settings
from workers.senders import Senders, senders_of

log = logging.getLogger("click2cart.notices")

_A_ROUND = 25
_HOLD = timedelta(minutes=3)
# The longest that handing over one notice may take; nothing is begun that could outlast the hold.
_SLOWEST_SECONDS = 100.0


def look_around(session: Session, settings: Settings) -> int:
    """Open and close what no run says by itself, and write the notices of all that changed; how many were written."""
    watch(session, stale_after=settings.stale_after, outbox=outbox_state(session))
    return tell_of_alarms(session, settings)


def tell_of_alarms(session: Session, settings: Settings) -> int:
    """Write notices of the alarms that nobody was told of; how many. Without anybody to tell they stay untold."""
    mails: list[str] = []
    if settings.smtp_url is not None or settings.has_inbox:
        mails = list(settings.alarm_mail) or [member.email for member in list_staff(session)]
    if not mails and not settings.alarm_webhooks:
        return 0
    alarms = take_untold_alarms(session)
    return put_notices(
        session,
        alarm_notices(alarms, mails=mails, webhooks=settings.alarm_webhooks, site_url=settings.site_url),
    )


def deliver_notices(settings: Settings, sessions: Sessions) -> tuple[int, int]:
    """Hand over all that is due; (sent, not sent). Safe from several processes at once, and to be killed."""
    sent = failed = 0
    with (
        MailServer(settings) as mail,
        Fetcher(settings, obey_robots=False, keep_gaps=False) as fetcher,
    ):
        senders = senders_of(settings, sessions, mail, fetcher)
        while True:
            with sessions.begin() as session:
                notices = take_due_notices(session, limit=_A_ROUND, hold=_HOLD)
            if not notices:
                return sent, failed
            ends_at = time.monotonic() + _HOLD.total_seconds() - _SLOWEST_SECONDS
            for notice in notices:
                if time.monotonic() > ends_at:
                    with sessions.begin() as session:
                        put_back(session, notice)
                elif _deliver(sessions, notice, senders, forget_secrets=not settings.has_inbox):
                    sent += 1
                else:
                    failed += 1


def _deliver(sessions: Sessions, notice: Notice, senders: Senders, *, forget_secrets: bool) -> bool:
    try:
        expires_at = notice.content.get("expires_at")
        if expires_at is not None and expires_at < time.time():
            raise NotDelivered(notice.recipient, "it came too late to be of use", is_final=True)
        senders[notice.channel](notice)
    except NotDelivered as error:
        log.warning("notice %s, attempt %d: %s", notice.id, notice.attempts, error.problem)
        with sessions.begin() as session:
            note_not_sent(session, notice, error.problem, is_final=error.is_final)
        return False
    with sessions.begin() as session:
        note_sent(session, notice.id, forget_secrets=forget_secrets)
    return True
