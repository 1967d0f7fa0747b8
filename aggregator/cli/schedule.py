"""`click2cart schedule`: when stores are read."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import click

from aggregator.cli.output import as_json_option, print_json
from aggregator.db.session import database
from aggregator.domain.errors import InvalidInput
from aggregator.domain.schedules import Schedule
from aggregator.settings import Settings

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@click.group()
def schedule() -> None:
    """See and change when stores are read."""


@schedule.command(name="list")
@as_json_option
def list_all(as_json: bool) -> None:
    """List every store's schedule and its next time, the soonest first."""
    from aggregator.catalog.stores import list_stores

    with database(Settings.from_env()) as sessions, sessions.begin() as session:
        found = list_stores(session)
    found.sort(key=lambda store: (store.next_crawl_at is None, store.next_crawl_at, store.slug))
    if as_json:
        print_json(
            [
                {
                    "slug": store.slug,
                    "is_active": store.is_active,
                    "schedule": store.schedule.to_json(),
                    "next_crawl_at": store.next_crawl_at,
                }
                for store in found
            ]
        )
        return
    for store in found:
        when = f"{store.next_crawl_at:%Y-%m-%d %H:%M} UTC" if store.next_crawl_at else "paused"
        click.echo(f"{store.slug:24} {when:20} {_words(store.schedule)}")


@schedule.command(name="set")
@click.argument("slug")
@click.option("--every", metavar="INTERVAL", help="Time between two readings, such as 6h, 30m or 1d.")
@click.option("--cron", metavar="EXPRESSION", help='Five fields as in crontab, such as "30 2 * * *".')
@click.option(
    "--timezone", metavar="ZONE", help="What cron and quiet hours are meant in, such as Europe/Berlin."
)
@click.option("--jitter", metavar="INTERVAL", help="Begin up to so much later, such as 10m; 0 takes it away.")
@click.option(
    "--quiet", metavar="FROM-UNTIL", help="Begin nothing then, such as 22:00-06:00; none takes it away."
)
@as_json_option
def set_it(
    slug: str,
    every: str | None,
    cron: str | None,
    timezone: str | None,
    jitter: str | None,
    quiet: str | None,
    as_json: bool,
) -> None:
    """Change when the store SLUG is read; what is not named stays."""
    from aggregator.catalog.schedules import get_schedule, set_schedule

    if every is not None and cron is not None:
        raise click.UsageError("give --every or --cron, not both")
    with database(Settings.from_env()) as sessions, sessions.begin() as session:
        current, seed = get_schedule(session, slug)
        document = current.to_json()
        if every is not None:
            document = {**document, "interval": _seconds(every, "--every")}
            document.pop("cron", None)
        if cron is not None:
            document = {**document, "cron": cron}
            document.pop("interval", None)
        if timezone is not None:
            document["timezone"] = timezone
        if jitter is not None:
            document["jitter"] = _seconds(jitter, "--jitter")
        if quiet is not None:
            for name in ("quiet_from", "quiet_until"):
                document.pop(name, None)
            if quiet != "none":
                document["quiet_from"], _, document["quiet_until"] = quiet.partition("-")
        wanted = Schedule.from_json(document)
        set_schedule(session, slug, wanted)
    _show(slug, wanted, seed, 5, as_json)


@schedule.command(name="next")
@click.argument("slug")
@click.option("--count", type=click.IntRange(1, 100), default=5, show_default=True)
@click.option("--after", metavar="INSTANT", help="RFC 3339; now if left out.")
@as_json_option
def next_times(slug: str, count: int, after: str | None, as_json: bool) -> None:
    """Say when the store SLUG is read next by its schedule."""
    from aggregator.catalog.schedules import get_schedule

    with database(Settings.from_env()) as sessions, sessions.begin() as session:
        found, seed = get_schedule(session, slug)
    _show(slug, found, seed, count, as_json, after=_instant(after) if after else None)


def _show(
    slug: str, found: Schedule, seed: str, count: int, as_json: bool, *, after: datetime | None = None
) -> None:
    times = found.upcoming(after or datetime.now(UTC), seed, count=count)
    if as_json:
        print_json({"slug": slug, "schedule": found.to_json(), "next": times})
        return
    click.echo(_words(found))
    for at in times:
        click.echo(f"  {at.astimezone(found.zone):%a %Y-%m-%d %H:%M:%S %Z}  ({at:%Y-%m-%d %H:%M:%S} UTC)")


def _words(found: Schedule) -> str:
    often = f"cron {found.cron} {found.timezone}" if found.cron else f"every {found.interval} s"
    jitter = f", up to {found.jitter} s later" if found.jitter else ""
    document = found.to_json()
    quiet = (
        f", not from {document['quiet_from']} to {document['quiet_until']} {found.timezone}"
        if found.quiet_from
        else ""
    )
    return often + jitter + quiet


def _seconds(text: str, place: str) -> int:
    matched = re.fullmatch(r"([0-9]{1,9})\s*([smhdw]?)", text.strip().lower(), re.ASCII)
    if matched is None:
        raise InvalidInput(
            f"{text[:20]!r} is no span of time", place=place, remedy="such as 90s, 30m, 6h or 1d"
        )
    return int(matched[1]) * _UNITS[matched[2]]


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(
            f"{text[:40]!r} is no instant", place="--after", remedy="such as 2026-03-28T12:00:00Z"
        ) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
