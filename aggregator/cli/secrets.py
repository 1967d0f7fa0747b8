"""`click2cart secrets`: the installation's key and what is sealed with it."""

from __future__ import annotations

import click

from aggregator.accounts.key_rotation import reseal_personal_data
from aggregator.catalog.key_rotation import reseal_store_secrets
from aggregator.cli.output import as_json_option, print_json
from aggregator.db.session import database
from aggregator.secrets import forget_previous_keys, previous_keys, replace_key
from aggregator.settings import Settings
from aggregator.shopping.account_carts import reseal_account_carts
from aggregator.shopping.alert_channels import reseal_alert_channels


@click.group()
def secrets() -> None:
    """Replace the key that seals stores' secrets and people's data."""


@secrets.command("rotate")
@click.option(
    "--new-key/--no-new-key", default=None, help="Make a new key first (default: unless it is set)."
)
@click.option("--forget", is_flag=True, help="Forget the previous keys once nothing is sealed with them.")
@as_json_option
def rotate(new_key: bool | None, forget: bool, as_json: bool) -> None:
    """Make a new key and seal everything with it.

    Where CLICK2CART_SECRET_KEY is set, set a new one there and the old one in CLICK2CART_PREVIOUS_SECRET_KEYS first.
    Until --forget, what the old key sealed can still be read: run it once, start everything anew, run it again with
    --no-new-key --forget. Visitors stay signed in; forms that lie open must be loaded again.
    """
    settings = Settings.from_env()
    if new_key or (new_key is None and settings.secret_key is None):
        replace_key(settings)
    with database(settings) as sessions, sessions.begin() as session:
        resealed = {
            "stores": reseal_store_secrets(session, settings),
            "personal": reseal_personal_data(session, settings) + reseal_alert_channels(session, settings),
            "carts": reseal_account_carts(session, settings),
        }
    if forget:
        forget_previous_keys(settings)
    left = len(previous_keys(settings))
    if as_json:
        print_json({"resealed": resealed, "previous_keys": left})
        return
    click.echo(
        f"sealed anew: {resealed['stores']} stores' secrets, {resealed['personal']} personal values; "
        f"{resealed['carts']} accounts' carts found by the new key; {left} previous keys can still be read"
    )
