"""Which pairs of offers are worth comparing: identifiers, shared rare codes, neighbours in words and letters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sparse_dot_topn import sp_matmul_topn

from matcher.preparation import Integers, PreparedCatalogue

_FEW_STORES = 8
_NEIGHBOURS_PER_STORE = 15
_NEIGHBOURS_LOOKED_AT = 100
_NEIGHBOURS_KEPT = 30
_NEIGHBOURS_KEPT_PER_STORE = 2
_LOOK_ALIKES = 3
_LARGEST_BLOCK = 60


@dataclass(frozen=True, slots=True)
class CandidatePairs:
    """Positions in the prepared catalogue, left < right, sorted, each pair once.

    `left`, `right` are the pairs that may be one product; `alike_left`, `alike_right` are look-alikes of one
    store in a catalogue whose stores list each product once: almost surely different, they show how alike
    two different products are here. `found_by` counts the pairs that each rule found.
    """

    left: Integers
    right: Integers
    alike_left: Integers
    alike_right: Integers
    found_by: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.left)


def candidate_pairs(catalogue: PreparedCatalogue) -> CandidatePairs:
    """Every pair worth comparing. Cost grows with the offers and their neighbours, never with their square."""
    rules = {
        "same GTIN": _equal_keys(catalogue.gtin),
        "same part number": _equal_keys(catalogue.mpn),
        "shared model code": _shared_codes(catalogue),
        "similar words": _neighbours(catalogue, catalogue.words),
        "similar letters": _neighbours(catalogue, catalogue.grams),
    }
    count = len(catalogue)
    one_store_each = not catalogue.statistics.stores_list_twice

    def usable(keys: Integers) -> Integers:
        if not one_store_each:
            return keys
        left, right = np.divmod(keys, max(count, 1))
        foreign: Integers = keys[
            (catalogue.store[left] < 0) | (catalogue.store[left] != catalogue.store[right])
        ]
        return foreign

    found = {name: usable(keys) for name, keys in rules.items()}
    keys = np.unique(np.concatenate(list(found.values())))
    alike = _look_alikes(catalogue) if one_store_each else np.empty(0, dtype=np.int64)
    left, right = np.divmod(keys, max(count, 1))
    alike_left, alike_right = np.divmod(alike, max(count, 1))
    return CandidatePairs(
        left, right, alike_left, alike_right, {name: len(keys) for name, keys in found.items()}
    )


def blocking_recall(catalogue: PreparedCatalogue, pairs: CandidatePairs, truth: Mapping[str, str]) -> float:
    """Share of the truth's pairs (offer id -> product) that are among the candidates; 1.0 if it has none.

    Pairs of one store are left out where stores list each product once.
    """
    product = np.array([truth.get(record.offer_id, f"\0{record.offer_id}") for record in catalogue.records])
    _, product = np.unique(product, return_inverse=True)
    true_pairs = _pairs_within(product, len(product))
    left, right = np.divmod(true_pairs, max(len(catalogue), 1))
    if not catalogue.statistics.stores_list_twice:
        reachable = (catalogue.store[left] < 0) | (catalogue.store[left] != catalogue.store[right])
        true_pairs = true_pairs[reachable]
    found = np.isin(true_pairs, pairs.left * len(catalogue) + pairs.right)
    return float(found.mean()) if len(found) else 1.0


def _keys(left: npt.NDArray[np.integer], right: npt.NDArray[np.integer], count: int) -> Integers:
    """Each unordered pair as one sorted number, pairs of an offer with itself left out."""
    left, right = left.astype(np.int64), right.astype(np.int64)
    apart = left != right
    low, high = np.minimum(left, right)[apart], np.maximum(left, right)[apart]
    return np.unique(low * count + high)


def _pairs_within(group: Integers, largest: int) -> Integers:
    """All pairs of offers of one group (number >= 0), for groups of at most `largest` offers."""
    known = np.flatnonzero(group >= 0)
    if not len(known):
        return np.empty(0, dtype=np.int64)
    _, compact, sizes = np.unique(group[known], return_inverse=True, return_counts=True)
    usable = known[sizes[compact] <= largest]
    compact = compact[sizes[compact] <= largest]
    member = sparse.csr_matrix(
        (np.ones(len(usable), dtype=np.int8), (usable, compact)), shape=(len(group), len(sizes))
    )
    together = (member @ member.T).tocoo()
    return _keys(together.row, together.col, len(group))


def _equal_keys(group: Integers) -> Integers:
    return _pairs_within(group, 400)


def _shared_codes(catalogue: PreparedCatalogue) -> Integers:
    """Pairs that share a rare code, or where a rare code of one is a part of the other's."""
    holders = np.asarray(catalogue.codes.sum(axis=0)).ravel()
    usable = sparse.diags(((holders <= _LARGEST_BLOCK) & (catalogue.rare_code > 0)).astype(np.float32))
    codes = (catalogue.codes @ usable).tocsr()
    codes.eliminate_zeros()
    together = (codes @ codes.T).tocoo()
    contained = ((codes @ catalogue.code_contains) @ codes.T).tocoo()
    count = len(catalogue)
    return np.union1d(_keys(together.row, together.col, count), _keys(contained.row, contained.col, count))


