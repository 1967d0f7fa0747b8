"""`click2cart runs`: what was read, and the last word on a run that was held back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import get_args

import click

from aggregator.catalog.ingest import IngestReport, settle_held_run
from aggregator.catalog.run_details import get_run_detail, get_run_log
from aggregator.catalog.stores import list_runs
from aggregator.cli.output import as_json_option, print_json
from aggregator.db.session import database
from aggregator.domain.operations import RunState
from aggregator.domain.runs import LogLine
from aggregator.settings import Settings


@click.group()
def runs() -> None:
    """List runs; accept or discard one that was held back."""


@runs.command(name="list")
@click.option("--store", help="Only of this store's slug.")
@click.option("--state", type=click.Choice(get_args(RunState)), help="Only those of this state.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@as_json_option
def list_them(store: str | None, state: RunState | None, limit: int, as_json: bool) -> None:
    """List the newest runs with their counts."""
    with database(Settings.from_env()) as sessions, sessions.begin() as session:
        found = list_runs(session, store_slug=store, state=state, limit=limit)
    if as_json:
        print_json([asdict(run) for run in found])
        return
    for run in found:
        click.echo(
            f"{run.id}  {run.store_slug:20} {run.state:9} {run.started_at:%Y-%m-%d %H:%M}  {run.seen:>7} seen"
            f" {run.new:>6} new {run.changed:>6} changed {run.gone:>6} gone  {run.problem or ''}".rstrip()
        )


@runs.command()
@click.argument("run")
@as_json_option
def show(run: str, as_json: bool) -> None:
    """Show one RUN with its counts, what was refused, and what it changes beside the run before."""
    with database(Settings.from_env()) as sessions, sessions.begin() as session:
        detail = get_run_detail(session, run, log_tail=20)
    if as_json:
        print_json(asdict(detail))
        return
    one, counts = detail.run, detail.counts
    click.echo(f"{one.id}  {one.store_slug}  {one.state}  {one.problem or ''}".rstrip())
    click.echo(
        f"  {one.seen} seen = {one.new} new + {one.changed} changed + {one.unchanged} unchanged"
        f" + {one.held} held + {one.quarantined} quarantined; {one.gone} gone"
    )
    click.echo(
        f"  {counts.requests} requests, {counts.not_modified} not modified, {counts.pages} pages,"
        f" {counts.pages_without_offers} without offers, {counts.bytes_received / 1e6:.1f} MB"
    )
    for stage, seconds in counts.stage_seconds.items():
        click.echo(f"  {stage:12} {seconds:8.1f} s")
    for reason, count in detail.rejected.items():
        click.echo(f"  refused: {reason:22} {count:>7}")
    for anomaly in detail.anomalies:
        click.echo(f"  anomaly: {anomaly.message}")
    for change in detail.difference.samples if detail.difference else ():
        click.echo(
            f"  {change.external_id}: {change.before} -> {change.after} {change.price_currency}  {change.title}"
        )
    _print_log(detail.log)


@runs.command()
@click.argument("run")
@click.option("--limit", type=click.IntRange(1, 10_000), default=1000, show_default=True)
@as_json_option
def log(run: str, limit: int, as_json: bool) -> None:
    """Print the newest lines of a RUN's log."""
    with database(Settings.from_env()) as sessions, sessions.begin() as session:
        lines = get_run_log(session, run, limit=limit)
    if as_json:
        print_json([asdict(line) for line in lines])
    else:
        _print_log(lines)


def _print_log(lines: Iterable[LogLine]) -> None:
    for line in lines:
        click.echo(f"{line.at:%Y-%m-%d %H:%M:%S} {line.level:7} {line.message}")


@runs.command()
@click.argument("run")
@as_json_option
def accept(run: str, as_json: bool) -> None:
    """Let a held RUN into the catalogue after all."""
    _settle(run, as_json, accept=True)


@runs.command()
@click.argument("run")
@as_json_option
def discard(run: str, as_json: bool) -> None:
    """Throw away what a held RUN has read; the catalogue stays as it is."""
    _settle(run, as_json, accept=False)


def _settle(run: str, as_json: bool, *, accept: bool) -> None:
    with database(Settings.from_env()) as sessions, sessions.begin() as session:
        report: IngestReport = settle_held_run(session, run, accept=accept)
    if as_json:
        print_json(asdict(report))
    else:
        click.echo(f"{report.state}: {report.new} new, {report.changed} changed, {report.gone} gone")
