"""`click2cart match`: cluster a file of offers, train a model, explain a pair."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from aggregator.domain.errors import InvalidInput, NotFound
from aggregator.settings import Settings
from matcher.catalogue_cli import known_json, link, read_known_pair, told_word, verdicts
from matcher.clustering import Partition
from matcher.engines.local import Outcome, Scoring, clusters_by_offer, partition, score_candidates
from matcher.engines.spark import DEFAULT_MASTER, on_spark
from matcher.evaluation import Evaluation, evaluate
from matcher.explanation import explain as explain_pair
from matcher.files import read_labels, read_offers, read_pairs, read_truth, write_rows
from matcher.incremental import build_index, link_new
from matcher.index import CatalogueIndex, is_kept
from matcher.model import SHIPPED_MODEL, MatchModel, probability_of
from matcher.parallel import processes_for
from matcher.preparation import prepare
from matcher.training import TrainingCatalogue
from matcher.training import train as train_model

if TYPE_CHECKING:
    from aggregator.catalog.match_links import KnownPair

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group()
def match() -> None:
    """Which offers are one product, and why."""


@match.command()
@click.argument("offers", type=click.Path(path_type=Path))
@click.option(
    "--output",
    type=_FILE,
    required=True,
    help="Where the clusters go: offer_id,cluster_id; - for standard output.",
)
@click.option("--automatic-only", is_flag=True, help="Only what the catalogue would merge by itself.")
@click.option("--pairs", type=_FILE, help="Pairs to give a probability each: left_id,right_id.")
@click.option("--pairs-output", type=_FILE, help="Where these go: left_id,right_id,probability,outcome.")
@click.option("--truth", type=_FILE, help="Known clusters: prints precision, recall, F1 and B-cubed.")
@click.option(
    "--model", type=_FILE, default=SHIPPED_MODEL, help="A trained model in place of the shipped one."
)
@click.option("--engine", type=click.Choice(["local", "spark"]), default="local", show_default=True)
@click.option(
    "--spark-master", default=DEFAULT_MASTER, show_default=True, help="Spark's master, for the Spark engine."
)
@click.option(
    "--index",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the matched catalogue in this folder; where one is kept there, OFFERS are new or changed ones "
    "that are linked into it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON object.")
def run(
    offers: Path,
    output: Path,
    automatic_only: bool,
    pairs: Path | None,
    pairs_output: Path | None,
    truth: Path | None,
    model: Path,
    engine: str,
    spark_master: str,
    index: Path | None,
    as_json: bool,
) -> None:
    """Cluster the offers of a file (CSV or Parquet); no database is needed."""
    if (pairs is None) != (pairs_output is None):
        raise InvalidInput("--pairs and --pairs-output belong together", remedy="give both or neither")
    match_model = MatchModel.load(model)
    known = read_truth(truth) if truth else None
    wanted = read_pairs(pairs) if pairs else []
    _progress("reading offers")
    records = read_offers(offers)
    if index is not None and is_kept(index):
        if pairs is not None:
            raise InvalidInput("--pairs needs a full run", place="--pairs", remedy="leave out --index")
        kept = CatalogueIndex.open(index, match_model.version)
        processes = processes_for(kept.count)
        result = link_new(kept, records, match_model, with_evidence=False, processes=processes)
        linked = result.assignments if automatic_only else result.probable
        write_rows(output, ("offer_id", "cluster_id"), sorted(linked.items()))
        if known is not None:
            _print_evaluation(evaluate(known, linked), as_json, aside=str(output) == "-")
        return
    processes = processes_for(len(records))
    with on_spark(spark_master) if engine == "spark" else nullcontext():
        catalogue = prepare(records, processes=processes)
        _progress(f"comparing {len(catalogue)} offers")
        scoring = score_candidates(catalogue, match_model, processes)
        _progress(f"merging by {len(scoring.pairs)} pairs")
        found = partition(scoring, processes=processes)
    if index is not None:
        build_index(index, scoring, clusters_by_offer(catalogue, found.automatic))
    clusters = clusters_by_offer(catalogue, found.automatic if automatic_only else found.probable)
    write_rows(output, ("offer_id", "cluster_id"), sorted(clusters.items()))
    if pairs_output is not None:
        write_rows(
            pairs_output,
            ("left_id", "right_id", "probability", "outcome"),
            _pair_rows(scoring, found, wanted, str(pairs)),
        )
    if known is not None:
        # What goes to standard output is one table or these figures, never both.
        is_taken = "-" in (str(output), str(pairs_output))
        _print_evaluation(evaluate(known, clusters), as_json, aside=is_taken)


@match.command()
@click.option(
    "--catalogue",
    "catalogues",
    type=(_FILE, _FILE),
    multiple=True,
    metavar="OFFERS TRUTH",
    help="Offers and their true clusters.",
)
@click.option(
    "--labelled",
    type=(_FILE, _FILE),
    multiple=True,
    metavar="OFFERS PAIRS",
    help="Offers and labelled pairs: left_id,right_id,label.",
)
@click.option(
    "--split",
    "splits",
    multiple=True,
    help="Use only these labelled pairs: once for all --labelled, or once for each in their order.",
)
@click.option("--output", type=_FILE, required=True, help="Where the model goes.")
def train(
    catalogues: Sequence[tuple[Path, Path]],
    labelled: Sequence[tuple[Path, Path]],
    splits: Sequence[str],
    output: Path,
) -> None:
    """Fit a model; the same files always give the same model."""
    if not catalogues and not labelled:
        raise InvalidInput("there is nothing to learn from", remedy="give --catalogue or --labelled")
    if len(splits) not in {0, 1, len(labelled)}:
        raise InvalidInput(
            f"{len(splits)} --split for {len(labelled)} --labelled", remedy="give one, or one for each"
        )
    names: list[str | None] = [*splits] * len(labelled) if len(splits) == 1 else [*splits]
    names = names or [None] * len(labelled)
    material = [
        TrainingCatalogue(_name_of(offers), read_offers(offers), truth=read_truth(truth))
        for offers, truth in catalogues
    ]
    material += [
        TrainingCatalogue(_name_of(offers), read_offers(offers), labels=read_labels(pairs, split))
        for (offers, pairs), split in zip(labelled, names, strict=True)
    ]
    _progress(f"learning from {len(material)} catalogues")
    train_model(material).save(output)
    click.echo(f"model written to {output}", err=True)


@match.command()
@click.argument("offer")
@click.argument("other_offer")
@click.option("--offers", type=_FILE, help="The file that holds both offers; without it, the catalogue.")
@click.option(
    "--model", type=_FILE, default=SHIPPED_MODEL, help="A trained model in place of the shipped one."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def explain(offer: str, other_offer: str, offers: Path | None, model: Path, as_json: bool) -> None:
    """Say why two offers are taken for one product, or not: ids of a file, or of the catalogue."""
    known = None if offers else read_known_pair(offer, other_offer)
    if known and known.evidence and model == SHIPPED_MODEL:
        _print_known(known, as_json)
        return
    match_model = MatchModel.load(model)
    scoring = (
        score_candidates(prepare(read_offers(offers)), match_model)
        if offers
        else _catalogue_scored(match_model, offer, other_offer)
    )
    left, right = sorted((_position(scoring, offer), _position(scoring, other_offer)))
    if left == right:
        raise InvalidInput(f"{offer} is one offer", remedy="name two different offers")
    levels, features = scoring.seen(np.array([left]), np.array([right]))
    score = match_model.score(levels, features)
    probability = float(probability_of(score)[0])
    found = partition(scoring)
    outcome = _outcome(found, match_model, left, right, probability)
    evidence = explain_pair(scoring.catalogue, match_model, left, right, levels[0], features[0])
    if as_json:
        value = {
            "offers": [scoring.catalogue.offer_ids[left], scoring.catalogue.offer_ids[right]],
            "probability": round(probability, 6),
            "outcome": outcome.value,
            "model_version": match_model.version,
            "evidence": [asdict(one) for one in evidence],
            "verdict": known_json(known)["verdict"] if known else None,
        }
        click.echo(json.dumps(value, ensure_ascii=False))
        return
    for position in (left, right):
        record = scoring.catalogue.records[position]
        click.echo(f"{record.offer_id}  {record.store or 'store unknown'}: {record.title}")
    click.echo(f"probability {probability:.3f}, {outcome.value}")
    if known and known.word:
        click.echo(told_word(known))
    for one in evidence:
        click.echo(f"{one.weight:+7.2f}  {one.sentence}")


def _print_known(known: KnownPair, as_json: bool) -> None:
    """What the catalogue kept of the linking that decided about the pair."""
    if as_json:
        click.echo(json.dumps(known_json(known), ensure_ascii=False))
        return
    for offer_id, store, title in known.titles:
        click.echo(f"{offer_id}  {store}: {title}")
    click.echo(f"probability {known.probability or 0:.3f}, {known.outcome}")
    if known.word:
        click.echo(told_word(known))
    for one in known.evidence:
        click.echo(f"{one.weight:+7.2f}  {one.sentence}")


match.add_command(link)
match.add_command(verdicts)


def _catalogue_scored(model: MatchModel, *offers: str) -> Scoring:
    """The offers among their neighbours by the index, where one is kept; else among the whole catalogue."""
    from aggregator.db.session import database
    from matcher.candidates import read_current
    from matcher.catalogue_index import IndexPlace, scored_by_index

    settings = Settings.from_env()
    with database(settings) as sessions:
        place = IndexPlace(settings.data_dir / "matching-index")
        if scoring := scored_by_index(sessions, place, model, offers):
            return scoring
        with sessions.begin() as session:
            records = read_current(session)
    return score_candidates(prepare(records), model)


def _position(scoring: Scoring, offer_id: str) -> int:
    if offer_id not in scoring.catalogue.offer_ids:
        raise NotFound("offer", offer_id)
    return scoring.catalogue.offer_ids.index(offer_id)


def _outcome(found: Partition, model: MatchModel, left: int, right: int, probability: float) -> Outcome:
    if found.automatic[left] == found.automatic[right]:
        return Outcome.MERGED
    together = found.probable[left] == found.probable[right]
    return Outcome.DOUBTFUL if together or probability >= model.doubtful else Outcome.APART


def _pair_rows(
    scoring: Scoring, found: Partition, wanted: list[tuple[str, str]], place: str
) -> list[tuple[str, str, str, str]]:
    position = {offer_id: index for index, offer_id in enumerate(scoring.catalogue.offer_ids)}
    for pair in wanted:
        for offer_id in pair:
            if offer_id not in position:
                raise InvalidInput(f"offer_id {offer_id} is not among the offers", place=place)
    ends = np.array([[position[one], position[other]] for one, other in wanted], dtype=np.int64).reshape(
        -1, 2
    )
    left, right = ends.min(axis=1), ends.max(axis=1)
    probabilities = probability_of(scoring.scores_of(left, right)).tolist()
    return [
        (one, other, f"{probability:.6f}", _outcome(found, scoring.model, a, b, probability).value)
        for (one, other), probability, a, b in zip(
            wanted, probabilities, left.tolist(), right.tolist(), strict=True
        )
    ]


def _print_evaluation(found: Evaluation, as_json: bool, *, aside: bool) -> None:
    figures = {
        name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(found).items()
    }
    if as_json:
        click.echo(json.dumps(figures), err=aside)
    else:
        for name, value in figures.items():
            click.echo(f"{name.replace('_', ' '):18} {value}", err=aside)


def _name_of(offers: Path) -> str:
    return offers.stem if offers.stem != "offers" else offers.resolve().parent.name


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        click.echo(text, err=True)
