"""`click2cart runs`: what was read, and the last word on a run that was held back."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime

import click

from aggregator.catalog.ingest import IngestReport, settle_held_run
from aggregator.catalog.stores import list_runs
from aggregator.db.session import database
from aggregator.settings import Settings

_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def runs() -> None:
    """List runs; accept or discard one that was held back."""


@runs.command(name="list")
@click.option("--store", help="Only of this store's slug.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@_as_json
def list_them(store: str | None, limit: int, as_json: bool) -> None:
    """List the newest runs with their counts."""
    with database(Settings.from_env()) as sessions, sessions.begin() as session:
        found = list_runs(session, store_slug=store, limit=limit)
    if as_json:
        click.echo(json.dumps([asdict(run) for run in found], default=_instant))
        return
    for run in found:
        click.echo(
            f"{run.id}  {run.store_slug:20} {run.state:9} {run.started_at:%Y-%m-%d %H:%M}  {run.seen:>7} seen"
            f" {run.new:>6} new {run.changed:>6} changed {run.gone:>6} gone  {run.problem or ''}".rstrip()
        )


@runs.command()
@click.argument("run")
@_as_json
def accept(run: str, as_json: bool) -> None:
    """Let a held RUN into the catalogue after all."""
    _settle(run, as_json, accept=True)


@runs.command()
@click.argument("run")
@_as_json
def discard(run: str, as_json: bool) -> None:
    """Throw away what a held RUN has read; the catalogue stays as it is."""
    _settle(run, as_json, accept=False)


def _settle(run: str, as_json: bool, *, accept: bool) -> None:
    with database(Settings.from_env()) as sessions, sessions.begin() as session:
        report: IngestReport = settle_held_run(session, run, accept=accept)
    if as_json:
        click.echo(json.dumps(asdict(report)))
    else:
        click.echo(f"{report.state}: {report.new} new, {report.changed} changed, {report.gone} gone")


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
