"""`click2cart offers`: the current offers, one a line."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import click

from aggregator.catalog.offers import ListedOffer, list_offers
from aggregator.cli.output import result_stream
from aggregator.db.session import database
from aggregator.settings import Settings

FIELDS = (
    "id", "store", "external_id", "name", "brand", "mpn", "gtin", "price", "currency", "availability",
    "url", "item_group_id", "product_id", "checked_at",
)  # fmt: skip


@click.command()
@click.option("--store", metavar="SLUG", help="Only the offers of this store.")
@click.option("--all", "include_gone", is_flag=True, help="The gone ones too; adds gone_at to each line.")
@click.option("--format", "layout", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file in place of standard output; it appears when it is whole.",
)
def offers(store: str | None, include_gone: bool, layout: str, output: Path | None) -> None:
    """Write one line for each current offer, streaming."""
    fields = (*FIELDS, "gone_at") if include_gone else FIELDS
    write = write_csv if layout == "csv" else write_jsonl
    with (
        database(Settings.from_env()) as sessions,
        sessions.begin() as session,
        closing(list_offers(session, store, include_gone)) as listed,
        result_stream(output) as stream,
    ):
        write((as_fields(offer) for offer in listed), fields, stream)


def as_fields(offer: ListedOffer) -> dict[str, str | None]:
    """The offer under the interfaces' keys: an amount as text in major units, instants as RFC 3339."""
    return {
        "id": offer.id,
        "store": offer.store,
        "external_id": offer.external_id,
        "name": offer.name,
        "brand": offer.brand,
        "mpn": offer.mpn,
        "gtin": offer.gtin,
        "price": offer.price.plain(),
        "currency": offer.price.currency,
        "availability": offer.availability,
        "url": offer.url,
        "item_group_id": offer.item_group_id,
        "product_id": offer.product_id,
        "checked_at": _instant(offer.checked_at),
        "gone_at": _instant(offer.gone_at),
    }


def write_jsonl(lines: Iterable[Mapping[str, str | None]], fields: tuple[str, ...], output: IO[str]) -> None:
    """One JSON object a line."""
    for line in lines:
        output.write(json.dumps({name: line[name] for name in fields}, ensure_ascii=False) + "\n")


def write_csv(lines: Iterable[Mapping[str, str | None]], fields: tuple[str, ...], output: IO[str]) -> None:
    """A header and one record an offer; what is unknown is empty."""
    writer = csv.DictWriter(output, fields, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)


def _instant(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")
