"""What is said of alarms: one mail and one webhook for all that changed since the last."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from html import escape
from typing import Any

from aggregator.domain.alarms import Alarm
from aggregator.domain.notices import NewNotice

TOPIC = "alarms"


def alarm_notices(
    alarms: Sequence[Alarm], *, mails: Sequence[str], webhooks: Sequence[str], site_url: str
) -> list[NewNotice]:
    """One notice a recipient, of all these alarms together; none where there are none."""
    if not alarms:
        return []
    digest = hashlib.blake2b(
        ",".join(f"{alarm.id}:{alarm.state == 'closed'}" for alarm in alarms).encode(), digest_size=16
    ).hexdigest()
    mail = alarm_mail(alarms, site_url=site_url)
    document = {"alarms": [alarm_document(alarm) for alarm in alarms]}
    return [
        *(
            NewNotice(
                topic=TOPIC, channel="mail", recipient=address, dedupe_key=f"{digest}:{address}", content=mail
            )
            for address in mails
        ),
        *(
            NewNotice(
                topic=TOPIC, channel="webhook", recipient=url, dedupe_key=f"{digest}:{url}", content=document
            )
            for url in webhooks
        ),
    ]


def alarm_document(alarm: Alarm) -> dict[str, Any]:
    """An alarm as a program reads it."""
    return {
        "id": alarm.id,
        "kind": alarm.kind,
        "state": "closed" if alarm.state == "closed" else "open",
        "store": alarm.store_slug,
        "run": alarm.run,
        "message": alarm.message,
        "figures": dict(alarm.figures),
        "first_seen_at": _instant(alarm.first_seen_at.isoformat()),
        "closed_at": _instant(alarm.closed_at.isoformat()) if alarm.closed_at else None,
    }


def alarm_mail(alarms: Sequence[Alarm], *, site_url: str) -> dict[str, str]:
    """Subject, text and HTML of the mail about these alarms, the open ones first."""
    opened = [alarm for alarm in alarms if alarm.state != "closed"]
    closed = [alarm for alarm in alarms if alarm.state == "closed"]
    parts = [("Needs a look", opened), ("Well again", closed)]
    text, html = [], []
    for heading, some in parts:
        if not some:
            continue
        text += [heading, ""]
        html.append(f"<h2>{heading}</h2><ul>")
        for alarm in some:
            link = _link(alarm, site_url)
            when = f"{alarm.first_seen_at:%Y-%m-%d %H:%M} UTC"
            text += [f"- {alarm.message}", f"  since {when}{'  ' + link if link else ''}", ""]
            shown = f'<a href="{escape(link)}">{escape(alarm.message)}</a>' if link else escape(alarm.message)
            html.append(f"<li>{shown}<br><small>since {when}</small></li>")
        html.append("</ul>")
    foot = "An alarm is told once when it opens and once when it closes by itself."
    return {
        "subject": _subject(opened, closed),
        "text": "\n".join([*text, foot, ""]),
        "html": f"<!doctype html><html lang=en><body>{''.join(html)}<p><small>{foot}</small></p></body></html>",
    }


def _subject(opened: Sequence[Alarm], closed: Sequence[Alarm]) -> str:
    if len(opened) == 1 and not closed:
        return f"Alarm: {opened[0].message}"
    if len(closed) == 1 and not opened:
        return f"Well again: {closed[0].message}"
    counts = [
        f"{len(some)} {words}" for some, words in ((opened, "need a look"), (closed, "well again")) if some
    ]
    return f"Alarms: {', '.join(counts)}"


def _link(alarm: Alarm, site_url: str) -> str:
    if not site_url:
        return ""
    if alarm.run is not None and alarm.kind == "run_held":
        return f"{site_url}/operations/runs/{alarm.run}"
    return (
        f"{site_url}/operations/stores/{alarm.store_slug}" if alarm.store_slug else f"{site_url}/operations"
    )


def _instant(text: str) -> str:
    return text.replace("+00:00", "Z")
