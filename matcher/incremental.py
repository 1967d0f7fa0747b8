"""Linking a few new or changed offers into a large catalogue: only they are compared, against its index on disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from matcher.blocking import (
    LARGEST_IDENTIFIER_BLOCK,
    LOOK_ALIKES,
    CandidatePairs,
    candidate_pairs,
    chosen_neighbours,
    most_alike,
    search_features,
)
from matcher.comparison import compare
from matcher.engines.local import (
    LinkResult,
    Scoring,
    link_result,
    partition,
    seen_together,
    without_parted,
)
from matcher.index import CatalogueIndex, ScoredPairs, Segment
from matcher.model import MatchModel
from matcher.preparation import Integers, PreparedCatalogue, prepare
from matcher.reading import ReadTitles
from matcher.records import OfferRecord, Verdict, identifiers_of
from matcher.rivals import taken_by_rivals


def build_index(folder: Path, scoring: Scoring, keys: Mapping[str, str]) -> CatalogueIndex:
    """Keep a full run for later increments; `keys` are offer id -> cluster."""
    pairs = ScoredPairs(
        scoring.pairs.left, scoring.pairs.right, scoring.ranks, scoring.scores, scoring.cautious
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
    index.take_out(record.offer_id for record in fresh.records)
    if keys is not None:
        for offer_id, row in index.rows.items():
            index.keys[row] = keys.get(offer_id, index.keys[row])
    near = _near(index, fresh, verdicts)
    around = _Surroundings.of(index, fresh, near)
    scoring = around.scored(index, near, model)
    own = without_parted(around.held, verdicts)
    found = partition(scoring, verdicts=verdicts, existing=own)
    result = link_result(scoring, found, own, around.held, verdicts, index.keys, with_evidence)
    around.keep(index, scoring, result)
    return result


def seen_beside(index: CatalogueIndex, records: Iterable[OfferRecord], model: MatchModel) -> Scoring:
    """A few offers scored beside those of the index that are near them; the index on disk stays as it is."""
    fresh = prepare(records, index.statistics)
    near = _near(index, fresh, ())
    return _Surroundings.of(index, fresh, near).scored(index, near, model)


@dataclass(frozen=True, slots=True)
class _Near:
    """What of the index is worth comparing with fresh offers: pairs of a fresh offer's position and a row."""

    fresh: Integers
    row: Integers
    alike_fresh: Integers
    alike_row: Integers
    named: Integers
    """Rows that verdicts tie to fresh offers or keep from them."""


def _near(index: CatalogueIndex, fresh: PreparedCatalogue, verdicts: Iterable[Verdict]) -> _Near:
    sought_by = search_features(fresh)
    row_store, store_numbers = index.store_numbers()
    fresh_store = np.array(
        [
            store_numbers.setdefault(record.store, len(store_numbers)) if record.store else -1
            for record in fresh.records
        ],
        dtype=np.int64,
    )
    alive = np.array([key is not None for key in index.keys], dtype=bool)
    words, grams, named, alike = [], [], [], []
    for segment in index.segments:
        found = most_alike(
            _on_columns(sought_by.words, fresh.word_names, segment.word_columns), *segment.words
        )
        words.append((found.row, found.col + segment.first, found.data))
        found = most_alike(sought_by.grams, *segment.grams)
        grams.append((found.row, found.col + segment.first, found.data))
        named += [
            (matrix.row, matrix.col + segment.first)
            for matrix in (
                _by_code(sought_by.codes, fresh.code_names, segment),
                _by_identifier(fresh, segment),
            )
        ]
        alike.append(_in_own_store(sought_by.grams, fresh_store, segment, row_store))
    pairs: list[tuple[npt.NDArray[Any], ...]] = [tuple(_pair_columns(named, 2))]
    for parts in (words, grams):
        query, row, likeness = _pair_columns(parts, 3)
        here = alive[row.astype(np.int64)]
        query, row, likeness = query[here].astype(np.int64), row[here].astype(np.int64), likeness[here]
        pairs.append(chosen_neighbours(query, row, likeness, fresh_store, row_store, index.statistics))
    query, row = _pair_columns(pairs, 2)
    query, row = np.divmod(np.unique(query.astype(np.int64) * max(index.count, 1) + row), max(index.count, 1))
    usable = alive[row]
    if not index.statistics.stores_list_twice:
        usable &= (row_store[row] < 0) | (row_store[row] != fresh_store[query])
    alike_query, alike_row = (column.astype(np.int64) for column in _pair_columns(alike, 2))
    home = alive[alike_row]
    position = {record.offer_id: number for number, record in enumerate(fresh.records)}
    ends = [(one.left_id, one.right_id) for one in verdicts]
    told = sorted(
        {
            index.rows[other]
            for pair in ends
            for one, other in (pair, pair[::-1])
            if one in position and other in index.rows
        }
    )
    return _Near(
        query[usable], row[usable], alike_query[home], alike_row[home], np.array(told, dtype=np.int64)
    )


