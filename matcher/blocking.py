"""Which pairs of offers are worth comparing: identifiers, shared rare codes, neighbours in words and letters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sparse_dot_topn import sp_matmul_topn, zip_sp_matmul_topn

from matcher.parallel import over_parts, parts_of
from matcher.preparation import Floats, Integers, PreparedCatalogue
from matcher.statistics import CatalogueStatistics

_FEW_STORES = 8
_NEIGHBOURS_PER_STORE = 15
_NEIGHBOURS_LOOKED_AT = 100
_NEIGHBOURS_KEPT = 30
_NEIGHBOURS_KEPT_PER_STORE = 2
LOOK_ALIKES = 3
_LARGEST_BLOCK = 60
LARGEST_IDENTIFIER_BLOCK = 400
_LEAST_LIKENESS = 0.12
# Neighbours are sought by the rarest words and letters whose products stay within this many an offer. Up to
# some ten thousand offers that is nearly all of them.
_PRODUCTS_PER_OFFER = 12_000
# In catalogues beyond this many offers the least alike neighbours are left out: the first few of each offer
# stay, and those at least this share as alike as its nearest.
ROOM_FOR_ALL = 100_000
_SURE_NEIGHBOURS = 5
_SHARE_OF_NEAREST = 0.4
_ROWS = 10_000
_TARGETS_AT_ONCE = 1 << 18
_STORES = 20


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


@dataclass(frozen=True, slots=True)
class SearchFeatures:
    """What neighbours are sought by, one row an offer: unit rows without the words and letters that too many
    offers hold, and the rare codes (0/1)."""

    words: sparse.csr_matrix
    grams: sparse.csr_matrix
    codes: sparse.csr_matrix


def search_features(catalogue: PreparedCatalogue) -> SearchFeatures:
    """The rare part of each offer's words, letters and codes, as the catalogue's statistics tell what is rare."""
    statistics = catalogue.statistics
    all_words = np.fromiter(statistics.word_counts.values(), dtype=np.int64)
    return SearchFeatures(
        words=_rare_part(catalogue.words, _word_counts(catalogue), all_words, statistics.offers),
        grams=_rare_part(catalogue.grams, statistics.gram_counts, statistics.gram_counts, statistics.offers),
        codes=_rare_codes(catalogue),
    )


def candidate_pairs(catalogue: PreparedCatalogue, processes: int = 1) -> CandidatePairs:
    """Every pair worth comparing. Cost grows with the offers and their neighbours, never with their square.

    Several processes find the same pairs as one.
    """
    count = len(catalogue)
    one_store_each = not catalogue.statistics.stores_list_twice
    sought_by = search_features(catalogue)
    rules = {
        "same GTIN": _equal_keys(catalogue.gtin),
        "same part number": _equal_keys(catalogue.mpn),
        "shared model code": _shared_codes(catalogue, sought_by.codes),
        "similar words": _neighbours(catalogue, sought_by.words, processes),
        "similar letters": _neighbours(catalogue, sought_by.grams, processes),
    }

    def usable(keys: Integers) -> Integers:
        if not one_store_each:
            return keys
        left, right = np.divmod(keys, max(count, 1))
        foreign: Integers = keys[
            (catalogue.store[left] < 0) | (catalogue.store[left] != catalogue.store[right])
        ]
        return foreign

    found = {name: usable(keys) for name, keys in rules.items()}
    keys = _distinct(found.values())
    alike = (
        _look_alikes(catalogue, sought_by.grams, processes) if one_store_each else np.empty(0, dtype=np.int64)
    )
    left, right = np.divmod(keys, max(count, 1))
    alike_left, alike_right = np.divmod(alike, max(count, 1))
    return CandidatePairs(
        left, right, alike_left, alike_right, {name: len(keys) for name, keys in found.items()}
    )


def blocking_recall(catalogue: PreparedCatalogue, pairs: CandidatePairs, truth: Mapping[str, str]) -> float:
    """Share of the truth's pairs (offer id -> product) that are among the candidates; 1.0 if it has none.

    Pairs of one store are left out where stores list each product once.
    """
    product = np.array([truth.get(offer_id, f"\0{offer_id}") for offer_id in catalogue.offer_ids])
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


def _distinct(keys: Iterable[Integers]) -> Integers:
    """All keys, sorted, each once."""
    together = np.concatenate(list(keys))
    together.sort()
    return together[np.r_[True, together[1:] != together[:-1]]] if len(together) else together


def _equal_keys(group: Integers) -> Integers:
    return _pairs_within(group, LARGEST_IDENTIFIER_BLOCK)


def _shared_codes(catalogue: PreparedCatalogue, codes: sparse.csr_matrix) -> Integers:
    """Pairs that share a rare code, or where a rare code of one is a part of the other's."""
    together = (codes @ codes.T).tocoo()
    contained = ((codes @ catalogue.code_relations.contains) @ codes.T).tocoo()
    count = len(catalogue)
    return _distinct((_keys(together.row, together.col, count), _keys(contained.row, contained.col, count)))