def _neighbours(catalogue: PreparedCatalogue, features: sparse.csr_matrix) -> Integers:
    """The most similar offers of other stores.

    With few stores each is searched on its own; with many, or unknown ones, all at once with at most
    two neighbours from one store, so that one store's look-alikes do not crowd out the others.
    """
    count = len(catalogue)
    stores = np.unique(catalogue.store)
    if 1 < len(stores) <= _FEW_STORES and stores[0] >= 0:
        found = []
        for store in stores:
            inside = np.flatnonzero(catalogue.store == store)
            outside = np.flatnonzero(catalogue.store != store)
            near = _nearest(features[outside], features[inside], _NEIGHBOURS_PER_STORE).tocoo()
            found.append(_keys(outside[near.row], inside[near.col], count))
        return np.unique(np.concatenate(found))
    near = _nearest(features, features, _NEIGHBOURS_LOOKED_AT).tocoo()
    order = np.lexsort((near.col, -near.data, near.row))
    row, column = near.row[order], near.col[order]
    other = row != column
    row, column = row[other], column[other]
    if not catalogue.statistics.stores_list_twice:
        store = catalogue.store[column]
        foreign = (store < 0) | (store != catalogue.store[row])
        row, column, store = row[foreign], column[foreign], store[foreign]
        early = (_rank_within(row * (store.max(initial=0) + 2) + store) < _NEIGHBOURS_KEPT_PER_STORE) | (
            store < 0
        )
        row, column = row[early], column[early]
    kept = _rank_within(row) < _NEIGHBOURS_KEPT
    return _keys(row[kept], column[kept], count)


def _look_alikes(catalogue: PreparedCatalogue) -> Integers:
    """Each offer's most similar offers inside its own store."""
    count = len(catalogue)
    found = [np.empty(0, dtype=np.int64)]
    for store in np.unique(catalogue.store[catalogue.store >= 0]):
        inside = np.flatnonzero(catalogue.store == store)
        if len(inside) > 1:
            near = _nearest(catalogue.grams[inside], catalogue.grams[inside], _LOOK_ALIKES + 1).tocoo()
            found.append(_keys(inside[near.row], inside[near.col], count))
    return np.unique(np.concatenate(found))


def _nearest(queries: sparse.csr_matrix, targets: sparse.csr_matrix, most: int) -> sparse.csr_matrix:
    return sp_matmul_topn(
        queries, targets.T.tocsr(), top_n=most, threshold=0.12, sort=True, n_threads=1, idx_dtype=np.int32
    )


def _rank_within(group: npt.NDArray[np.integer]) -> Integers:
    """Position of each element among the earlier elements of its group, from 0."""
    order = np.argsort(group, kind="stable")
    ordered = group[order]
    starts = (
        np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        if len(group)
        else np.empty(0, dtype=np.int64)
    )
    lengths = np.diff(np.r_[starts, len(group)])
    rank = np.empty(len(group), dtype=np.int64)
    rank[order] = np.arange(len(group)) - np.repeat(starts, lengths)
    return rank
