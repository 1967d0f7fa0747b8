"""Commands about stores: probe, stores add, stores list, crawl."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from aggregator.domain.errors import BasketError, InvalidInput
from aggregator.domain.shipping import ShippingRule
from aggregator.settings import Settings
from aggregator.shopping.basket_files import read_shipping_rule
from spiders.detection import ProbeResult


@click.command()
@click.argument("url")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def probe(context: click.Context, url: str, as_json: bool) -> None:
    """Tell how the store at URL can be read, in at most eight polite requests."""
    from spiders.detection import probe as probe_store

    result = probe_store(url, Settings.from_env())
    _print(result.to_json()) if as_json else _explain(result)
    context.exit(0 if result.is_known else 1)


@click.group()
def stores() -> None:
    """Register and list stores."""


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

    options = dict(_option(given) for given in settings_given)
    currency = currency.upper() if currency else None
    rule = _shipping_rule(shipping, currency) if shipping else None
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
        _print(result.to_json()) if as_json else _explain(result)
        context.exit(1)
    if as_json:
        told = result.to_json()
        _print(
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


@stores.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def list_all(as_json: bool) -> None:
    """List the registered stores."""
    from aggregator.catalog.stores import list_stores
    from aggregator.db.session import database

    with database(Settings.from_env()) as sessions, sessions.begin() as session:
        summaries = list_stores(session)
    if as_json:
        _print([asdict(summary) for summary in summaries])
        return
    for store in summaries:
        state = store.last_run.state if store.last_run else "never read"
        click.echo(
            f"{store.slug:24} {store.platform:14} {store.offer_count:>8} offers  {state:10} {store.url}"
        )


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
        _print(
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


def _option(given: str) -> tuple[str, str]:
    key, separator, value = given.partition("=")
    if not separator or not key.strip():
        raise InvalidInput(
            f"{given!r} is not KEY=VALUE", place="--set", remedy="write it as --set feed_url=https://…"
        )
    return key.strip(), _content(value, "--set").strip()


def _content(value: str, place: str) -> str:
    """The value itself, or with "@" before it the content of that file."""
    if not value.startswith("@"):
        return value
    try:
        return Path(value[1:]).read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidInput(
            f"{value[1:]} cannot be read ({error.strerror})",
            place=place,
            remedy="name a file that you may read",
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{value[1:]} is no UTF-8 text", place=place, remedy="save it as UTF-8") from error


def _shipping_rule(given: str, currency: str | None) -> ShippingRule:
    try:
        return read_shipping_rule(_content(given, "--shipping").encode(), currency)
    except BasketError as error:
        raise InvalidInput(error.problem, place=f"--shipping {error.place}", remedy=error.remedy) from error


def _explain(result: ProbeResult) -> None:
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


def _print(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, default=_plain))


def _plain(value: Any) -> str:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else str(value)
