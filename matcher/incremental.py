"""Linking a few new or changed offers into a large catalogue: only they are compared, against its index on disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from matcher.beside import Beside
from matcher.blocking import ROOM_FOR_ALL, CandidatePairs, candidate_pairs
from matcher.clustering import can_tie
from matcher.context import Scores
from matcher.engines.local import (
    LinkResult,
    Scoring,
    judged,
    link_result,
    partition,
    ranked,
    seen_together,
    without_parted,
)
from matcher.index import CatalogueIndex
from matcher.model import MatchModel, log_odds
from matcher.near import Near, near_offers
from matcher.preparation import Flags, Integers, PreparedCatalogue, prepare
from matcher.records import OfferRecord, Verdict
from matcher.rivals import Claims
from matcher.segment import ScoredPairs
from matcher.settled import are_among
from matcher.standing import Standing

# Of a fresh offer's pairs in a big catalogue those that rank lower are not looked at again: of the pairs of a million
# offers that merge by themselves, one in 50,000 ranks so low, and of all pairs nearly half.
_HOPELESS = -5.0


def build_index(folder: Path, scoring: Scoring, keys: Mapping[str, str]) -> CatalogueIndex:
    """Keep a full run for later increments; `keys` are offer id -> cluster."""
    left, right, store = scoring.pairs.left, scoring.pairs.right, scoring.catalogue.store
    pairs = ScoredPairs(
        left,
        right,
        scoring.ranks,
        *_taken(scoring.catalogue, Claims.of(store, left, right, scoring.ranks), left, right),
        scoring.scores,
        *_taken(scoring.catalogue, Claims.of(store, left, right, scoring.scores), left, right),
        scoring.cautious,
    )
    return CatalogueIndex.build(
        folder, scoring.model.version, scoring.catalogue, keys, pairs, scoring.spread, scoring.look_alike
    )


def link_new(
    index: CatalogueIndex,
    pending: Iterable[OfferRecord],
    model: MatchModel,
    verdicts: Iterable[Verdict] = (),
    keys: Mapping[str, str] | None = None,
    *,
    with_evidence: bool = True,
    processes: int = 1,
) -> LinkResult:
    """Give every pending offer its cluster and add it to the index.

    A pending offer that the index holds already is taken out first, as changed. `keys` are the clusters of
    the index's offers where somebody else settles them (offer id -> key); without it the index's own are used.
    Statistics and spread are those of the full run, so what shares no pair with the pending offers is not touched.
    Without evidence the result holds clusters alone.
    """
    verdicts = list(verdicts)
    fresh = prepare(pending, index.statistics, processes)
    index.take_out(fresh.offer_ids)
    if keys is not None:
        for offer_id, row in index.rows.items():
            index.keys[row] = keys.get(offer_id, index.keys[row])
    near = near_offers(index, fresh, verdicts, processes)
    found = _Judged.of(index, fresh, near, model, verdicts, processes)
    scoring, held = found.scoring(index, model, doubtful_too=with_evidence)
    own = without_parted(held, verdicts)
    parts = partition(scoring, verdicts=verdicts, existing=own, processes=processes)
    result = link_result(scoring, parts, own, held, verdicts, index.keys, with_evidence)
    for offer_id, key in result.assignments.items():
        if offer_id in index.rows:
            index.keys[index.rows[offer_id]] = key
    index.append(fresh, result.assignments, found.pairs, found.look_alike, result.joined)
    return result


def seen_beside(index: CatalogueIndex, records: Iterable[OfferRecord], model: MatchModel) -> Scoring:
    """A few offers scored beside those of the index that are near them; the index on disk stays as it is."""
    fresh = prepare(records, index.statistics)
    near = near_offers(index, fresh, ())
    found = _Judged.of(index, fresh, near, model, ())
    return found.scoring(index, model, doubtful_too=True)[0]


@dataclass(frozen=True, slots=True)
class _Judged:
    """The pairs of fresh offers, by numbers (see `Beside`); those that are not `hopeful` keep their ranking scores for
    log-odds.

    `named` are rows of offers that verdicts speak of beside fresh ones; `look_alike` is each fresh offer's best ranking
    score among look-alikes of its store, of which `alike_left` and `alike_right` are the pairs.
    """

    fresh: PreparedCatalogue
    named: Integers
    pairs: ScoredPairs
    hopeful: Flags
    alike_left: Integers
    alike_right: Integers
    look_alike: Scores

    @classmethod
    def of(
        cls,
        index: CatalogueIndex,
        fresh: PreparedCatalogue,
        near: Near,
        model: MatchModel,
        verdicts: Sequence[Verdict],
        processes: int = 1,
    ) -> _Judged:
        """Rank the pairs, and judge the hopeful ones beside what an earlier run found out about their old ends."""
        within, first = candidate_pairs(fresh), index.count
        left = np.concatenate([near.row, within.left + first])
        right = np.concatenate([near.fresh + first, within.right + first])
        beside = Beside.of(index, fresh, np.union1d(near.row, near.alike_row))
        catalogue = beside.catalogue
        positions = beside.ordered(left, right)
        alike_left = np.concatenate([near.alike_row, within.alike_left + first])
        alike_right = np.concatenate([near.alike_fresh + first, within.alike_right + first])
        alike = beside.ordered(alike_left, alike_right)
        ranks = ranked(catalogue, model, *positions, processes)
        alike_ranks = ranked(catalogue, model, *alike, processes)
        hopeful = ranks > (_HOPELESS if index.statistics.offers > ROOM_FOR_ALL else -np.inf)
        rows = np.unique(left[hopeful & (left < first)])
        kept, claims = beside.kept(index, index.pairs_of(rows))
        known = index.look_alike_of(rows)
        # What the index knows of its offers' look-alikes comes in as each one's likeness to itself.
        home = beside.place[rows[np.isfinite(known)]]
        seen = seen_together(
            catalogue,
            model,
            CandidatePairs(
                *positions, np.concatenate([alike[0], home]), np.concatenate([alike[1], home]), {}
            ),
            ranks,
            np.concatenate([alike_ranks, known[np.isfinite(known)]]),
            index.spread,
            kept,
        )
        hoped_left, hoped_right = (one[hopeful] for one in positions)
        hoped, careful, identified = judged(seen, hoped_left, hoped_right, processes)
        open_ = ~_denied(catalogue, hoped_left, hoped_right, verdicts)
        store = np.concatenate([catalogue.store, kept.strangers])
        rivals = Claims.of(store, hoped_left[open_], hoped_right[open_], hoped[open_], claims)
        taken = _taken(catalogue, rivals, *positions)
        scores, cautious = ranks.copy(), ranks.copy()
        scores[hopeful] = hoped
        cautious[hopeful] = model.uncontested(careful, identified, np.add(*taken)[hopeful])
        rank_taken = _taken(catalogue, seen.standing.claims, *positions)
        pairs = ScoredPairs(*positions, ranks, *rank_taken, scores, *taken, cautious)
        look_alike = seen.look_alike[beside.place[first:]]
        return cls(
            fresh, near.named, pairs.placed(beside.numbers), hopeful, alike_left, alike_right, look_alike
        )

    def scoring(
        self, index: CatalogueIndex, model: MatchModel, *, doubtful_too: bool
    ) -> tuple[Scoring, dict[str, str]]:
        """The fresh offers beside the whole clusters of the index that they can join, and the clusters of these
        (offer id -> key); with `doubtful_too` also beside all that is doubtful or alike."""
        first, pairs = index.count, self.pairs
        automatic, doubtful = log_odds(model.automatic), log_odds(model.doubtful)
        ties = can_tie(
            pairs.scores,
            pairs.cautious,
            pairs.taken_left + pairs.taken_right,
            automatic=automatic,
            doubtful=doubtful,
        )
        tied = pairs.left[ties & (pairs.left < first)]
        clusters = {index.keys[row] for row in np.union1d(tied, self.named).tolist()}
        whole = np.flatnonzero([key is not None and key in clusters for key in index.keys])
        rows = whole
        if doubtful_too:
            doubted = pairs.left[(pairs.scores >= doubtful) & (pairs.left < first)]
            rows = np.union1d(np.union1d(whole, doubted), self.alike_left[self.alike_left < first])
        beside = Beside.of(index, self.fresh, rows)
        here = self.hopeful & (beside.place[pairs.left] >= 0)
        together = ScoredPairs.joined([pairs.take(np.flatnonzero(here)), index.pairs_of(whole, within=True)])
        placed = together.placed(beside.place)
        alike = beside.ordered(self.alike_left, self.alike_right)
        if not doubtful_too:
            alike = alike[0][:0], alike[1][:0]
        look_alike = np.full(len(beside.catalogue), -np.inf)
        look_alike[beside.place[rows]] = index.look_alike_of(rows)
        look_alike[beside.place[first:]] = self.look_alike

        def standing() -> Standing:
            everything = ScoredPairs.joined([pairs, index.pairs_of(rows)])
            nothing, home = np.empty(0, dtype=np.int64), np.flatnonzero(np.isfinite(look_alike))
            return Standing.of(
                beside.catalogue,
                CandidatePairs(nothing, nothing, home, home, {}),
                np.empty(0),
                look_alike[home],
                index.spread,
                beside.kept(index, everything)[0],
            )

        scoring = Scoring(
            beside.catalogue,
            model,
            CandidatePairs(placed.left, placed.right, *alike, {}),
            placed.ranks.astype(np.float64),
            placed.scores.astype(np.float64),
            placed.cautious.astype(np.float64),
            index.spread,
            look_alike,
            standing,
            (placed.taken_left + placed.taken_right).astype(np.float64),
        )
        held = {
            offer_id: key
            for offer_id, row in zip(index.offer_ids_of(rows), rows.tolist(), strict=True)
            if (key := index.keys[row]) is not None
        }
        return scoring, held


def _taken(
    catalogue: PreparedCatalogue, claims: Claims, left: Integers, right: Integers
) -> tuple[Scores, Scores]:
    """What rivals take of pairs at either end; nothing where stores list products twice."""
    if catalogue.statistics.stores_list_twice:
        return np.zeros(len(left)), np.zeros(len(left))
    return claims.taken_of_all(left, right)


def _denied(
    catalogue: PreparedCatalogue, left: Integers, right: Integers, verdicts: Iterable[Verdict]
) -> Flags:
    """Whether a person keeps the pairs of positions apart."""
    place = {offer_id: position for position, offer_id in enumerate(catalogue.offer_ids)}
    said = [
        (place[one.left_id], place[one.right_id])
        for one in verdicts
        if not one.same and one.left_id in place and one.right_id in place
    ]
    return are_among(np.array(said, dtype=np.int64).reshape(-1, 2), left, right)
