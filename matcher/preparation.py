"""Records made ready for comparing at once: one row an offer in sparse matrices, and the catalogue's statistics."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from matcher.code_relations import CodeRelations, most_specific
from matcher.columns import Integers, ValueLists
from matcher.offer_columns import OfferColumns
from matcher.parallel import parts_of
from matcher.reading import read_again, read_titles
from matcher.records import OfferRecord, in_stable_order
from matcher.statistics import (
    CatalogueStatistics,
    gram_membership,
    words_of_brand,
)
from matcher.titles import TitleReading

__all__ = ["CatalogueStatistics", "Flags", "Floats", "Integers", "PreparedCatalogue", "prepare", "prepared"]

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]

_ROWS_AT_ONCE = 100_000


@dataclass(frozen=True, slots=True)
class PreparedCatalogue:
    """Records in stable order with their features; row i of every matrix and array is `records[i]`.

    Integer columns hold -1 where a value is unknown. Matrices are float32 CSR: `words` and `grams` are
    TF-IDF with rows of length 1, `word_rarity` holds each word's inverse document frequency, the others 1.
    `specific_codes` are the codes without those that are a part of another one of the same offer.
    """

    offer_ids: Sequence[str]
    records: Sequence[OfferRecord]
    columns: OfferColumns
    statistics: CatalogueStatistics
    words: sparse.csr_matrix
    word_names: Sequence[str]
    word_rarity: sparse.csr_matrix
    grams: sparse.csr_matrix
    codes: sparse.csr_matrix
    code_names: Sequence[str]
    specific_codes: sparse.csr_matrix
    code_relations: CodeRelations
    measures: sparse.csr_matrix
    measure_dimension: sparse.csr_matrix
    measure_names: Sequence[tuple[str, str]]
    numbers: sparse.csr_matrix
    brand_words: sparse.csr_matrix
    colours: sparse.csr_matrix
    editions: sparse.csr_matrix
    store: Integers
    gtin: Integers
    mpn: Integers
    item_group: Integers
    pack: Integers
    accessory: Flags
    refurbished: Flags
    region: Integers
    bundle: npt.NDArray[np.int8]
    contrasts: sparse.csr_matrix
    contrast_names: Sequence[tuple[str, str]]
    price: Floats
    currency: Integers
    variant_values: sparse.csr_matrix
    variant_names: sparse.csr_matrix
    variant_name_of_value: sparse.csr_matrix

    def __len__(self) -> int:
        return len(self.offer_ids)

    def reading(self, position: int) -> TitleReading:
        """What an offer's title says, read again: a million readings would fill the memory."""
        return read_again(self.records[position].title)


def prepare(
    records: Iterable[OfferRecord],
    statistics: CatalogueStatistics | None = None,
    processes: int = 1,
) -> PreparedCatalogue:
    """Read every record once. Without `statistics` the records themselves are the catalogue."""
    ordered = in_stable_order(records)
    titles = read_titles([record.title for record in ordered], processes)
    statistics = statistics or CatalogueStatistics.of_titles(ordered, titles)
    columns = OfferColumns.of(ordered, titles, statistics)
    return prepared([record.offer_id for record in ordered], ordered, columns, statistics)


def prepared(
    offer_ids: Sequence[str],
    records: Sequence[OfferRecord],
    columns: OfferColumns,
    statistics: CatalogueStatistics,
) -> PreparedCatalogue:
    """A catalogue of offers in the order of their ids, of which `columns` holds what they say."""
    codes = columns.codes.membership()
    words, word_names = columns.words.membership(), columns.words.names
    word_rarity = _weighted(
        words,
        _inverse_frequency(
            np.array([statistics.word_counts.get(word, 0) for word in word_names]), statistics.offers
        ),
    )
    grams = _weighted(
        gram_membership(words, word_names), _inverse_frequency(statistics.gram_counts, statistics.offers)
    )
    variant_values = columns.variants.membership()
    variant_name_of_value = _sets([{name} for name, _ in columns.variants.names])
    code_relations = CodeRelations.of(columns.codes.names, statistics.code_counts, statistics.offers)
    brand_words = _sets([words_of_brand(brand) for brand in columns.brands.names])
    return PreparedCatalogue(
        offer_ids=offer_ids,
        records=records,
        columns=columns,
        statistics=statistics,
        words=_unit_rows(word_rarity),
        word_names=word_names,
        word_rarity=word_rarity,
        grams=_unit_rows(grams),
        codes=codes,
        code_names=columns.codes.names,
        specific_codes=most_specific(codes, code_relations),
        code_relations=code_relations,
        measures=columns.measures.membership(),
        measure_dimension=_sets([{dimension} for dimension, _ in columns.measures.names]),
        measure_names=columns.measures.names,
        numbers=columns.numbers.membership(),
        brand_words=sparse.csr_matrix(brand_words[columns.brands.numbers]),
        colours=columns.colours.membership(),
        editions=columns.editions.membership(),
        store=columns.stores.known(),
        gtin=columns.gtins.known(),
        mpn=columns.part_numbers.known(),
        item_group=columns.item_groups.known(),
        pack=columns.pack,
        accessory=columns.accessory,
        refurbished=columns.refurbished,
        region=columns.regions.known(),
        bundle=columns.bundle,
        contrasts=columns.contrasts.membership(),
        contrast_names=columns.contrasts.names,
        price=columns.price,
        currency=columns.currencies.known(),
        variant_values=variant_values,
        variant_names=(variant_values @ variant_name_of_value).minimum(1).tocsr(),
        variant_name_of_value=variant_name_of_value,
    )


def _sets(rows: Sequence[Collection[str]]) -> sparse.csr_matrix:
    return ValueLists.of(rows).membership()


def _inverse_frequency(counts: npt.NDArray[Any], offers: int) -> Floats:
    rarity: Floats = (np.log((offers + 1) / (np.minimum(counts, offers) + 1)) + 0.1).astype(np.float32)
    return rarity


def _weighted(matrix: sparse.csr_matrix, weights: Floats) -> sparse.csr_matrix:
    """A 0/1 matrix with the weight of its column in place of each 1."""
    return sparse.csr_matrix((weights[matrix.indices], matrix.indices, matrix.indptr), shape=matrix.shape)


def _unit_rows(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    """Rows divided by their length."""
    data = matrix.data.copy()
    for start, end in parts_of(matrix.shape[0], _ROWS_AT_ONCE):
        ends = matrix.indptr[start : end + 1].astype(np.int64)
        part = data[ends[0] : ends[-1]]
        filled = np.diff(ends)
        owner = np.repeat(np.arange(end - start), filled)
        lengths = np.sqrt(np.bincount(owner, part.astype(np.float64) ** 2, minlength=end - start))
        part /= np.repeat(np.maximum(lengths, 1e-9), filled).astype(np.float32)
    return sparse.csr_matrix((data, matrix.indices, matrix.indptr), shape=matrix.shape)
