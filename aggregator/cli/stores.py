"""`click2cart stores`: list, show, change, pause, remove, export and import stores. `add` is the spiders' part."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click

from aggregator.cli.output import as_json_option, print_json, result_stream
from aggregator.db.session import database
from aggregator.domain.errors import BasketError, InvalidInput
from aggregator.domain.shipping import ShippingRule
from aggregator.settings import Settings


@click.group()
def stores() -> None:
    """Register stores, see and change their settings, pause and remove them."""


@stores.command(name="list")
@as_json_option
def list_all(as_json: bool) -> None:
    """List the registered stores."""
    from aggregator.catalog.store_health import list_store_health
    from aggregator.catalog.stores import list_stores

    with database(Settings.from_env()) as sessions, sessions.begin() as session:
        summaries = list_stores(session)
        health = list_store_health(session)
    if as_json:
        print_json(
            [
                asdict(summary)
                | {"schedule": summary.schedule.to_json()}
                | {"health": asdict(health[summary.slug])}
                for summary in summaries
            ]
        )
        return
    for store in summaries:
        state: str = store.last_run.state if store.last_run else "never read"
        if store.removal_asked_at:
            state = "being removed"
        elif not store.is_active:
            state = "paused"
        elif health[store.slug].circuit != "closed":
            state = "left alone"
        alarms = f"  {health[store.slug].open_alarms} alarms" if health[store.slug].open_alarms else ""
        click.echo(
            f"{store.slug:24} {store.platform:14} {store.offer_count:>8} offers  {state:13} {store.url}{alarms}"
        )


@stores.command()
@click.argument("slug")
@as_json_option
def show(slug: str, as_json: bool) -> None:
    """Show the settings of the store SLUG; of its secrets only which are set."""
    from aggregator.catalog.store_settings import get_store_settings

    with database(Settings.from_env()) as sessions, sessions.begin() as session:
        settings = get_store_settings(session, slug)
    told = settings.to_json() | {"secrets_set": list(settings.secret_names)}
    if as_json:
        print_json(told)
        return
    for name, value in told.items():
        click.echo(f"{name:20} {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")


@stores.command(name="set")
@click.argument("slug")
@click.option("--name", help="Name to show.")
@click.option("--country", help="ISO 3166 code; empty takes it away.")
@click.option("--currency", help="ISO 4217 code; empty takes it away.")
@click.option("--tax-basis", type=click.Choice(["included", "excluded", "unknown"]))
@click.option(
    "--shipping", metavar="JSON|@FILE|unknown", help="The shipping rule, as a plan's basket writes it."
)
@click.option(
    "--shipping-to",
    multiple=True,
    metavar="DE=JSON|@FILE|none",
    help="Another rule for parcels to one country.",
)
@click.option(
    "--set", "given", multiple=True, metavar="KEY=VALUE|KEY=@FILE", help="An option, or a secret one."
)
@click.option("--unset", multiple=True, metavar="KEY", help="Take an option away.")
@as_json_option
def set_settings(
    slug: str,
    name: str | None,
    country: str | None,
    currency: str | None,
    tax_basis: str | None,
    shipping: str | None,
    shipping_to: tuple[str, ...],
    given: tuple[str, ...],
    unset: tuple[str, ...],
    as_json: bool,
) -> None:
    """Change settings of the store SLUG; what is not named stays. Its schedule: `click2cart schedule set`."""
    from aggregator.catalog.store_settings import get_store_settings, save_store_settings
    from aggregator.domain.store_settings import read_country, read_currency_code, read_tax_basis
    from aggregator.platforms import find_platform
    from aggregator.secrets import StoreSecrets

    options = dict(read_option(text) for text in given)
    settings = Settings.from_env()
    with database(settings) as sessions, sessions.begin() as session:
        current = get_store_settings(session, slug)
        platform = find_platform(current.platform)
        secret_names = platform.secret_options if platform else ()
        secrets: dict[str, str | None] = {key: None for key in unset if key in secret_names}
        to_seal = {key: options.pop(key) for key in secret_names if key in options}
        if to_seal:
            secrets |= StoreSecrets.from_settings(settings).seal(to_seal)
        code = current.currency if currency is None else read_currency_code(currency)
        wanted = replace(
            current,
            name=name or current.name,
            country=current.country if country is None else read_country(country),
            currency=code,
            tax_basis=current.tax_basis if tax_basis is None else read_tax_basis(tax_basis),
            options={key: value for key, value in {**current.options, **options}.items() if key not in unset},
        )
        if shipping is not None:
            wanted = replace(wanted, shipping=_rule_or_none(shipping, code, "--shipping", "unknown"))
        by_country = dict(current.shipping_by_country)
        for text in shipping_to:
            land, _, rule = text.partition("=")
            place = read_country(land) or ""
            read = _rule_or_none(rule, code, "--shipping-to", "none")
            by_country.pop(place, None)
            if read is not None:
                by_country[place] = read
        saved = save_store_settings(
            session, replace(wanted, shipping_by_country=by_country), sealed_secrets=secrets
        )
    if as_json:
        print_json(saved.to_json() | {"secrets_set": list(saved.secret_names)})
    else:
        click.echo(f"{slug}: saved")


def _set_active(slug: str, is_active: bool, as_json: bool) -> None:
    from aggregator.catalog.schedules import pause_store, resume_store
    from aggregator.catalog.stores import get_store_summary

    with database(Settings.from_env()) as sessions, sessions.begin() as session:
        (resume_store if is_active else pause_store)(session, slug)
        session.flush()
        store = get_store_summary(session, slug)
    if as_json:
        print_json({"slug": slug, "is_active": store.is_active, "next_crawl_at": store.next_crawl_at})
    elif store.next_crawl_at:
        click.echo(f"{slug} is read next at {store.next_crawl_at:%Y-%m-%d %H:%M} UTC")
    else:
        click.echo(f"{slug} is paused; click2cart stores resume {slug} plans it again")


@stores.command()
@click.argument("slug")
@as_json_option
def pause(slug: str, as_json: bool) -> None:
    """Plan no crawls of the store SLUG any more; what it offers stays."""
    _set_active(slug, False, as_json)


@stores.command()
@click.argument("slug")
@as_json_option
def resume(slug: str, as_json: bool) -> None:
    """Crawl the store SLUG by its schedule again."""
    _set_active(slug, True, as_json)


@stores.command()
@click.argument("slug")
@click.option("--confirm", metavar="SLUG", help="The slug once more; asked for at a terminal.")
@as_json_option
def remove(slug: str, confirm: str | None, as_json: bool) -> None:
    """Remove the store SLUG with its offers, their price history, its runs and its settings, for good."""
    from aggregator.catalog.store_removal import ask_for_removal, count_belongings, remove_step

    with database(Settings.from_env()) as sessions:
        with sessions.begin() as session:
            belongings = count_belongings(session, slug)
        if confirm is None:
            if not sys.stdin.isatty():
                raise InvalidInput("not confirmed", place="--confirm", remedy=f"add --confirm {slug}")
            click.echo(
                f"This deletes {belongings.offers:,} offers with {belongings.prices:,} prices over time and "
                f"{belongings.runs:,} runs. `click2cart stores pause {slug}` keeps them.",
                err=True,
            )
            confirm = click.prompt("Type the store's slug to go on", err=True)
        with sessions.begin() as session:
            ask_for_removal(session, slug, confirmed_slug=confirm or "")
        is_left = True
        while is_left:
            with sessions.begin() as session:
                is_left = remove_step(session)
    if as_json:
        print_json({"slug": slug, "removed": asdict(belongings)})
    else:
        click.echo(f"{slug} is removed with {belongings.offers:,} offers")


@stores.command()
@click.argument("slugs", nargs=-1)
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write; - is standard output."
)
def export(slugs: tuple[str, ...], output: Path | None) -> None:
    """Write the settings of the stores SLUGS, or of all, as JSON; secrets are left out."""
    from aggregator.catalog.store_settings import export_settings, list_store_settings

    with database(Settings.from_env()) as sessions, sessions.begin() as session:
        document = export_settings(list_store_settings(session, slugs or None))
    with result_stream(output) as stream:
        stream.write(json.dumps(document, ensure_ascii=False, indent=1) + "\n")


@stores.command(name="import")
@click.argument("file")
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@as_json_option
def import_settings(file: str, dry_run: bool, as_json: bool) -> None:
    """Take settings of stores from FILE (- is standard input): all of them, or none where one cannot be used."""
    from aggregator.catalog.store_settings import import_stores, read_export

    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        document = json.loads(text)
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise InvalidInput(
            f"cannot be read ({error})", place=file, remedy="give a file that export wrote"
        ) from None
    wanted = read_export(document)
    with database(Settings.from_env()) as sessions, sessions() as session:
        found = import_stores(session, wanted)
        if dry_run:
            session.rollback()
        else:
            session.commit()
    if as_json:
        print_json([asdict(store) for store in found])
        return
    for store in found:
        missing = f"; set its {', '.join(store.secrets_missing)}" if store.secrets_missing else ""
        click.echo(f"{store.slug:24} {store.outcome}{missing}")


def read_option(given: str) -> tuple[str, str]:
    """KEY=VALUE, or KEY=@FILE with the file's content; raises InvalidInput."""
    key, separator, value = given.partition("=")
    if not separator or not key.strip():
        raise InvalidInput(
            f"{given!r} is not KEY=VALUE", place="--set", remedy="write it as --set feed_url=https://…"
        )
    return key.strip(), _content(value, "--set").strip()


def read_rule(given: str, currency: str | None, place: str = "--shipping") -> ShippingRule:
    """A shipping rule as JSON, or "@" and a file of it; raises InvalidInput with the JSON path of a fault."""
    from aggregator.shopping.basket_files import read_shipping_rule

    try:
        return read_shipping_rule(_content(given, place).encode(), currency)
    except BasketError as error:
        raise InvalidInput(error.problem, place=f"{place} {error.place}", remedy=error.remedy) from error


def _rule_or_none(given: str, currency: str | None, place: str, nothing: str) -> ShippingRule | None:
    return None if given.strip().lower() == nothing else read_rule(given, currency, place)


def _content(value: str, place: str) -> Any:
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
