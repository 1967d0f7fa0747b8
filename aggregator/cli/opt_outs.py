"""`click2cart opt-outs`: hosts whose owners do not want to be read."""

from __future__ import annotations

import click

from aggregator.catalog.host_politeness import opt_in, opt_out, opted_out_hosts
from aggregator.cli.output import as_json_option, print_json
from aggregator.db.session import database
from aggregator.settings import Settings


@click.group()
def opt_outs() -> None:
    """List, add and remove hosts that are never fetched, whatever a store or a person asks for."""


@opt_outs.command(name="list")
@as_json_option
def list_them(as_json: bool) -> None:
    """List every such host with its note; those of CLICK2CART_NEVER_FETCH are named, too."""
    settings = Settings.from_env()
    with database(settings) as sessions, sessions.begin() as session:
        hosts = dict.fromkeys(
            sorted(settings.never_fetch), "set by CLICK2CART_NEVER_FETCH"
        ) | opted_out_hosts(session)
    if as_json:
        print_json([{"host": host, "note": note} for host, note in hosts.items()])
        return
    for host, note in hosts.items():
        click.echo(f"{host}  {note}".rstrip())


@opt_outs.command()
@click.argument("host")
@click.option("--note", default="", help="Who asked, and when.")
def add(host: str, note: str) -> None:
    """Never fetch HOST again, nor any host below it. Its stores stay as they are; `stores remove` takes them away."""
    with database(Settings.from_env()) as sessions, sessions.begin() as session:
        name = opt_out(session, host, note=note)
    click.echo(f"{name} is never fetched from now on")


@opt_outs.command()
@click.argument("host")
def remove(host: str) -> None:
    """Take HOST off the list; its owner agrees to be read."""
    with database(Settings.from_env()) as sessions, sessions.begin() as session:
        opt_in(session, host)
    click.echo(f"{host} may be fetched again")
