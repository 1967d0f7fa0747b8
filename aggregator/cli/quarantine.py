"""`click2cart quarantine`: what could not be read or believed, and what is to be done about it."""

from __future__ import annotations

from dataclasses import asdict

import click

from aggregator.catalog.offer_rules import RULE_NAMES, set_offer_rule
from aggregator.catalog.quarantine import (
    choose_candidate,
    discard_quarantined,
    get_quarantined,
    group_quarantine,
    list_quarantine,
)
from aggregator.catalog.replays import ReplayReport, replay_quarantine
from aggregator.cli.output import as_json_option, print_json
from aggregator.db.session import database
from aggregator.domain.errors import InvalidInput
from aggregator.settings import Settings


@click.group()
def quarantine() -> None:
    """See what waits, fix it by a rule, and have it read again without another crawl."""


@quarantine.command(name="list")
@click.option("--store", help="Only of this store's slug.")
@click.option("--reason", help="Only refused for this reason.")
@click.option("--state", type=click.Choice(["open", "settled", "discarded", "replayed"]), default="open")
@click.option("--summary", is_flag=True, help="Only how many wait, by store and reason.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@as_json_option
def list_them(
    store: str | None, reason: str | None, state: str, summary: bool, limit: int, as_json: bool
) -> None:
    """List what waits, newest first."""
    with database(Settings.from_env()) as sessions, sessions.begin() as session:
        if summary:
            groups = group_quarantine(session, store_slug=store)
            if as_json:
                print_json([asdict(group) for group in groups])
            for group in () if as_json else groups:
                click.echo(f"{group.store_slug:20} {group.reason:24} {group.count:>7}")
            return
        found = list_quarantine(session, store_slug=store, reason=reason, state=state, limit=limit)
    if as_json:
        print_json([asdict(offer) for offer in found])
        return
    for offer in found:
        click.echo(
            f"{offer.id}  {offer.store_slug:20} {offer.reason:20} {offer.external_id}  {offer.title[:60]}"
            f"  {offer.detail}"
        )


@quarantine.command()
@click.argument("offer")
@as_json_option
def show(offer: str, as_json: bool) -> None:
    """Show one OFFER with all that was kept of it, and what can be chosen."""
    with database(Settings.from_env()) as sessions, sessions.begin() as session:
        found = get_quarantined(session, offer)
    if as_json:
        print_json(asdict(found))
        return
    click.echo(
        f"{found.title}\n{found.url}\n{found.store_slug}, {found.state}: {found.reason} {found.detail}"
    )
    for candidate in found.candidates:
        click.echo(f"  {candidate.field} = {candidate.value}  ({candidate.source}, {candidate.where})")
    click.echo(found.raw)


@quarantine.command()
@click.argument("target")
@click.option("--believe", metavar="FIELD=SOURCE", help="TARGET is an ambiguous offer: believe this source.")
@click.option(
    "--rule",
    metavar="NAME=VALUE",
    help=f"TARGET is a store's slug: {', '.join(RULE_NAMES)}; no value: take it back.",
)
@click.option("--replay", "then_replay", is_flag=True, help="Read what waits at the store again at once.")
@as_json_option
def fix(target: str, believe: str | None, rule: str | None, then_replay: bool, as_json: bool) -> None:
    """Make a rule of the store that TARGET (an offer or a store) belongs to."""
    if (believe is None) == (rule is None):
        raise InvalidInput("give one of --believe and --rule", place="fix", remedy="see --help")
    name, equals, value = (believe or rule or "").partition("=")
    if not equals:
        raise InvalidInput(
            "has no '='", place="--believe" if believe else "--rule", remedy="write NAME=VALUE"
        )
    with database(Settings.from_env()) as sessions, sessions.begin() as session:
        if believe is not None:
            choose_candidate(session, target, name, value)
            slug = get_quarantined(session, target).store_slug
        else:
            slug = target
            set_offer_rule(session, slug, name, value)
        report = replay_quarantine(session, slug) if then_replay else None
    if report is not None:
        _print_report(report, as_json)
    elif as_json:
        print_json({"store": slug, "rule": {name: value}})
    else:
        click.echo(
            f"{slug}: {name} = {value or 'no rule'}; `click2cart quarantine replay --store {slug}` reads by it"
        )


@quarantine.command()
@click.argument("offers", nargs=-1)
@click.option("--store", required=True, help="Of this store's slug.")
@click.option("--reason", help="Only refused for this reason.")
@as_json_option
def replay(offers: tuple[str, ...], store: str, reason: str | None, as_json: bool) -> None:
    """Read OFFERS (or all that wait at the store) again by the rules that hold now."""
    _replay(offers, store, reason, as_json, vouched=False)


@quarantine.command()
@click.argument("offers", nargs=-1, required=True)
@click.option("--store", required=True, help="Of this store's slug.")
@as_json_option
def accept(offers: tuple[str, ...], store: str, as_json: bool) -> None:
    """Say that the leapt prices of OFFERS are right, and release them."""
    _replay(offers, store, None, as_json, vouched=True)


@quarantine.command()
@click.argument("offers", nargs=-1, required=True)
@as_json_option
def discard(offers: tuple[str, ...], as_json: bool) -> None:
    """See OFFERS no more; refused again for the same reason they stay out of sight."""
    with database(Settings.from_env()) as sessions, sessions.begin() as session:
        count = discard_quarantined(session, offers)
    if as_json:
        print_json({"discarded": count})
    else:
        click.echo(f"{count} discarded")


def _replay(offers: tuple[str, ...], store: str, reason: str | None, as_json: bool, *, vouched: bool) -> None:
    with database(Settings.from_env()) as sessions, sessions.begin() as session:
        report = replay_quarantine(session, store, public_ids=offers or None, reason=reason, vouched=vouched)
    _print_report(report, as_json)


def _print_report(report: ReplayReport, as_json: bool) -> None:
    if as_json:
        print_json(asdict(report))
        return
    run = report.run
    click.echo(
        f"{report.replayed} read again"
        + (f": {run.new} new, {run.changed} changed, {run.quarantined} refused again" if run else "")
        + (f"; {report.left} cannot be" if report.left else "")
    )