def _pair_columns(parts: Sequence[tuple[npt.NDArray[Any], ...]], width: int) -> list[npt.NDArray[Any]]:
    empty = np.empty(0, dtype=np.int64)
    return [np.concatenate([empty, *(part[column] for part in parts)]) for column in range(width)]


def _on_columns(
    matrix: sparse.csr_matrix, names: Sequence[str], columns: Mapping[str, int]
) -> sparse.csr_matrix:
    """The matrix over other columns, found by name; what has none there is left out."""
    column = np.array([columns.get(name, -1) for name in names], dtype=np.int32)
    here = column[matrix.indices] >= 0 if len(names) else np.zeros(0, dtype=bool)
    ends = np.concatenate([[0], np.cumsum(here)])[matrix.indptr].astype(np.int32)
    return sparse.csr_matrix(
        (matrix.data[here], column[matrix.indices][here], ends), shape=(matrix.shape[0], len(columns))
    )


def _by_code(codes: sparse.csr_matrix, names: Sequence[str], segment: Segment) -> sparse.coo_matrix:
    """Fresh offers x the segment's: those that share a rare code, or where one code is a part of the other."""
    related: list[tuple[int, int]] = []
    for column in np.unique(codes.indices).tolist():
        name = names[column]
        parts = {name[start:end] for start in range(len(name)) for end in range(start + 5, len(name) + 1)}
        known = {segment.code_columns[part] for part in {name, *parts} if part in segment.code_columns}
        related += [(column, other) for other in (*known, *segment.code_parts.containing(name))]
    one, other = np.array(related, dtype=np.int64).reshape(-1, 2).T
    relation = sparse.csr_matrix(
        (np.ones(len(one), dtype=np.float32), (one, other)), shape=(codes.shape[1], len(segment.code_columns))
    )
    return sparse.csr_matrix(codes @ relation @ segment.codes).tocoo()


def _by_identifier(fresh: PreparedCatalogue, segment: Segment) -> sparse.coo_matrix:
    held = [
        (number, segment.identifier_columns[key])
        for number, record in enumerate(fresh.records)
        for key in identifiers_of(record)
        if key in segment.identifier_columns
    ]
    one, other = np.array(held, dtype=np.int64).reshape(-1, 2).T
    few = np.diff(segment.identifiers.indptr)[other] <= LARGEST_IDENTIFIER_BLOCK
    holding = sparse.csr_matrix(
        (np.ones(int(few.sum()), dtype=np.float32), (one[few], other[few])),
        shape=(len(fresh), segment.identifiers.shape[0]),
    )
    return sparse.csr_matrix(holding @ segment.identifiers).tocoo()


