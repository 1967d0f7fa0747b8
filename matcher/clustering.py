"""Clusters by best-first merging under constraints: bar codes, stores and people's verdicts are never broken."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from aggregator.domain.verdicts import Verdict
from matcher.columns import Numbers, grouped
from matcher.context import Scores
from matcher.merging import Merging, Pairs, Traits
from matcher.parallel import over_parts
from matcher.preparation import Flags, Integers, PreparedCatalogue
from matcher.rivals import taken_by_rivals
from matcher.settled import Settled, connected

# A pair inside a cluster that blocking did not find counts as this much below the threshold of doubt, and no pair
# counts less.
_MISSING_BELOW = 2.0
_LARGEST_SCORE = 7.0
_CLEARLY_BELOW = 0.5  # below the threshold of doubt: no reason to merge without a person
_SHARE_OF_RIVALS = 0.75
_PARTS_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Partition:
    """Cluster numbers of the offers of a prepared catalogue, by position: what the catalogue merges by
    itself, and the most probable partition, whose clusters are unions of the former. A number is the
    position of the cluster's first offer."""

    automatic: Integers
    probable: Integers


def cluster(
    catalogue: PreparedCatalogue,
    left: Integers,
    right: Integers,
    scores: Scores,
    *,
    automatic: float,
    doubtful: float,
    verdicts: Iterable[Verdict] = (),
    existing: Mapping[str, str] | None = None,
    processes: int = 1,
    cautious: Scores | None = None,
    taken: Scores | None = None,
) -> Partition:
    """Merge the best pair of clusters as long as the mean log-odds between them reach the thresholds.

    `scores`, `automatic` and `doubtful` are log-odds; `cautious` are what merging without a person goes by,
    where they are not the same. The most probable partition goes by the mean of both, so that look-alikes whose
    evidence is contradicted are not chained together by many middling scores, less what rivals of one store take:
    `taken`, in log-odds of each pair, where it is known already.

    `existing` holds the clusters that some offers are in (offer id -> key): they are never split, and grow or unite
    only together with an offer in none; offers of a cluster that a verdict parts have to be given as in none.
    Verdicts come first: "same" unites even against the rules, "different" keeps apart whatever follows.
    Raises InvalidInput with the chain where verdicts contradict each other.

    No merge crosses two parts of the catalogue that no pair which reaches the threshold connects, so such parts are
    clustered alone, in any process.
    """
    settled = Settled.of(catalogue, verdicts, existing or {})
    clipped = np.clip(np.asarray(scores, dtype=np.float64), -_LARGEST_SCORE, _LARGEST_SCORE)
    label = connected(len(catalogue), *_tied(left, right, settled.start, clipped >= doubtful))
    clipped[label[left] != label[right]] = -_LARGEST_SCORE
    # What a person keeps apart is no pair at all: neither evidence nor rivals.
    clipped[settled.denied(left, right)] = -np.inf
    if taken is None:
        taken = taken_by_rivals(catalogue, left, right, clipped)
    forbidding = clipped if cautious is None else np.clip(cautious, -_LARGEST_SCORE, _LARGEST_SCORE)
    leaning = (clipped + np.minimum(clipped, forbidding)) / 2
    leaning -= _SHARE_OF_RIVALS * taken
    del taken
    # What counts as little as a pair that blocking did not find need not be remembered.
    missing = doubtful - _MISSING_BELOW
    # Being forbidden to merge alone is no evidence against a cluster that others hold together.
    careful = np.where(
        clipped < doubtful - _CLEARLY_BELOW, missing, np.maximum(forbidding, np.minimum(clipped, doubtful))
    )
    del clipped, forbidding, label

    def merged(start: Integers, by: Scores, threshold: float) -> Integers:
        return _merged(catalogue, settled, start, left, right, by, threshold, missing, processes)

    certain = merged(settled.start, careful, automatic)
    del careful
    return Partition(certain, merged(certain, leaning, doubtful))


def can_tie(
    scores: npt.NDArray[np.floating],
    cautious: npt.NDArray[np.floating],
    taken: npt.NDArray[np.floating],
    *,
    automatic: float,
    doubtful: float,
) -> Flags:
    """Whether a pair alone would unite two clusters, by itself or in the most probable partition; all in log-odds."""
    clipped = np.clip(scores, -_LARGEST_SCORE, _LARGEST_SCORE)
    leaning = (clipped + np.minimum(clipped, cautious)) / 2 - _SHARE_OF_RIVALS * taken
    return np.asarray((clipped >= doubtful) & ((leaning >= doubtful) | (cautious >= automatic)))


