"""Continuous features of a pair: how much of two titles is common, how rare it is, and what is left over.

The named levels of `matcher.comparison` are what people read; these are the finer grain that the model's trees see.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse

from matcher.comparison import common_codes
from matcher.preparation import Floats, Integers, PreparedCatalogue

Features = npt.NDArray[np.float32]

_CHUNK = 50_000

# Each is symmetric in the two offers: where the sides differ, the lower and the higher value stand apart.
# Rarity is inverse document frequency as a share of the largest one in the catalogue.
PAIR_FEATURES: tuple[str, ...] = (
    "word_likeness",
    "letter_likeness",
    "letters_contained_low",
    "letters_contained_high",
    "words_contained_low",
    "words_contained_high",
    "rarest_shared_word",
    "shared_rarity",
    "rarest_unmatched_word_low",
    "rarest_unmatched_word_high",
    "unmatched_rarity_low",
    "unmatched_rarity_high",
    "unmatched_words_low",
    "unmatched_words_high",
    "words_low",
    "words_high",
    "shared_codes",
    "rarest_shared_code",
    "contained_codes",
    "alike_codes",
    "other_endings",
    "unmatched_codes_low",
    "unmatched_codes_high",
    "agreeing_measures",
    "conflicting_measures",
    "unmatched_measures",
    "shared_numbers",
    "unmatched_numbers_low",
    "unmatched_numbers_high",
    "shared_editions",
    "unmatched_editions_low",
    "unmatched_editions_high",
    "shared_colours",
    "unmatched_colours_low",
    "unmatched_colours_high",
    "brand_agreement",
    "accessory_words",
    "sister_codes",
)


def pair_features(catalogue: PreparedCatalogue, left: Integers, right: Integers) -> Features:
    """Features of the pairs of positions `left`, `right`: pairs x PAIR_FEATURES, every value finite."""
    result = np.empty((len(left), len(PAIR_FEATURES)), dtype=np.float32)
    for start in range(0, len(left), _CHUNK):
        part = slice(start, start + _CHUNK)
        for column, values in enumerate(_columns(catalogue, left[part], right[part])):
            result[part, column] = values
    return result


def _columns(catalogue: PreparedCatalogue, left: Integers, right: Integers) -> list[npt.NDArray[np.floating]]:
    relations, largest = catalogue.code_relations, np.float32(np.log(catalogue.statistics.offers + 1))
    grams_left, grams_right = catalogue.grams[left], catalogue.grams[right]
    # The same letters twice, weighed as either title weighs them.
    common_left, common_right = (
        grams_left.multiply(_ones(grams_right)),
        grams_right.multiply(_ones(grams_left)),
    )
    letters = _low_high(_sum(common_left.power(2)), _sum(common_right.power(2)))
    letter_likeness = _shared(common_left, common_right)
    word_left, word_right = catalogue.word_rarity[left], catalogue.word_rarity[right]
    common = word_left.minimum(word_right)
    alone_left, alone_right = word_left - common, word_right - common
    shared, total_left, total_right = _sum(common), _sum(word_left), _sum(word_right)
    contained = _low_high(shared / np.maximum(total_left, 1e-6), shared / np.maximum(total_right, 1e-6))
    length_left, length_right = np.diff(word_left.indptr), np.diff(word_right.indptr)
    shared_words = np.diff(common.indptr)
    codes_left, codes_right = catalogue.specific_codes[left], catalogue.specific_codes[right]
    common_code = common_codes(catalogue, left, right)
    shared_codes = _sum(common_code)
    rest_left, rest_right = (
        sparse.csr_matrix(codes - codes.multiply(common_code)) for codes in (codes_left, codes_right)
    )
    measures_left, measures_right = catalogue.measures[left], catalogue.measures[right]
    agreeing = _sum((measures_left.multiply(measures_right) @ catalogue.measure_dimension).minimum(1))
    dimensions_left, dimensions_right = (
        (measures @ catalogue.measure_dimension).minimum(1) for measures in (measures_left, measures_right)
    )
    compared = _shared(dimensions_left, dimensions_right)
    brand_left, brand_right = catalogue.brand_words[left], catalogue.brand_words[right]
    both_brands = (np.diff(brand_left.indptr) > 0) & (np.diff(brand_right.indptr) > 0)
    # Beside a shared code each names a further one that several offers carry; or one code of each differs in
    # digits alone, or in one sign more.
    rivals = (shared_codes > 0) & (rest_left @ relations.established > 0)
    rivals &= rest_right @ relations.established > 0
    sisters = (
        rivals
        | (_shared(rest_left @ relations.shapes, rest_right @ relations.shapes) > 0)
        | (_shared(codes_left @ relations.one_sign_longer, codes_right) > 0)
    )
    return [
        _shared(catalogue.words[left], catalogue.words[right]),
        letter_likeness,
        *letters,
        *contained,
        _largest(common) / largest,
        shared / largest,
        *_low_high(_largest(alone_left) / largest, _largest(alone_right) / largest),
        *_low_high((total_left - shared) / largest, (total_right - shared) / largest),
        *_low_high(length_left - shared_words, length_right - shared_words),
        *_low_high(length_left, length_right),
        shared_codes,
        _largest(common_code @ sparse.diags(relations.rarity)) / largest,
        *(
            (_shared(codes_left @ relation, other) > 0).astype(np.float32)
            for relation, other in (
                (relations.contains, codes_right),
                (relations.stems, codes_right @ relations.stems),
                (relations.bases, codes_right @ relations.bases),
            )
        ),
        *_low_high(_sum(rest_left), _sum(rest_right)),
        agreeing,
        compared - agreeing,
        _sum(dimensions_left) + _sum(dimensions_right) - 2 * compared,
        *_overlap(catalogue.numbers, left, right),
        *_overlap(catalogue.editions, left, right),
        *_overlap(catalogue.colours, left, right),
        np.where(both_brands, np.where(_shared(brand_left, brand_right) > 0, 1, -1), 0).astype(np.float32),
        catalogue.accessory[left].astype(np.float32) - catalogue.accessory[right] != 0,
        sisters.astype(np.float32),
    ]


def _overlap(matrix: sparse.csr_matrix, left: Integers, right: Integers) -> tuple[Floats, Floats, Floats]:
    one, other = matrix[left], matrix[right]
    common = _shared(one, other)
    low, high = _low_high(np.diff(one.indptr) - common, np.diff(other.indptr) - common)
    return common, low, high


def _low_high(one: npt.NDArray[np.number], other: npt.NDArray[np.number]) -> tuple[Floats, Floats]:
    return np.minimum(one, other).astype(np.float32), np.maximum(one, other).astype(np.float32)


def _shared(one: sparse.csr_matrix, other: sparse.csr_matrix) -> Floats:
    return _sum(one.multiply(other))


def _sum(matrix: sparse.csr_matrix) -> Floats:
    return np.asarray(matrix.sum(axis=1), dtype=np.float32).ravel()


def _largest(matrix: sparse.csr_matrix) -> Floats:
    if not matrix.shape[1]:
        return np.zeros(matrix.shape[0], dtype=np.float32)
    return np.asarray(matrix.max(axis=1).toarray(), dtype=np.float32).ravel()


def _ones(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    """1 where the matrix holds anything."""
    return sparse.csr_matrix((np.ones_like(matrix.data), matrix.indices, matrix.indptr), shape=matrix.shape)
