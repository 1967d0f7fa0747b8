"""`click2cart migrate`: bring the database to this program's schema."""

from __future__ import annotations

import click

from aggregator.db.session import database
from aggregator.settings import Settings


@click.command()
def migrate() -> None:
    """Bring the database to this program's schema. Run it at every release; twice is harmless.

    A database that a newer Click2Cart has changed is refused and left as it is.
    """
    with database(Settings.from_env()):
        click.echo("the database has this program's schema", err=True)