def _rare_codes(catalogue: PreparedCatalogue) -> sparse.csr_matrix:
    holders = np.asarray(catalogue.codes.sum(axis=0)).ravel()
    usable = sparse.diags(
        ((holders <= _LARGEST_BLOCK) & (catalogue.code_relations.rare > 0)).astype(np.float32)
    )
    codes = (catalogue.codes @ usable).tocsr()
    codes.eliminate_zeros()
    return codes


def _word_counts(catalogue: PreparedCatalogue) -> Integers:
    """How many offers of the whole catalogue hold each word, from what its rarity is made of."""
    held = catalogue.word_rarity
    rarity = np.zeros(held.shape[1], dtype=np.float64)
    rarity[held.indices] = held.data
    return np.rint((catalogue.statistics.offers + 1) / np.exp(rarity - 0.1) - 1).astype(np.int64)


def _rare_part(
    features: sparse.csr_matrix, counts: Integers, all_counts: Integers, offers: int
) -> sparse.csr_matrix:
    """The columns held by so few offers that comparing all holders of each costs a bounded sum an offer.

    `counts` are those of the columns, `all_counts` those of everything the catalogue's `offers` hold.
    """
    rising = np.sort(all_counts).astype(np.float64)
    cost = np.cumsum(rising * rising)
    affordable = int(np.searchsorted(cost, float(_PRODUCTS_PER_OFFER) * offers, side="right"))
    if affordable == len(rising):
        return features
    kept = (counts < rising[affordable])[features.indices]
    ends = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(kept)])[features.indptr]
    return sparse.csr_matrix(
        (features.data[kept], features.indices[kept], ends.astype(features.indptr.dtype)),
        shape=features.shape,
    )


def _neighbours(catalogue: PreparedCatalogue, features: sparse.csr_matrix, processes: int) -> Integers:
    """The most similar offers of other stores.

    With few stores each is searched on its own; with many, or unknown ones, all at once with at most
    two neighbours from one store, so that one store's look-alikes do not crowd out the others.
    """
    count, store = len(catalogue), catalogue.store
    if 1 < catalogue.statistics.stores <= _FEW_STORES:
        found = [np.empty(0, dtype=np.int64)]
        for inside in _by_store(store):
            outside = np.flatnonzero(store != store[inside[0]])
            if not len(outside):
                continue
            near = _nearest(features[outside], features[inside], _NEIGHBOURS_PER_STORE)
            found.append(_keys(outside[near.row], inside[near.col], count))
        return _distinct(found)
    targets = targets_of(features)

    def part(start: int, end: int) -> Integers:
        near = most_alike(features[start:end], *targets)
        query, found = near.row.astype(np.int64) + start, near.col.astype(np.int64)
        other = query != found
        return _keys(
            *chosen_neighbours(
                query[other], found[other], near.data[other], store, store, catalogue.statistics
            ),
            count,
        )

    return _distinct([np.empty(0, dtype=np.int64), *over_parts(part, count, _ROWS, processes)])


