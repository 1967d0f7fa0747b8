"""`click2cart operators`: who may sign in and run the place."""

from __future__ import annotations

import sys
from dataclasses import asdict

import click

from aggregator.accounts.roles import ROLES, Role
from aggregator.accounts.sign_in import LINK_LIFETIME, invite, link_address
from aggregator.accounts.staff import list_staff, take_role
from aggregator.cli.output import as_json_option, print_json
from aggregator.db.session import database
from aggregator.domain.errors import NotFound
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


@operators.command("list")
@as_json_option
def list_command(as_json: bool) -> None:
    """List operators and admins."""
    with database(Settings.from_env()) as sessions, sessions.begin() as session:
        staff = list_staff(session)
    if as_json:
        print_json([asdict(member) for member in staff])
        return
    for member in staff:
        signed_in = f"{member.last_signed_in_at:%Y-%m-%d %H:%M}" if member.last_signed_in_at else "never"
        click.echo(f"{member.email:40} {', '.join(member.roles):16} signed in {signed_in}")


@operators.command("remove")
@click.argument("mail")
@as_json_option
def remove_command(mail: str, as_json: bool) -> None:
    """Take operator's and admin's rights from MAIL, and sign the account out everywhere."""
    address = mail.strip().lower()
    with database(Settings.from_env()) as sessions, sessions.begin() as session:
        found = next((member for member in list_staff(session) if member.email == address), None)
        if found is None:
            raise NotFound("operator", address)
        take_role(session, found.id)
    if as_json:
        print_json({"email": address, "roles": []})
    else:
        click.echo(f"{address} may do nothing here any more")
