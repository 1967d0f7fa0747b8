"""`click2cart alarms`: what operators must know."""

from __future__ import annotations

from dataclasses import asdict

import click

from aggregator.catalog.alarms import acknowledge_alarm, list_alarms
from aggregator.cli.output import as_json_option, print_json
from aggregator.db.session import database
from aggregator.domain.alarms import AlarmState
from aggregator.settings import Settings

_PRESENT: tuple[AlarmState, ...] = ("open", "acknowledged")
_EVER: tuple[AlarmState, ...] = (*_PRESENT, "closed")


@click.group()
def alarms() -> None:
    """List alarms; say that somebody sees to one."""


@alarms.command(name="list")
@click.option("--store", help="Only of this store's slug.")
@click.option("--all", "also_closed", is_flag=True, help="The closed ones too.")
@click.option("--limit", type=click.IntRange(1, 1000), default=200, show_default=True)
@as_json_option
def list_them(store: str | None, also_closed: bool, limit: int, as_json: bool) -> None:
    """List alarms, the last seen first."""
    with database(Settings.from_env()) as sessions, sessions.begin() as session:
        found = list_alarms(session, states=_EVER if also_closed else _PRESENT, store_slug=store, limit=limit)
    if as_json:
        print_json([asdict(alarm) for alarm in found])
        return
    for alarm in found:
        click.echo(f"{alarm.id}  {alarm.state:12} {alarm.last_seen_at:%Y-%m-%d %H:%M}  {alarm.message}")


@alarms.command()
@click.argument("alarm")
@as_json_option
def acknowledge(alarm: str, as_json: bool) -> None:
    """Say that somebody sees to ALARM; it closes by itself when it is well again."""
    with database(Settings.from_env()) as sessions, sessions.begin() as session:
        found = acknowledge_alarm(session, alarm)
    if as_json:
        print_json(asdict(found))
    else:
        click.echo(f"{found.state}: {found.message}")
