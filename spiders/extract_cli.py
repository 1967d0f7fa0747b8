"""The command extract: read saved or live pages, platform answers, price texts and product numbers."""

from __future__ import annotations

import gzip
import json
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from aggregator.domain.errors import InvalidInput

if TYPE_CHECKING:
    from spiders.pages import PageReading

_MOST_BYTES = 64_000_000
_STANDARD_OUTPUT = Path("/dev/stdout")
_UNKNOWN_ADDRESS = "https://page.invalid/"


@dataclass(frozen=True, slots=True)
class SavedPage:
    """A page from a file with the address it came from."""

    url: str
    text: str


@click.command()
@click.argument("page", required=False, metavar="[FILE_OR_URL]")
@click.option("--url", help="Where the page of a file came from; it tells country and main product.")
@click.option("--explain", is_flag=True, help="What each source said of each field, and what was chosen.")
@click.option("--manifest", type=click.Path(path_type=Path), help="Lines with file and url: read every page.")
@click.option(
    "--api-manifest", type=click.Path(path_type=Path), help="Lines with file and platform: saved answers."
)
@click.option("--prices", type=click.Path(path_type=Path), help="Lines with text and hint: read the prices.")
@click.option("--gtins", type=click.Path(path_type=Path), help="Lines with text: read the product numbers.")
@click.option(
    "--output", type=click.Path(path_type=Path), help="Where the lines go; standard output if left out."
)
@click.pass_context
def extract(
    context: click.Context,
    page: str | None,
    url: str | None,
    explain: bool,
    manifest: Path | None,
    api_manifest: Path | None,
    prices: Path | None,
    gtins: Path | None,
    output: Path | None,
) -> None:
    """Read one page (a file, "-" or an address), or a whole file of things to read."""
    chosen = [value for value in (page, manifest, api_manifest, prices, gtins) if value is not None]
    if len(chosen) != 1:
        raise InvalidInput(
            "nothing or several things to read",
            remedy="give one page, or one of --manifest, --api-manifest, --prices, --gtins",
        )
    if page is not None:
        reading = _read_one(page, url)
        if explain:
            _explain(reading)
        else:
            click.echo(json.dumps(as_line(reading), ensure_ascii=False))
        context.exit(0 if reading.main is not None else 1)
    if output is None or str(output) == "-":
        output = _STANDARD_OUTPUT
    if manifest is not None:
        _read_manifest(manifest, output)
        return
    from spiders.extract_tables import read_api_manifest, read_gtins, read_prices

    if api_manifest is not None:
        read_api_manifest(api_manifest, output)
    elif prices is not None:
        read_prices(prices, output)
    elif gtins is not None:
        read_gtins(gtins, output)


def _read_one(page: str, url: str | None) -> PageReading:
    from spiders.pages import Document, read_page

    if page.startswith(("http://", "https://")):
        from aggregator.fetching import Fetcher
        from aggregator.settings import Settings

        with Fetcher(Settings.from_env()) as fetcher:
            answer = fetcher.get(page).expect_ok()
            return read_page(Document(SavedPage(url or answer.url, answer.text)))
    if page == "-":
        return read_page(Document(SavedPage(url or _UNKNOWN_ADDRESS, sys.stdin.read())))
    return read_page(Document(SavedPage(url or _UNKNOWN_ADDRESS, _saved(Path(page)))))


def _saved(path: Path) -> str:
    """A saved page's text; UTF-8 whatever its markup says."""
    try:
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            with gzip.open(path) as packed:
                raw = packed.read(_MOST_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise InvalidInput(
            f"cannot be read ({error})", place=str(path), remedy="name a saved HTML page"
        ) from error
    return raw[:_MOST_BYTES].decode("utf-8-sig", "replace")


def _read_manifest(manifest: Path, output: Path) -> None:
    from spiders.pages import Document, read_page

    try:
        with manifest.open(encoding="utf-8") as lines, output.open("w", encoding="utf-8") as written:
            for name, url in _entries(lines, manifest):
                page = SavedPage(url or _UNKNOWN_ADDRESS, _saved(manifest.parent / name))
                line = {"file": name, **as_line(read_page(Document(page)))}
                written.write(json.dumps(line, ensure_ascii=False) + "\n")
    except (OSError, UnicodeError) as error:
        raise InvalidInput(f"cannot be read or written ({error})", place=str(manifest)) from error


def _entries(lines: TextIO, manifest: Path) -> Iterator[tuple[str, str | None]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        place = f"{manifest}:{number}"
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InvalidInput(f"is no JSON ({error})", place=place) from error
        name, url = (entry.get("file"), entry.get("url")) if isinstance(entry, dict) else (None, None)
        if not isinstance(name, str) or not isinstance(url, str | None):
            raise InvalidInput(
                "names no file", place=place, remedy='{"file": "page.html", "url": "https://…"}'
            )
        yield name, url


def as_line(reading: PageReading) -> dict[str, Any]:
    """What was read, in the words of the interface; a field is null where the page does not tell it."""
    main = reading.main
    line: dict[str, Any] = {
        "name": None, "price": None, "currency": None, "availability": None, "brand": None, "sku": None,
        "gtin": None, "mpn": None, "list_price": None, "item_condition": None, "image": None, "url": None,
    }  # fmt: skip
    if main is not None:
        line = _fields(main, reading.price)
    offers = (
        [_fields(offer, None) for offer in reading.offers]
        if len(reading.offers) > 1
        else [line]
        if main
        else []
    )
    return {
        **line,
        "ambiguous": bool(reading.ambiguous),
        "needs_browser": reading.needs_browser,
        "offers": offers,
    }


def _fields(offer: Any, price: Decimal | None) -> dict[str, Any]:
    from aggregator.domain.vocabulary import read_availability, read_condition
    from spiders.pages.evidence import plain_amount

    availability, condition = read_availability(offer.availability), read_condition(offer.item_condition)
    amount = price if price is not None else plain_amount(offer.price, offer.price_currency)
    listed = plain_amount(offer.list_price, offer.price_currency)
    return {
        "name": offer.title or None,
        "price": None if amount is None else format(amount, "f"),
        "currency": offer.price_currency,
        "availability": None if availability is None else str(availability),
        "brand": offer.brand,
        "sku": offer.sku,
        "gtin": offer.gtin,
        "mpn": offer.mpn,
        "list_price": None if listed is None else format(listed, "f"),
        "item_condition": None if condition is None else str(condition),
        "image": offer.image_url,
        "url": offer.url,
    }


def _explain(reading: PageReading) -> None:
    main = reading.main
    if main is None:
        click.echo(
            "No product was read."
            + (" The page is made by scripts in a browser." if reading.needs_browser else "")
        )
        return
    fields = as_line(reading)
    chosen_by = {"title": "name", "price_currency": "currency"}
    for name, candidates in reading.candidates.items():
        mark = "  AMBIGUOUS" if name in reading.ambiguous else ""
        click.echo(f"{chosen_by.get(name, name)}: {fields.get(chosen_by.get(name, name))}{mark}")
        for candidate in sorted(candidates, key=lambda one: -one.weight):
            click.echo(
                f"    {candidate.weight:.2f}  {candidate.source:15} {str(candidate.value)[:60]:60}  {candidate.where}"
            )
    click.echo(
        f"is a product page: {'yes' if reading.is_product else 'not surely'}; offers: {len(reading.offers)}"
    )
