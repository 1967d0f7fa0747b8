"""`click2cart operators`: who may sign in and run the place."""

from __future__ import annotations

import sys

import click

from aggregator.accounts.roles import ROLES, Role
from aggregator.accounts.sign_in import LINK_LIFETIME, invite, link_address
from aggregator.db.session import database
from aggregator.settings import Settings


@click.group()
def operators() -> None:
    """Give people access to the operations pages."""


@operators.command("invite")
@click.argument("mail")
@click.option("--role", type=click.Choice(ROLES), default="operator", show_default=True)
def invite_command(mail: str, role: Role) -> None:
    """Give MAIL an account with the role and print its single-use sign-in link.

    The link is a key: it is printed to a terminal only, never into a file or a pipe.
    """
    if not sys.stdout.isatty():
        raise click.UsageError(
            "the sign-in link is printed to a terminal only; run this without redirecting its output"
        )
    settings = Settings.from_env()
    with database(settings) as sessions, sessions.begin() as session:
        token = invite(session, mail, role)
    minutes = int(LINK_LIFETIME.total_seconds() // 60)
    click.echo(f"{mail} may sign in as {role}, once, within {minutes} minutes:", err=True)
    click.echo(link_address(settings, token))