def _in_own_store(
    grams: sparse.csr_matrix, fresh_store: Integers, segment: Segment, row_store: Integers
) -> tuple[Integers, Integers]:
    """Each fresh offer's most similar offers of its own store in the segment: positions and rows."""
    here = row_store[segment.first : segment.first + len(segment)]
    order = np.argsort(here, kind="stable")
    found = []
    for store in np.unique(fresh_store[fresh_store >= 0]).tolist():
        start, end = np.searchsorted(here[order], (store, store + 1))
        if start < end:
            rows, fresh = np.sort(order[start:end]), np.flatnonzero(fresh_store == store)
            near = most_alike(grams[fresh], segment.own_grams[rows].T.tocsr(), most=LOOK_ALIKES)
            found.append((fresh[near.row], rows[near.col] + segment.first))
    one, other = _pair_columns(found, 2)
    return one, other


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """Fresh offers and all of the index that has a say in their clusters, as one catalogue.

    `position` leads from rows of the index to positions, -1 where a row is not among them; `own` from fresh
    offers. `real` marks the rows whose clusters are here as a whole; the others only are rivals. `held` are
    the clusters of all that come from the index.
    """

    fresh: PreparedCatalogue
    catalogue: PreparedCatalogue
    position: Integers
    own: Integers
    real: npt.NDArray[np.bool_]
    touched: Integers
    stored: ScoredPairs
    held: Mapping[str, str]

    @classmethod
    def of(cls, index: CatalogueIndex, fresh: PreparedCatalogue, near: _Near) -> _Surroundings:
        touched = np.union1d(near.row, near.named)
        clusters = {index.keys[row] for row in touched.tolist()}
        real = np.array([key is not None and key in clusters for key in index.keys], dtype=bool)
        stored = index.pairs_of(np.flatnonzero(real))
        prepared = real.copy()
        prepared[near.alike_row] = True
        rivals = np.zeros(index.count, dtype=bool)
        rivals[stored.left] = rivals[stored.right] = True
        rivals &= ~prepared
        whole, nameless = np.flatnonzero(prepared), np.flatnonzero(rivals)
        records = [index.record(row) for row in whole.tolist()] + index.stubs(nameless)
        rows = np.concatenate([whole, nameless])
        held = {
            record.offer_id: key
            for record, row in zip(records, rows.tolist(), strict=True)
            if (key := index.keys[row]) is not None
        }
        titles = [fresh.titles, index.titles_of(whole), ReadTitles.of([""]).take(np.zeros_like(nameless))]
        catalogue = prepare([*fresh.records, *records], index.statistics, titles=ReadTitles.joined(titles))
        place = {record.offer_id: number for number, record in enumerate(catalogue.records)}
        position = np.full(index.count, -1, dtype=np.int64)
        position[rows] = [place[record.offer_id] for record in records]
        own = np.array([place[record.offer_id] for record in fresh.records], dtype=np.int64)
        return cls(fresh, catalogue, position, own, real, touched, stored, held)

    def scored(self, index: CatalogueIndex, near: _Near, model: MatchModel) -> Scoring:
        """The fresh offers' pairs scored among their rivals, beside the stored pairs of the clusters at hand."""
        within = candidate_pairs(self.fresh)
        left, right = self._ordered(
            np.concatenate([self.own[near.fresh], self.own[within.left]]),
            np.concatenate([self.position[near.row], self.own[within.right]]),
        )
        alike_left, alike_right = self._ordered(
            np.concatenate([self.own[near.alike_fresh], self.own[within.alike_left]]),
            np.concatenate([self.position[near.alike_row], self.own[within.alike_right]]),
        )
        ranks = model.rank(compare(self.catalogue, left, right))
        alike_ranks = model.rank(compare(self.catalogue, alike_left, alike_right))
        # What the index knows of its offers' look-alikes comes in as each one's likeness to itself.
        known = index.look_alike_of(self.touched)
        finite = np.isfinite(known)
        at_home = self.position[self.touched[finite]]
        old_left, old_right = self._ordered(self.position[self.stored.left], self.position[self.stored.right])
        everything = CandidatePairs(
            np.concatenate([left, old_left]),
            np.concatenate([right, old_right]),
            np.concatenate([alike_left, at_home]),
            np.concatenate([alike_right, at_home]),
            {},
        )
        seen = seen_together(
            self.catalogue,
            model,
            everything,
            np.concatenate([ranks, self.stored.ranks.astype(np.float64)]),
            np.concatenate([alike_ranks, known[finite]]),
            index.spread,
        )
        whole = self.real[self.stored.left] & self.real[self.stored.right]
        pairs = CandidatePairs(
            np.concatenate([left, old_left[whole]]),
            np.concatenate([right, old_right[whole]]),
            alike_left,
            alike_right,
            {},
        )
        fresh_scores, fresh_cautious, identified = seen.judged(left, right)
        taken = taken_by_rivals(
            self.catalogue,
            everything.left,
            everything.right,
            np.concatenate([fresh_scores, self.stored.scores.astype(np.float64)]),
        )
        fresh_cautious = model.uncontested(fresh_cautious, identified, taken[: len(left)])
        scores = np.concatenate([fresh_scores, self.stored.scores[whole].astype(np.float64)])
        cautious = np.concatenate([fresh_cautious, self.stored.cautious[whole].astype(np.float64)])
        ranks = np.concatenate([ranks, self.stored.ranks[whole].astype(np.float64)])
        return replace(seen, pairs=pairs, ranks=ranks, scores=scores, cautious=cautious)

    def _ordered(self, one: Integers, other: Integers) -> tuple[Integers, Integers]:
        return np.minimum(one, other), np.maximum(one, other)

    def keep(self, index: CatalogueIndex, scoring: Scoring, result: LinkResult) -> None:
        """Add the fresh offers with their pairs to the index, and note which clusters became one."""
        row = np.full(len(self.catalogue), -1, dtype=np.int64)
        rows = np.flatnonzero(self.position >= 0)
        row[self.position[rows]] = rows
        row[self.own] = index.count + np.arange(len(self.own))
        left, right = row[scoring.pairs.left], row[scoring.pairs.right]
        new = (left >= index.count) | (right >= index.count)
        pairs = ScoredPairs(
            left[new], right[new], scoring.ranks[new], scoring.scores[new], scoring.cautious[new]
        )
        for offer_id, key in result.assignments.items():
            if offer_id in index.rows:
                index.keys[index.rows[offer_id]] = key
        look_alike = scoring.look_alike[self.own]
        index.append(self.fresh, result.assignments, pairs, look_alike, result.joined)
