"""The matcher in one process: link pending offers to existing clusters and to one another, with evidence."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from matcher.blocking import CandidatePairs, candidate_pairs
from matcher.clustering import Partition, cluster
from matcher.comparison import Levels, compare
from matcher.context import Scores
from matcher.explanation import Evidence, explain_all
from matcher.features import Features, pair_features
from matcher.model import MatchModel, log_odds, probability_of
from matcher.parallel import over_parts
from matcher.preparation import CatalogueStatistics, Flags, Integers, PreparedCatalogue, prepare
from matcher.records import OfferRecord, Verdict
from matcher.relations import Relation, relations_between
from matcher.rivals import taken_by_rivals
from matcher.safety import is_identified
from matcher.standing import KeptRanks, ScoreSpread, Standing

_PAIRS_AT_ONCE = 100_000
# Where no rivals of one store show what is wrong, the most probable partition needs surer pairs.
LEAST_WITHOUT_STORES = 0.3


class Outcome(StrEnum):
    """What becomes of a pair: merged automatically, left for a person, or apart."""

    MERGED = "merged"
    DOUBTFUL = "doubtful"
    APART = "apart"


@dataclass(frozen=True, slots=True)
class Link:
    """Two offers and why they are one product, or may be. `offer_id` sorts before `other_offer_id`.

    A link that a person's verdict made has `by_person` set and probability 1; its evidence says so.
    """

    offer_id: str
    other_offer_id: str
    probability: float
    outcome: Outcome
    evidence: tuple[Evidence, ...]
    model_version: str
    by_person: bool = False


@dataclass(frozen=True, slots=True)
class LinkResult:
    """What a run found out about the pending offers.

    `assignments` gives each pending offer its cluster after automatic merging: the key of an existing cluster,
    or for a new one the smallest offer id in it (`new_clusters`). `joined` maps the keys of existing clusters
    that became a part of another one to that one's key. `probable` is the most probable partition, in the
    same form. `links` tie every cluster that holds a pending offer together (a tree: one link less than
    parts); `doubtful` holds the best pair of each two clusters that a person should look at, best first.
    `relations` tie clusters that are apart by a rule: one relation for each two clusters and kind.
    """

    assignments: Mapping[str, str]
    probable: Mapping[str, str]
    new_clusters: frozenset[str]
    joined: Mapping[str, str]
    links: tuple[Link, ...]
    doubtful: tuple[Link, ...]
    relations: tuple[Relation, ...] = ()


@dataclass(frozen=True)
class Scoring:
    """A prepared catalogue with its candidate pairs, how they rank without context, and their log-odds.

    `look_alike` is each offer's best ranking score among look-alikes of its store. How the pairs stand weighs as
    much as all the rest of a big catalogue, so `standing_of` makes it when pairs are asked about. `taken` is what
    rivals take of each pair, where an increment knows it from earlier runs.
    """

    catalogue: PreparedCatalogue
    model: MatchModel
    pairs: CandidatePairs
    ranks: Scores
    scores: Scores
    cautious: Scores
    spread: ScoreSpread
    look_alike: Scores
    standing_of: Callable[[], Standing]
    taken: Scores | None = None

    @cached_property
    def standing(self) -> Standing:
        """How pairs stand beside the candidates; kept once it was asked for."""
        return self.standing_of()

    def seen(self, left: Integers, right: Integers) -> tuple[Levels, Features]:
        """Levels (ALL_COMPARISONS) and features (FEATURES) of any pairs of positions, candidates or not, seen beside
        the candidates."""
        levels = compare(self.catalogue, left, right)
        ranks = self.model.rank(levels)
        return (
            np.column_stack([levels, self.standing.levels(self.catalogue, left, right, ranks)]),
            np.column_stack(
                [
                    pair_features(self.catalogue, left, right),
                    self.standing.features(self.catalogue, left, right, ranks),
                ]
            ),
        )

    def scores_of(self, left: Integers, right: Integers) -> Scores:
        """Log-odds of any pairs of positions, candidates or not, seen beside the candidates."""
        return self.model.score(*self.seen(left, right))

    def judged(self, left: Integers, right: Integers) -> tuple[Scores, Scores, Flags]:
        """Log-odds as `scores_of` gives them, those that merging without a person goes by, rivals left aside, and
        whether an identifier or a rare code says that they are one."""
        levels, features = self.seen(left, right)
        scores = self.model.score(levels, features)
        return scores, self.model.cautious(scores, levels, features), is_identified(levels)


def score_candidates(
    catalogue: PreparedCatalogue,
    model: MatchModel,
    processes: int = 1,
    spread: ScoreSpread | None = None,
) -> Scoring:
    """Find the pairs worth comparing and score them, part by part: several processes give the same as one.

    The first pass ranks each pair by itself, the second sees it among its rivals. `spread` is the whole
    catalogue's, where the one given is only a part of it.
    """
    pairs = candidate_pairs(catalogue, processes)

    ranks = ranked(catalogue, model, pairs.left, pairs.right, processes)
    alike_ranks = ranked(catalogue, model, pairs.alike_left, pairs.alike_right, processes)
    scoring = seen_together(catalogue, model, pairs, ranks, alike_ranks, spread)
    scores, cautious, identified = judged(scoring, pairs.left, pairs.right, processes)
    # What was kept to judge by goes before rivals are looked at: a big catalogue's would not stand in memory beside it.
    scoring = replace(
        scoring, standing_of=partial(Standing.of, catalogue, pairs, ranks, alike_ranks, scoring.spread)
    )
    taken = taken_by_rivals(catalogue, pairs.left, pairs.right, scores)
    return replace(scoring, scores=scores, cautious=model.uncontested(cautious, identified, taken))


def ranked(
    catalogue: PreparedCatalogue, model: MatchModel, left: Integers, right: Integers, processes: int = 1
) -> Scores:
    """Ranking scores of any pairs of positions."""

    def part(start: int, end: int) -> tuple[Scores]:
        return (model.rank(compare(catalogue, left[start:end], right[start:end])),)

    (ranks,) = _filled(part, len(left), processes, np.float64)
    return ranks


def judged(
    scoring: Scoring, left: Integers, right: Integers, processes: int = 1
) -> tuple[Scores, Scores, Flags]:
    """What `Scoring.judged` says of any pairs of positions, part by part."""

    def part(start: int, end: int) -> tuple[Scores, Scores, Flags]:
        return scoring.judged(left[start:end], right[start:end])

    scores, cautious, identified = _filled(part, len(left), processes, np.float64, np.float64, np.bool_)
    return scores, cautious, identified


def seen_together(
    catalogue: PreparedCatalogue,
    model: MatchModel,
    pairs: CandidatePairs,
    ranks: Scores,
    alike_ranks: Scores,
    spread: ScoreSpread | None = None,
    kept: KeptRanks | None = None,
) -> Scoring:
    """What scores any pair beside the given ones and their ranking scores; its own scores are those still.

    `spread` is the whole catalogue's, where the one given is only a part of it; `kept` as in `Standing.of`.
    """
    standing = Standing.of(catalogue, pairs, ranks, alike_ranks, spread, kept)
    return Scoring(
        catalogue,
        model,
        pairs,
        ranks,
        ranks,
        ranks,
        standing.spread,
        standing.contenders.look_alike,
        lambda: standing,
    )


def _filled(
    work: Callable[[int, int], tuple[npt.NDArray[Any], ...]], count: int, processes: int, *types: type
) -> list[npt.NDArray[Any]]:
    """Columns of `count` values that `work` gives part by part."""
    columns: list[npt.NDArray[Any]] = [np.empty(count, dtype=one) for one in types]
    start = 0
    for part in over_parts(work, count, _PAIRS_AT_ONCE, processes):
        for column, values in zip(columns, part, strict=True):
            column[start : start + len(values)] = values
        start += len(part[0])
    return columns


def partition(
    scoring: Scoring,
    *,
    verdicts: Iterable[Verdict] = (),
    existing: Mapping[str, str] | None = None,
    processes: int = 1,
) -> Partition:
    """Clusters of a scored catalogue; see `matcher.clustering.cluster` for the rules."""
    return cluster(
        scoring.catalogue,
        scoring.pairs.left,
        scoring.pairs.right,
        scoring.scores,
        automatic=log_odds(scoring.model.automatic),
        doubtful=log_odds(
            scoring.model.doubtful
            if scoring.spread.stores_known
            else max(scoring.model.doubtful, LEAST_WITHOUT_STORES)
        ),
        verdicts=verdicts,
        existing=existing,
        processes=processes,
        cautious=scoring.cautious,
        taken=scoring.taken,
    )


def link_records(
    existing: Iterable[tuple[OfferRecord, str]],
    pending: Iterable[OfferRecord],
    model: MatchModel,
    verdicts: Iterable[Verdict] = (),
    statistics: CatalogueStatistics | None = None,
    spread: ScoreSpread | None = None,
) -> LinkResult:
    """Give every pending offer its cluster; a full run is the same with nothing existing.

    `existing` are records with the keys of their clusters: split only where a verdict parts them (their offers
    then count as pending), united only through a pending offer or a verdict. `statistics` and `spread` are the
    whole catalogue's, where the records given are only a part of it.
    """
    existing = list(existing)
    verdicts = list(verdicts)
    held = {record.offer_id: key for record, key in existing}
    keys = without_parted(held, verdicts)
    catalogue = prepare([*(record for record, _ in existing), *pending], statistics)
    scoring = score_candidates(catalogue, model, spread=spread)
    found = partition(scoring, verdicts=verdicts, existing=keys)
    return link_result(scoring, found, keys, held, verdicts)


def link_result(
    scoring: Scoring,
    found: Partition,
    keys: Mapping[str, str],
    held: Mapping[str, str],
    verdicts: Sequence[Verdict],
    taken: Collection[str | None] = (),
    with_evidence: bool = True,
) -> LinkResult:
    """What a partition means for the offers that are in no cluster yet.

    `keys` are the clusters of offers that stayed in them (offer id -> key), `held` also those of offers whose
    cluster a verdict parts. New clusters get no key that is `taken`.
    Without evidence there are no links, doubtful pairs and relations: only clusters.
    """
    catalogue = scoring.catalogue
    taken = {*held.values(), *taken}
    automatic = _cluster_keys(catalogue, found.automatic, keys, held, taken)
    probable = _cluster_keys(catalogue, found.probable, keys, held, taken)
    ids = catalogue.offer_ids
    assignments = {offer_id: automatic[offer_id] for offer_id in ids if offer_id not in keys}
    return LinkResult(
        assignments=assignments,
        probable={offer_id: probable[offer_id] for offer_id in assignments},
        new_clusters=frozenset(assignments.values()) - frozenset(keys.values()),
        joined={key: automatic[offer_id] for offer_id, key in keys.items() if automatic[offer_id] != key},
        links=tuple(_links(scoring, found.automatic, keys, verdicts)) if with_evidence else (),
        doubtful=tuple(_doubtful(scoring, found.automatic, keys, verdicts)) if with_evidence else (),
        relations=relations_between(catalogue, scoring.pairs, found.automatic) if with_evidence else (),
    )


def clusters_by_offer(catalogue: PreparedCatalogue, numbers: Integers) -> dict[str, str]:
    """Offer id -> the smallest offer id of its cluster."""
    return _cluster_keys(catalogue, numbers, {}, {}, ())


def without_parted(keys: Mapping[str, str], verdicts: Iterable[Verdict]) -> dict[str, str]:
    """Offers in clusters that no "different" parts, alone or through clusters tied to them by "same"."""
    parent: dict[str, str] = {}

    def top(key: str) -> str:
        while (above := parent.setdefault(key, key)) != key:
            parent[key] = parent[above]
            key = above
        return key

    def whole(offer_id: str) -> str:
        return top(f"cluster {keys[offer_id]}" if offer_id in keys else f"offer {offer_id}")

    said = sorted(verdicts, key=lambda one: (one.left_id, one.right_id))
    for verdict in said:
        if verdict.same:
            one, other = whole(verdict.left_id), whole(verdict.right_id)
            parent[max(one, other)] = min(one, other)
    parted = {
        whole(verdict.left_id)
        for verdict in said
        if not verdict.same and whole(verdict.left_id) == whole(verdict.right_id)
    }
    return {offer_id: key for offer_id, key in keys.items() if not parted or whole(offer_id) not in parted}


def _cluster_keys(
    catalogue: PreparedCatalogue,
    numbers: Integers,
    keys: Mapping[str, str],
    held: Mapping[str, str],
    taken: Collection[str | None],
) -> dict[str, str]:
    """A united cluster keeps the key that most of its offers have, the smallest where several do; of the
    clusters that the offers of a parted one (in `held` alone) are in, the one with most of them keeps its key.
    """
    members: dict[int, list[str]] = defaultdict(list)
    for offer_id, number in zip(catalogue.offer_ids, numbers.tolist(), strict=True):
        members[number].append(offer_id)
    heirs: dict[str, tuple[int, int]] = {}
    for number, offer_ids in members.items() if len(held) > len(keys) else ():
        for key, count in Counter(
            held[offer_id] for offer_id in offer_ids if offer_id in held and offer_id not in keys
        ).items():
            heirs[key] = min(heirs.get(key, (0, 0)), (-count, number))
    result: dict[str, str] = {}
    for number, offer_ids in members.items():
        here = [keys[offer_id] for offer_id in offer_ids if offer_id in keys]
        here += [
            key
            for offer_id in offer_ids
            if offer_id not in keys and offer_id in held and heirs[key := held[offer_id]][1] == number
        ]
        if here:
            key = min(set(here), key=lambda one: (-here.count(one), one))
        else:
            key = next((offer_id for offer_id in offer_ids if offer_id not in taken), f"{offer_ids[0]}+")
        result.update(dict.fromkeys(offer_ids, key))
    return result


def _links(
    scoring: Scoring, numbers: Integers, keys: Mapping[str, str], verdicts: Sequence[Verdict]
) -> Iterable[Link]:
    """The strongest pairs that tie each cluster together; verdicts first, what was tied before is left out."""
    ids = scoring.catalogue.offer_ids
    root = {offer_id: keys.get(offer_id, f"\0{offer_id}") for offer_id in ids}
    parent = {key: key for key in root.values()}

    def top(offer_id: str) -> str:
        key = root[offer_id]
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for verdict in sorted(verdicts, key=lambda one: (one.left_id, one.right_id)):
        if verdict.same and verdict.left_id in root and verdict.right_id in root:
            one, other = top(verdict.left_id), top(verdict.right_id)
            if one != other:
                parent[max(one, other)] = min(one, other)
                yield _verdict_link(scoring.model, verdict)
    left, right = scoring.pairs.left, scoring.pairs.right
    inside = np.flatnonzero(numbers[left] == numbers[right])
    chosen: list[int] = []
    for index in inside[np.argsort(-scoring.scores[inside], kind="stable")].tolist():
        one, other = top(ids[left[index]]), top(ids[right[index]])
        if one != other:
            parent[max(one, other)] = min(one, other)
            chosen.append(index)
    yield from _explained(scoring, chosen, Outcome.MERGED)


def _doubtful(
    scoring: Scoring, numbers: Integers, keys: Mapping[str, str], verdicts: Sequence[Verdict]
) -> Iterable[Link]:
    """The best pair of each two clusters that reaches doubt and that no person has settled."""
    ids = scoring.catalogue.offer_ids
    left, right = scoring.pairs.left, scoring.pairs.right
    number_of = dict(zip(ids, numbers.tolist(), strict=True))
    settled = {
        frozenset((number_of[verdict.left_id], number_of[verdict.right_id]))
        for verdict in verdicts
        if not verdict.same and verdict.left_id in number_of and verdict.right_id in number_of
    }
    is_pending = np.array([offer_id not in keys for offer_id in ids], dtype=bool)
    open_pairs = np.flatnonzero(
        (numbers[left] != numbers[right])
        & (scoring.scores >= log_odds(scoring.model.doubtful))
        & (is_pending[left] | is_pending[right])
    )
    chosen: list[int] = []
    for index in open_pairs[np.argsort(-scoring.scores[open_pairs], kind="stable")].tolist():
        both = frozenset((int(numbers[left[index]]), int(numbers[right[index]])))
        if both not in settled:
            settled.add(both)
            chosen.append(index)
    yield from _explained(scoring, chosen, Outcome.DOUBTFUL)


def _explained(scoring: Scoring, chosen: list[int], outcome: Outcome) -> Iterable[Link]:
    """The candidate pairs of the given numbers as links with their evidence."""
    left, right = scoring.pairs.left[chosen], scoring.pairs.right[chosen]
    levels, features = scoring.seen(left, right)
    probabilities = probability_of(scoring.model.score(levels, features))
    ids = scoring.catalogue.offer_ids
    told = explain_all(scoring.catalogue, scoring.model, left, right, levels, features)
    for one, other, probability, evidence in zip(
        left.tolist(), right.tolist(), probabilities.tolist(), told, strict=True
    ):
        yield Link(
            offer_id=ids[one],
            other_offer_id=ids[other],
            probability=probability,
            outcome=outcome,
            evidence=evidence,
            model_version=scoring.model.version,
        )


def _verdict_link(model: MatchModel, verdict: Verdict) -> Link:
    low, high = sorted((verdict.left_id, verdict.right_id))
    said = Evidence("verdict", "same", 0.0, "A person said that these are the same product.")
    return Link(low, high, 1.0, Outcome.MERGED, (said,), model.version, by_person=True)
