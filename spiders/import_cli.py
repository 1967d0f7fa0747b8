"""The command import: a feed by hand into a store."""

from __future__ import annotations

import json
import re
import sys

import click

from aggregator.domain.errors import InvalidInput
from aggregator.domain.money import CURRENCIES
from aggregator.settings import Settings

_COUNTS = ("seen", "new", "changed", "unchanged", "held", "quarantined", "gone")


@click.command(name="import")
@click.argument("place", metavar="FILE_OR_URL")
@click.option("--store", "slug", metavar="SLUG", help="The store; made from the items' links if left out.")
@click.option("--url", help="The store's address; that of the items' links if left out.")
@click.option("--name", help="Name to show of a new store.")
@click.option("--currency", help="Of prices that name none, such as EUR.")
@click.option("--country", help="Where the store sells, such as DE.")
@click.option(
    "--set",
    "settings_given",
    multiple=True,
    metavar="KEY=VALUE",
    help='Such as columns="title=Name, price=Preis".',
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def import_feed(
    context: click.Context,
    place: str,
    slug: str | None,
    url: str | None,
    name: str | None,
    currency: str | None,
    country: str | None,
    settings_given: tuple[str, ...],
    as_json: bool,
) -> None:
    """Take the product feed FILE_OR_URL (XML, text or JSON, also packed) into a store, now.

    What the feed does not list any more is gone from the store.
    """
    from aggregator.db.session import database
    from spiders.importing import ImportRequest
    from spiders.importing import import_feed as take

    settings = Settings.from_env()
    asked = ImportRequest(
        place=place,
        slug=slug,
        url=url,
        name=name,
        currency=_currency(currency),
        country=_country(country),
        options=dict(_option(given) for given in settings_given),
    )
    shows_progress = sys.stderr.isatty()
    with database(settings) as sessions:
        store, report = take(settings, sessions, asked, progress=_show if shows_progress else None)
    if shows_progress:
        click.echo(err=True)
    offers = {count: getattr(report, count) for count in _COUNTS}
    if as_json:
        told = {
            "store": store.slug, "run": report.run, "state": report.state, "requests": report.requests,
            "offers": offers, "problem": report.problem,
        }  # fmt: skip
        click.echo(json.dumps(told, ensure_ascii=False))
    else:
        counted = ", ".join(f"{number} {count}" for count, number in offers.items())
        click.echo(f"{store.slug}: {report.state}: {counted}")
    if report.problem:
        click.echo(f"click2cart: {report.problem}", err=True)
    context.exit(0 if report.state == "finished" else 1)


def _show(offers: int, requests: int) -> None:
    click.echo(f"\r{offers} offers", nl=False, err=True)


def _option(given: str) -> tuple[str, str]:
    key, separator, value = given.partition("=")
    if not separator or not key.strip():
        raise InvalidInput(
            f"{given!r} is not KEY=VALUE", place="--set", remedy='write it as --set columns="title=Name"'
        )
    return key.strip(), value.strip()


def _currency(code: str | None) -> str | None:
    if code is not None and code.upper() not in CURRENCIES:
        raise InvalidInput(
            f"{code!r} is not an ISO 4217 currency", place="--currency", remedy="use a code such as EUR"
        )
    return code.upper() if code else None


def _country(code: str | None) -> str | None:
    if code is not None and not re.fullmatch(r"[A-Za-z]{2}", code):
        raise InvalidInput(
            f"{code!r} is not an ISO 3166 country", place="--country", remedy="use a code such as DE"
        )
    return code.upper() if code else None
