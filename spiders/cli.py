"""Commands that read stores: probe and crawl."""

from __future__ import annotations

import sys

import click

from aggregator.cli.output import print_json
from aggregator.settings import Settings
from spiders.detection import ProbeResult


@click.command()
@click.argument("url")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def probe(context: click.Context, url: str, as_json: bool) -> None:
    """Tell how the store at URL can be read, in at most eight polite requests."""
    from spiders.detection import probe as probe_store

    result = probe_store(url, Settings.from_env())
    print_json(result.to_json()) if as_json else explain(result)
    context.exit(0 if result.is_known else 1)


@click.command()
@click.argument("slug")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def crawl(context: click.Context, slug: str, as_json: bool) -> None:
    """Read the store SLUG once, now."""
    from aggregator.db.session import database
    from spiders.runner import crawl_store

    settings = Settings.from_env()
    with database(settings) as sessions:
        report = crawl_store(
            settings,
            sessions,
            slug,
            trigger="command",
            progress=_show_progress if sys.stderr.isatty() else None,
        )
    assert report is not None, "only a crawl that asks whether it is due can be declined"
    if sys.stderr.isatty():
        click.echo(err=True)
    counts = ("seen", "new", "changed", "unchanged", "held", "quarantined", "gone")
    offers = {name: getattr(report, name) for name in counts}
    if as_json:
        print_json(
            {
                "run": report.run,
                "state": report.state,
                "requests": report.requests,
                "offers": offers,
                "problem": report.problem,
            }
        )
    else:
        click.echo(f"{report.state}: " + ", ".join(f"{number} {name}" for name, number in offers.items()))
    if report.problem:
        click.echo(f"click2cart: {report.problem}", err=True)
    context.exit(0 if report.state == "finished" else 1)


def _show_progress(offers: int, requests: int) -> None:
    click.echo(f"\r{offers} offers, {requests} requests", nl=False, err=True)


def explain(result: ProbeResult) -> None:
    """Tell a person what a probe found."""
    found = result.detection
    click.echo(
        f"{result.url}: {result.platform} (confidence {found.confidence:.2f}, {result.requests} requests)"
    )
    click.echo(
        f"  robots.txt: {result.robots}; hand-off: {result.hand_off or 'none'}; currency: {found.currency or '?'}"
    )
    for signal in found.signals:
        click.echo(f"  {signal.what} ({signal.where})")
    for offer in result.sample:
        click.echo(f"  {offer.price.shown()}  {offer.title}")
    if result.schedule:
        hours = result.schedule.interval / 3600
        click.echo(f"  proposed: every {hours:g} h; {result.schedule.why}")
    if result.problem:
        click.echo(f"  {result.problem}")
