"""`click2cart match` on the catalogue: link it, say what is known about a pair, hand people's verdicts to training."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aggregator.domain.errors import InvalidInput
from aggregator.settings import Settings
from matcher.files import write_rows

if TYPE_CHECKING:
    from aggregator.catalog.match_links import KnownPair
    from matcher.relinking import Change, RelinkReport

# The database is loaded where it is needed: commands on files need none.

_FILE = click.Path(dir_okay=False, path_type=Path)
# Enough company to learn how rare words are; more would only make training slower.
_COMPANY = 20_000


@click.command()
@click.option("--full", is_flag=True, help="Compare the whole catalogue anew, not only what is pending.")
@click.option("--dry-run", is_flag=True, help="With --full: say what would change, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def link(full: bool, dry_run: bool, as_json: bool) -> None:
    """Link the offers that wait in the catalogue: make products of them, with evidence."""
    if dry_run and not full:
        raise InvalidInput("--dry-run tells what a full linking would change", remedy="give --full too")
    from aggregator.db.session import database
    from matcher.catalogue_index import IndexPlace
    from matcher.linker import link_pending_offers
    from matcher.relinking import relink_catalogue

    settings = Settings.from_env()
    with database(settings) as sessions:
        if full:
            relinked = relink_catalogue(sessions, dry_run=dry_run)
            click.echo(
                json.dumps(_relinked_json(relinked), ensure_ascii=False) if as_json else _told(relinked)
            )
            return
        index = IndexPlace(settings.data_dir / "matching-index")
        report = link_pending_offers(sessions, index=index)
    if as_json:
        click.echo(json.dumps(asdict(report)))
    else:
        click.echo(
            f"{report.linked} offers linked, {report.products} products made, {report.doubtful} pairs are doubtful"
        )


@click.command()
@click.option("--offers", type=_FILE, required=True, help="Where the offers go, for --labelled.")
@click.option("--pairs", type=_FILE, required=True, help="Where the judged pairs go: left_id,right_id,label.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def verdicts(offers: Path, pairs: Path, as_json: bool) -> None:
    """Write down what people said about pairs, for `match train --labelled OFFERS PAIRS` to learn from."""
    from aggregator.db.session import database
    from matcher.candidates import read_judged

    with database(Settings.from_env()) as sessions, sessions.begin() as session:
        records, judged = read_judged(session, _COMPANY)
    if not judged:
        raise InvalidInput("nobody has judged a pair yet", remedy="settle some at /operations/matches")
    write_rows(
        offers,
        ("offer_id", "store", "title", "brand", "mpn", "gtin", "price", "currency", "category"),
        (
            (
                one.offer_id, one.store, one.title, one.brand, one.mpn, one.gtin,
                "" if one.price is None else str(one.price), one.currency, one.category,
            )
            for one in records
        ),
    )  # fmt: skip
    write_rows(
        pairs,
        ("left_id", "right_id", "label"),
        ((left, right, str(int(same))) for left, right, same in judged),
    )
    report = {"offers": len(records), "pairs": len(judged), "same": sum(same for *_, same in judged)}
    if as_json:
        click.echo(json.dumps(report))
    else:
        click.echo(
            f"{report['pairs']} judged pairs ({report['same']} of them the same), {report['offers']} offers"
        )


def read_known_pair(offer: str, other_offer: str) -> KnownPair:
    """What the catalogue knows about two offers."""
    from aggregator.catalog.match_links import get_known_pair
    from aggregator.db.session import database

    with database(Settings.from_env()) as sessions, sessions.begin() as session:
        return get_known_pair(session, offer, other_offer)


def known_json(known: KnownPair) -> dict[str, object]:
    """A known pair as `match explain --json` prints it."""
    verdict = known.word and {
        "word": known.word,
        "by": known.said_by,
        "said_at": known.said_at.isoformat() if known.said_at else None,
    }
    return {
        "offers": [offer_id for offer_id, _, _ in known.titles],
        "probability": None if known.probability is None else round(known.probability, 6),
        "outcome": known.outcome,
        "model_version": known.model_version,
        "evidence": [asdict(one) for one in known.evidence],
        "verdict": verdict or None,
    }


def told_word(known: KnownPair) -> str:
    """A person's word in a sentence; "" where nobody spoke."""
    if known.word is None or known.said_at is None:
        return ""
    words = {
        "same": "are the same product",
        "different": "are not the same product",
        "variant": "are variants of one another",
    }
    who = known.said_by or "somebody at the command line"
    return f"{who} said on {known.said_at:%Y-%m-%d %H:%M} that these {words[known.word]}; that outranks the matcher"


def _relinked_json(report: RelinkReport) -> dict[str, object]:
    return {
        **asdict(report),
        "linked": report.offers,
        "products": report.new,
        "sample": [
            {
                "kind": change.kind,
                "offers": change.offers,
                "products": [{"id": public_id, "title": title} for public_id, title in change.products],
            }
            for change in report.sample
        ],
    }


def _told(report: RelinkReport) -> str:
    would = "would be " if report.dry_run else ""
    lines = [
        f"{report.offers} offers compared: {report.products_before} products before, {report.products_after} after",
        f"{report.merged} products {would}merged into others, {report.split} {would}split, {report.new} {would}made;"
        f" {report.moved} offers {would}moved",
        f"{report.doubtful} pairs are doubtful",
        f"what stands against a full linking: precision {report.drift.precision:.4f},"
        f" recall {report.drift.recall:.4f}, F1 {report.drift.f1:.4f}",
        *map(_told_change, report.sample),
    ]
    return "\n".join(lines)


def _told_change(change: Change) -> str:
    first, *others = (title or "a new product" for _, title in change.products)
    joined = "; ".join(others)
    match change.kind:
        case "split":
            return f"  split  {first}  ->  also {joined}"
        case "merge":
            return f"  merge  {joined}  ->  {first}"
        case _:
            return f"  move   {joined}  ->  {first}"