def chosen_neighbours(
    query: Integers,
    found: Integers,
    likeness: Floats,
    query_store: Integers,
    found_store: Integers,
    statistics: CatalogueStatistics,
) -> tuple[Integers, Integers]:
    """Of the offers found for each query the most alike: in other stores, a few of each, so many in all.

    The stores are those of all queries and of all that can be found, by number.
    """
    few_stores = 1 < statistics.stores <= _FEW_STORES
    order = np.lexsort((found, -likeness, query))
    query, found = query[order].astype(np.int64), found[order].astype(np.int64)
    likeness = likeness[order]
    if not statistics.stores_list_twice:
        shop = found_store[found]
        foreign = (shop < 0) | (shop != query_store[query])
        query, found, shop, likeness = query[foreign], found[foreign], shop[foreign], likeness[foreign]
        rank = _rank_within(query * (found_store.max(initial=0) + 2) + shop)
        early = (rank < (_NEIGHBOURS_PER_STORE if few_stores else _NEIGHBOURS_KEPT_PER_STORE)) | (shop < 0)
        query, found, likeness = query[early], found[early], likeness[early]
    rank = _rank_within(query)
    kept = rank < (_NEIGHBOURS_PER_STORE * _FEW_STORES if few_stores else _NEIGHBOURS_KEPT)
    if statistics.offers > ROOM_FOR_ALL:
        nearest = likeness[np.arange(len(query)) - rank]
        kept &= (rank < _SURE_NEIGHBOURS) | (likeness >= _SHARE_OF_NEAREST * nearest)
    return query[kept], found[kept]


def _look_alikes(catalogue: PreparedCatalogue, grams: sparse.csr_matrix, processes: int) -> Integers:
    """Each offer's most similar offers inside its own store."""
    stores = [inside for inside in _by_store(catalogue.store) if len(inside) > 1]

    def part(start: int, end: int) -> Integers:
        found = []
        for inside in stores[start:end]:
            near = _nearest(grams[inside], grams[inside], LOOK_ALIKES + 1)
            found.append(_keys(inside[near.row], inside[near.col], len(catalogue)))
        return _distinct(found)

    shares = len(stores) if len(catalogue) < _ROWS else _STORES
    return _distinct([np.empty(0, dtype=np.int64), *over_parts(part, len(stores), max(shares, 1), processes)])


def _by_store(store: Integers) -> list[Integers]:
    """The positions of each known store's offers."""
    order = np.argsort(store, kind="stable")
    order = order[store[order] >= 0]
    if not len(order):
        return []
    return np.split(order, np.flatnonzero(np.diff(store[order])) + 1)


def _nearest(queries: sparse.csr_matrix, others: sparse.csr_matrix, most: int) -> sparse.coo_matrix:
    """The `most` rows of `others` that are most alike to each query: queries x others."""
    targets = targets_of(others)
    parts = [
        most_alike(queries[start:end], *targets, most=most).tocsr()
        for start, end in parts_of(queries.shape[0], _ROWS)
    ]
    return sparse.vstack(parts).tocoo()


def most_alike(
    queries: sparse.csr_matrix, *targets: sparse.csr_matrix, most: int = _NEIGHBOURS_LOOKED_AT
) -> sparse.coo_matrix:
    """The `most` offers most alike to each query, if alike at all; `targets` (features x offers) stand side by side."""
    if not targets:
        return sparse.coo_matrix((queries.shape[0], 0), dtype=np.float32)
    found = [
        sp_matmul_topn(
            queries,
            part,
            top_n=most,
            threshold=_LEAST_LIKENESS,
            sort=True,
            n_threads=1,
            idx_dtype=np.int32,
        )
        for part in targets
    ]
    return (found[0] if len(found) == 1 else zip_sp_matmul_topn(top_n=most, C_mats=found)).tocoo()


def targets_of(features: sparse.csr_matrix) -> list[sparse.csr_matrix]:
    """The offers as columns, in parts whose sums stay near the processor while one query meets them all."""
    return [features[start:end].T.tocsr() for start, end in parts_of(features.shape[0], _TARGETS_AT_ONCE)]


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
