"""`click2cart stores add`: an address is probed and registered."""

from __future__ import annotations

import click

from aggregator.cli.output import print_json
from aggregator.cli.stores import read_option, read_rule, stores
from aggregator.settings import Settings
from spiders.cli import explain

__all__ = ["stores"]


@stores.command()
@click.argument("url")
@click.option("--slug", help="Short name for addresses and commands; made from the host if left out.")
@click.option("--name", help="Name to show; read from the store if left out.")
@click.option(
    "--set", "settings_given", multiple=True, metavar="KEY=VALUE|KEY=@FILE", help="A platform's option."
)
@click.option("--shipping", metavar="JSON|@FILE", help="The shipping rule, as a plan's basket writes it.")
@click.option(
    "--platform", help="How it is read, where its pages cannot tell: an API behind them, a marketplace."
)
@click.option("--country", help="ISO 3166 code, where the store does not tell it.")
@click.option("--currency", help="ISO 4217 code, where the store does not tell it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def add(
    context: click.Context,
    url: str,
    slug: str | None,
    name: str | None,
    settings_given: tuple[str, ...],
    shipping: str | None,
    platform: str | None,
    country: str | None,
    currency: str | None,
    as_json: bool,
) -> None:
    """Probe the store at URL and register it. Nothing is crawled; twice is harmless."""
    from aggregator.db.session import database
    from spiders.registration import add_store

    options = dict(read_option(given) for given in settings_given)
    currency = currency.upper() if currency else None
    rule = read_rule(shipping, currency) if shipping else None
    settings = Settings.from_env()
    with database(settings) as sessions:
        store, result = add_store(
            settings,
            sessions,
            url,
            slug=slug,
            name=name,
            options=options,
            shipping=rule,
            platform=platform,
            country=country.upper() if country else None,
            currency=currency,
        )
    if store is None:
        print_json(result.to_json()) if as_json else explain(result)
        context.exit(1)
    if as_json:
        told = result.to_json()
        print_json(
            {
                "slug": store.slug,
                "platform": store.platform,
                "name": store.name,
                "url": store.url,
                "currency": store.currency,
                "country": store.country,
                **{
                    key: told[key]
                    for key in ("confidence", "signals", "robots", "hand_off", "sources", "requests")
                },
            }
        )
    else:
        click.echo(
            f"{store.name} ({store.platform}) is registered as {store.slug}; "
            f"read it with: click2cart crawl {store.slug}"
        )
