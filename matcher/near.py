"""What of an index is worth comparing with fresh offers: the rules of blocking, asked for a few against many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from matcher.blocking import (
    LARGEST_IDENTIFIER_BLOCK,
    LOOK_ALIKES,
    SearchFeatures,
    chosen_neighbours,
    most_alike,
    search_features,
)
from matcher.index import CatalogueIndex
from matcher.parallel import over_parts
from matcher.preparation import Integers, PreparedCatalogue
from matcher.records import Verdict, identifiers_of
from matcher.segment import Segment

_QUERIES_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Near:
    """Pairs of a fresh offer's position and a row of the index: such as may be one product, and look-alikes of one
    store. `named` are rows that verdicts tie to fresh offers or keep from them."""

    fresh: Integers
    row: Integers
    alike_fresh: Integers
    alike_row: Integers
    named: Integers


def near_offers(
    index: CatalogueIndex, fresh: PreparedCatalogue, verdicts: Iterable[Verdict], processes: int = 1
) -> Near:
    """What of the index is near to each fresh offer; several processes find the same as one."""
    sought_by = search_features(fresh)
    row_store, store_numbers = index.store_numbers()
    fresh_store = np.array(
        [
            store_numbers.setdefault(name, len(store_numbers)) if name else -1
            for name in fresh.columns.stores.names
        ],
        dtype=np.int64,
    )[fresh.columns.stores.numbers]
    identifiers = [identifiers_of(record) for record in fresh.records]
    alive = index.alive()

    def part(start: int, end: int) -> tuple[Integers, Integers, Integers, Integers]:
        queries = SearchFeatures(
            sought_by.words[start:end], sought_by.grams[start:end], sought_by.codes[start:end]
        )
        own_store = fresh_store[start:end]
        words, grams, named, alike = [], [], [], []
        for segment in index.segments:
            found = most_alike(
                _on_columns(queries.words, fresh.word_names, segment.word_columns), *segment.words
            )
            words.append((found.row, found.col + segment.first, found.data))
            found = most_alike(queries.grams, *segment.grams)
            grams.append((found.row, found.col + segment.first, found.data))
            named += [
                (matrix.row, matrix.col + segment.first)
                for matrix in (
                    _by_code(queries.codes, fresh.code_names, segment),
                    _by_identifier(identifiers[start:end], segment),
                )
            ]
            alike.append(_in_own_store(queries.grams, own_store, segment, row_store))
        pairs: list[tuple[npt.NDArray[Any], ...]] = [tuple(_pair_columns(named, 2))]
        for parts in (words, grams):
            query, row, likeness = _pair_columns(parts, 3)
            here = alive[row.astype(np.int64)]
            query, row, likeness = query[here].astype(np.int64), row[here].astype(np.int64), likeness[here]
            pairs.append(chosen_neighbours(query, row, likeness, own_store, row_store, index.statistics))
        query, row = _pair_columns(pairs, 2)
        width = max(index.count, 1)
        query, row = np.divmod(np.unique(query.astype(np.int64) * width + row), width)
        usable = alive[row]
        if not index.statistics.stores_list_twice:
            usable &= (row_store[row] < 0) | (row_store[row] != own_store[query])
        alike_query, alike_row = (column.astype(np.int64) for column in _pair_columns(alike, 2))
        home = alive[alike_row]
        return query[usable] + start, row[usable], alike_query[home] + start, alike_row[home]

    found = list(over_parts(part, len(fresh), _QUERIES_AT_ONCE, processes))
    return Near(*(*_pair_columns(found, 4), _told(index, fresh, verdicts)))


def _told(index: CatalogueIndex, fresh: PreparedCatalogue, verdicts: Iterable[Verdict]) -> Integers:
    known = set(fresh.offer_ids)
    ends = [(one.left_id, one.right_id) for one in verdicts]
    rows = {
        index.rows[other]
        for pair in ends
        for one, other in (pair, pair[::-1])
        if one in known and other in index.rows
    }
    return np.array(sorted(rows), dtype=np.int64)


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


def _by_identifier(identifiers: Sequence[Sequence[str]], segment: Segment) -> sparse.coo_matrix:
    held = [
        (number, segment.identifier_columns[key])
        for number, keys in enumerate(identifiers)
        for key in keys
        if key in segment.identifier_columns
    ]
    one, other = np.array(held, dtype=np.int64).reshape(-1, 2).T
    few = np.diff(segment.identifiers.indptr)[other] <= LARGEST_IDENTIFIER_BLOCK
    holding = sparse.csr_matrix(
        (np.ones(int(few.sum()), dtype=np.float32), (one[few], other[few])),
        shape=(len(identifiers), segment.identifiers.shape[0]),
    )
    return sparse.csr_matrix(holding @ segment.identifiers).tocoo()


def _in_own_store(
    grams: sparse.csr_matrix, fresh_store: Integers, segment: Segment, row_store: Integers
) -> tuple[Integers, Integers]:
    """Each fresh offer's most similar offers of its own store in the segment: positions and rows."""
    here = row_store[segment.first : segment.first + len(segment)]
    order = np.argsort(here, kind="stable")
    stores = np.unique(fresh_store[fresh_store >= 0])
    starts, ends = (np.searchsorted(here, stores, side=side, sorter=order) for side in ("left", "right"))
    found = []
    for store, start, end in zip(stores.tolist(), starts.tolist(), ends.tolist(), strict=True):
        if start < end:
            rows, fresh = np.sort(order[start:end]), np.flatnonzero(fresh_store == store)
            near = most_alike(grams[fresh], segment.own_grams[rows].T.tocsr(), most=LOOK_ALIKES)
            found.append((fresh[near.row], rows[near.col] + segment.first))
    one, other = _pair_columns(found, 2)
    return one, other
