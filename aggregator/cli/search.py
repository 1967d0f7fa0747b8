"""`click2cart search`: the index that search reads, which can always be made anew from the database."""

from __future__ import annotations

import time
from dataclasses import asdict

import click

from aggregator.catalog.search import search_products
from aggregator.catalog.search_index import IndexPlace, SearchIndex
from aggregator.catalog.search_sync import is_behind, rebuild, synchronise
from aggregator.cli.output import as_json_option, print_json
from aggregator.db.session import database
from aggregator.domain.products import SearchQuery
from aggregator.settings import Settings

_PAUSE_SECONDS = 2


@click.group()
def search() -> None:
    """Make the search index anew, bring it up to date, or ask it."""


@search.command(name="rebuild")
@as_json_option
def rebuild_it(as_json: bool) -> None:
    """Make the index anew from the database; the old one answers until the new one is whole."""
    settings = Settings.from_env()
    started = time.monotonic()
    with database(settings) as sessions:
        products = rebuild(sessions, IndexPlace.at(settings.data_dir, settings.country))
    seconds = round(time.monotonic() - started, 1)
    if as_json:
        print_json({"products": products, "seconds": seconds})
    else:
        click.echo(f"the search index has {products} products, made in {seconds} s")


@search.command()
@click.option(
    "--follow", is_flag=True, help="Go on until told to stop: for a web host without a worker of its own."
)
@as_json_option
def update(follow: bool, as_json: bool) -> None:
    """Take up what changed since the last time. Workers do it by themselves."""
    settings = Settings.from_env()
    place = IndexPlace.at(settings.data_dir, settings.country)
    with database(settings) as sessions:
        while True:
            report = synchronise(sessions, place)
            if as_json:
                print_json(asdict(report))
            elif not follow or report.done in {"updated", "rebuilt"}:
                click.echo(f"{report.done}: {report.products} products read")
            if not follow:
                return
            behind = False
            while not behind:
                time.sleep(_PAUSE_SECONDS)
                with sessions() as session:
                    behind = is_behind(session, place)


@search.command()
@click.argument("words")
@click.option("--limit", type=click.IntRange(1, 100), default=10, show_default=True)
@as_json_option
def find(words: str, limit: int, as_json: bool) -> None:
    """Say what shoppers would find for these WORDS."""
    settings = Settings.from_env()
    index = SearchIndex(IndexPlace.at(settings.data_dir, settings.country))
    with database(settings) as sessions, sessions() as session:
        page = search_products(session, SearchQuery(text=words, limit=limit), index)
    if as_json:
        print_json(
            {
                "total": page.total,
                "repaired": page.repaired,
                "is_indexed": page.is_indexed,
                "products": [
                    {"id": card.id, "title": card.title, "stores": card.store_count} for card in page.products
                ],
            }
        )
        return
    if page.repaired:
        click.echo(f"nothing has these words; shown is what has: {page.repaired}", err=True)
    click.echo(f"{page.total} products", err=True)
    for card in page.products:
        click.echo(f"{card.id}  {card.store_count:>3} stores  {card.title}")