def _merged(
    catalogue: PreparedCatalogue,
    settled: Settled,
    start: Integers,
    left: Integers,
    right: Integers,
    scores: Scores,
    threshold: float,
    missing: float,
    processes: int,
) -> Integers:
    """The cluster of each position after merging down to the threshold; `start` are the clusters to begin with."""
    label = connected(len(catalogue), *_tied(left, right, start, scores >= threshold))
    # A part that is one cluster stays as it is, and so does one in which no offer may grow.
    is_first = start == np.arange(len(start))
    live = (np.bincount(label, is_first) > 1) & (np.bincount(label, settled.may_grow) > 0)
    count = int(live.sum())
    part = np.where(live, np.cumsum(live, dtype=np.int32) - 1, -1)[label]
    offers, offer_ends = grouped(part, count)
    firsts, first_ends = grouped(np.where(is_first, part, -1), count)
    part_of_pair = part[left]
    part_of_pair[(part_of_pair != part[right]) | (scores <= missing)] = -1
    pairs, pair_ends = grouped(part_of_pair, count)
    del label, part, part_of_pair
    number = np.full(len(start), -1, dtype=np.int64)
    number[firsts] = np.arange(len(firsts))
    number = number[start]

    def summed(kept: Numbers, before: int) -> Pairs:
        one, other, totals, times = settled.as_said(left[kept], right[kept], scores[kept])
        return Pairs.summed(number[one] - before, number[other] - before, totals, times)

    def merge(first: int, last: int) -> Integers:
        here = offers[offer_ends[first] : offer_ends[last]]
        before, after = first_ends[first], first_ends[last]
        cluster_of = number[here] - before
        apart = number[settled.apart]
        apart = apart[((apart >= before) & (apart < after)).all(axis=1)] - before
        merging = Merging(
            np.bincount(cluster_of),
            _traits(catalogue, here, cluster_of),
            summed(pairs[pair_ends[first] : pair_ends[last]], before),
            apart.tolist(),
            missing=missing,
        )
        may_grow = np.bincount(cluster_of, settled.may_grow[here]) > 0
        became: Integers = firsts[before:after][merging.merge(threshold, may_grow)][cluster_of]
        return became

    result = start.copy()
    done = 0
    for numbers in over_parts(merge, count, _PARTS_AT_ONCE, processes):
        result[offers[done : done + len(numbers)]] = numbers
        done += len(numbers)
    return result


def _tied(left: Integers, right: Integers, start: Integers, strong: Flags) -> tuple[Integers, Integers]:
    """Ends of the strong pairs, and of what ties each cluster to begin with together."""
    tied = np.flatnonzero(start != np.arange(len(start)))
    return np.concatenate([left[strong], start[tied]]), np.concatenate([right[strong], tied])


def _traits(catalogue: PreparedCatalogue, here: Numbers, cluster_of: Integers) -> list[Traits]:
    """What the rules ask of each cluster, by its offers; what is the same of many is made once."""
    once_in_store = not catalogue.statistics.stores_list_twice
    contrasts = catalogue.contrasts
    only: Callable[[Hashable], frozenset[Hashable]] = cache(lambda value: frozenset([value]))

    @cache
    def natures(
        gtin: int, region: int, bundle: int, columns: tuple[int, ...]
    ) -> dict[str, frozenset[Hashable]]:
        said = dict(catalogue.contrast_names[column] for column in columns)
        known = {"gtin": gtin, "region": region, "bundle": bundle}
        return {name: only(value) for name, value in (*said.items(), *known.items()) if value != -1}

    @cache
    def once(store: int, group: int) -> frozenset[int]:
        return frozenset([store] * (once_in_store and store >= 0) + [~group] * (group >= 0))

    result: dict[int, Traits] = {}
    for cluster, gtin, region, bundle, start, end, store, group in zip(
        *(
            column.tolist()
            for column in (
                cluster_of,
                catalogue.gtin[here],
                catalogue.region[here],
                catalogue.bundle[here],
                contrasts.indptr[here],
                contrasts.indptr[here + 1],
                catalogue.store[here],
                catalogue.item_group[here],
            )
        ),
        strict=True,
    ):
        columns = tuple(contrasts.indices[start:end].tolist()) if start < end else ()
        own = Traits(natures(gtin, region, bundle, columns), once(store, group))
        result[cluster] = result[cluster].united(own) if cluster in result else own
    return [result[cluster] for cluster in range(len(result))]
