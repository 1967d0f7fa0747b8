"""Records made ready for comparing at once: one row an offer in sparse matrices, and the catalogue's statistics."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from aggregator.domain.identifiers import read_gtin
from matcher.code_relations import CodeRelations, base_of, most_specific
from matcher.columns import Integers, ValueLists, numbered
from matcher.parallel import parts_of
from matcher.reading import Readings, ReadTitles, read_titles
from matcher.records import OfferRecord, in_stable_order
from matcher.statistics import (
    CatalogueStatistics,
    brand_key,
    code_of_part_number,
    gram_membership,
    words_of_brand,
)
from matcher.titles import TitleReading, looks_like_code, plain, squashed

__all__ = ["CatalogueStatistics", "Flags", "Floats", "Integers", "PreparedCatalogue", "prepare"]

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]

_LONGEST_BRAND = 3
_ROWS_AT_ONCE = 100_000
_RUNS_AT_ONCE = 2_000_000
_LONGEST_PIECE = 12
_LONGEST_CODE = 20
_HASH_BASE = np.uint64(1_099_511_628_211)
_MOST_HOLDERS_OF_JOINED_CODE = 200


@dataclass(frozen=True, slots=True)
class PreparedCatalogue:
    """Records in stable order with their features; row i of every matrix and array is `records[i]`.

    Integer columns hold -1 where a value is unknown. Matrices are float32 CSR: `words` and `grams` are
    TF-IDF with rows of length 1, `word_rarity` holds each word's inverse document frequency, the others 1.
    `specific_codes` are the codes without those that are a part of another one of the same offer.
    `readings` are made anew at each access.
    """

    records: Sequence[OfferRecord]
    readings: Sequence[TitleReading]
    titles: ReadTitles
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
    brands: Sequence[str]
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
        return len(self.records)


def prepare(
    records: Iterable[OfferRecord],
    statistics: CatalogueStatistics | None = None,
    processes: int = 1,
    titles: ReadTitles | None = None,
) -> PreparedCatalogue:
    """Read every record once. Without `statistics` the records themselves are the catalogue; `titles` is what the
    records' titles say, in their order, where they were read before."""
    given = list(records)
    ordered = in_stable_order(given)
    if titles is None:
        titles = read_titles([record.title for record in ordered], processes)
    else:
        place = {record.offer_id: number for number, record in enumerate(given)}
        titles = titles.take(np.array([place[record.offer_id] for record in ordered], dtype=np.int64))
    statistics = statistics or CatalogueStatistics.of_titles(ordered, titles)
    codes = _codes(ordered, titles, statistics)
    brands = _brands(ordered, titles.words, statistics.brands)
    code_matrix = codes.membership()
    word_matrix = titles.words.membership()
    grams = gram_membership(word_matrix, titles.words.names)
    word_rarity = _inverse_frequency(
        np.array([statistics.word_counts.get(word, 0) for word in titles.words.names]), statistics.offers
    )
    measure_dimension = _sets([{dimension} for dimension, _ in titles.measures.names])
    variants = ValueLists.of(
        [
            {(plain(name).strip(), plain(value).strip()) for name, value in record.variant_attributes}
            for record in ordered
        ]
    )
    variant_values = variants.membership()
    variant_name_of_value = _sets([{name} for name, _ in variants.names])
    code_relations = CodeRelations.of(codes.names, statistics.code_counts, statistics.offers)
    weighted_words = _weighted(word_matrix, word_rarity)
    return PreparedCatalogue(
        records=ordered,
        readings=Readings(ordered),
        titles=titles,
        statistics=statistics,
        words=_unit_rows(weighted_words),
        word_names=titles.words.names,
        word_rarity=weighted_words,
        grams=_unit_rows(_weighted(grams, _inverse_frequency(statistics.gram_counts, statistics.offers))),
        codes=code_matrix,
        code_names=codes.names,
        specific_codes=most_specific(code_matrix, code_relations),
        code_relations=code_relations,
        measures=titles.measures.membership(),
        measure_dimension=measure_dimension,
        measure_names=titles.measures.names,
        numbers=titles.numbers.membership(),
        brand_words=_sets_of_equal([words_of_brand(brand) for brand in brands]),
        colours=titles.colours.membership(),
        editions=titles.editions.membership(),
        brands=brands,
        store=numbered(record.store for record in ordered),
        gtin=numbered(_read_once(read_gtin, (record.gtin for record in ordered))),
        mpn=numbered(_read_once(squashed, (record.mpn for record in ordered))),
        item_group=numbered(
            f"{record.store}\0{record.item_group_id}" if record.store and record.item_group_id else ""
            for record in ordered
        ),
        pack=titles.pack,
        accessory=titles.accessory,
        refurbished=titles.refurbished,
        region=numbered(titles.regions.names[number] for number in titles.regions.numbers.tolist()),
        bundle=titles.bundle,
        contrasts=titles.contrasts.membership(),
        contrast_names=titles.contrasts.names,
        price=np.array([float(record.price or 0) for record in ordered], dtype=np.float32),
        currency=numbered(record.currency for record in ordered),
        variant_values=variant_values,
        variant_names=(variant_values @ variant_name_of_value).minimum(1).tocsr(),
        variant_name_of_value=variant_name_of_value,
    )


def _brands(records: Sequence[OfferRecord], words: ValueLists, vocabulary: frozenset[str]) -> list[str]:
    """Each offer's brand in plain letters: its own field, else the first of the catalogue's brands in its title.

    Of brands that begin at the same word the longest counts.
    """
    names = sorted(vocabulary)
    number_of_word = {word: number for number, word in enumerate(words.names)}
    width = max(len(words.names), 1)
    owners = words.owners
    found = np.full(len(words.numbers), -1, dtype=np.int64)
    # A run of words that begins a brand is known by the number of its beginning, one word longer each time.
    beginnings: dict[tuple[int, ...], int] = {(): 0}
    run = np.zeros(len(words.numbers), dtype=np.int64)
    for length in range(1, _LONGEST_BRAND + 1):
        keys: dict[int, int] = {}
        brand_of: list[int] = []
        longer: dict[tuple[int, ...], int] = {}
        for brand, name in enumerate(names):
            spelled = tuple(number_of_word.get(word, -1) for word in name.split())
            if len(spelled) < length or len(spelled) > _LONGEST_BRAND or -1 in spelled:
                continue
            before = beginnings[spelled[: length - 1]]
            number = longer.setdefault(spelled[:length], len(longer))
            if number == len(brand_of):
                keys[before * width + spelled[length - 1]] = number
                brand_of.append(-1)
            if len(spelled) == length:
                brand_of[number] = brand
        run = _continued(run, words.numbers, owners, length - 1, keys, width)
        ends = np.array(brand_of, dtype=np.int64)
        complete = np.flatnonzero(run >= 0)
        complete = complete[ends[run[complete]] >= 0] if len(ends) else complete[:0]
        found[complete] = ends[run[complete]]
        beginnings = longer
    at = np.flatnonzero(found >= 0)
    owner, first = np.unique(owners[at], return_index=True)
    in_title = dict(zip(owner.tolist(), found[at[first]].tolist(), strict=True))
    stated = {brand: brand_key(brand) for brand in {record.brand for record in records}}
    return [
        stated[record.brand] if record.brand.strip() else names[in_title[row]] if row in in_title else ""
        for row, record in enumerate(records)
    ]


def _continued(
    run: Integers,
    numbers: npt.NDArray[np.int32],
    owners: Integers,
    ahead: int,
    keys: Mapping[int, int],
    width: int,
) -> Integers:
    """The runs that go on with the word `ahead` places on, by the numbers that `keys` gives them; others -1."""
    result = np.full(len(run), -1, dtype=np.int64)
    start = np.flatnonzero(run[: len(run) - ahead] >= 0)
    start = start[owners[start] == owners[start + ahead]]
    if not len(start) or not keys:
        return result
    known = np.array(sorted(keys), dtype=np.int64)
    wanted = run[start] * width + numbers[start + ahead]
    place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    hit = known[place] == wanted
    result[start[hit]] = np.array([keys[key] for key in known.tolist()], dtype=np.int64)[place[hit]]
    return result


def _codes(records: Sequence[OfferRecord], titles: ReadTitles, statistics: CatalogueStatistics) -> ValueLists:
    """The titles' codes, with neighbours joined where the catalogue writes them as one, and part numbers."""
    names = list(titles.codes.names)
    number_of = {name: number for number, name in enumerate(names)}

    def number(name: str) -> int:
        if name not in number_of:
            number_of[name] = len(names)
            names.append(name)
        return number_of[name]

    owners, numbers = titles.codes.owners, titles.codes.numbers.astype(np.int64)
    joined_owner, joined_number, part_owner, part_number = [], [], [], []
    written_as_one = {
        name for name, count in statistics.code_counts.items() if count <= _MOST_HOLDERS_OF_JOINED_CODE
    }
    # "Rezo 15" may be what another title calls REZO15BK: a code beside the pieces, not in their place.
    bases = {base_of(name) for name in written_as_one} - written_as_one
    for length in (2, 3):
        owner, run = _runs_written_as_one(titles.pieces, length, written_as_one | bases)
        distinct, which = _distinct_rows(run, len(titles.pieces.names))
        usable = np.full(len(distinct), -1, dtype=np.int64)
        in_place = np.zeros(len(distinct), dtype=bool)
        for index, parts in enumerate(distinct.tolist()):
            joined = "".join(titles.pieces.names[part] for part in parts)
            if (joined in written_as_one or joined in bases) and looks_like_code(joined):
                usable[index] = number(joined)
                in_place[index] = joined in written_as_one
        hit = usable[which] >= 0
        joined_owner.append(owner[hit])
        joined_number.append(usable[which[hit]])
        code_of_piece = np.array([number_of.get(name, -1) for name in titles.pieces.names], dtype=np.int64)
        hit &= in_place[which]
        part_owner.append(np.repeat(owner[hit], length))
        part_number.append(code_of_piece[run[hit].ravel()] if hit.any() else np.empty(0, dtype=np.int64))
    mpn_codes = {mpn: code_of_part_number(mpn) for mpn in {record.mpn for record in records}}
    of_mpn = [(row, number(code)) for row, record in enumerate(records) if (code := mpn_codes[record.mpn])]
    mpn_owner, mpn_number = np.array(of_mpn, dtype=np.int64).reshape(-1, 2).T
    is_part, part = np.concatenate(part_owner), np.concatenate(part_number)
    width = max(len(names), 1)
    split = (is_part * width + part)[part >= 0]
    whole = ~np.isin(owners * width + numbers, split)
    return ValueLists.of_pairs(
        len(records),
        np.concatenate([owners[whole], *joined_owner, mpn_owner]),
        np.concatenate([numbers[whole], *joined_number, mpn_number]),
        names,
    )


def _runs_written_as_one(
    pieces: ValueLists, length: int, codes: Collection[str]
) -> tuple[Integers, npt.NDArray[np.int32]]:
    """Runs of `length` neighbouring pieces that may be one of the codes: their offers, their pieces.

    Found by polynomial hashes, of which that of two texts on end follows from their own; a few runs too many
    come out, none too few.
    """
    sizes = np.array([len(name) for name in pieces.names], dtype=np.int32)
    digits = np.array([not name.isalpha() for name in pieces.names], dtype=bool)
    hashes = _hashes([name if len(name) <= _LONGEST_PIECE else "" for name in pieces.names])
    powers = np.cumprod(np.r_[np.uint64(1), np.full(_LONGEST_PIECE, _HASH_BASE)], dtype=np.uint64)
    known = np.unique(_hashes([code for code in codes if len(code) <= _LONGEST_CODE]))
    owners = pieces.owners
    found: list[Integers] = [np.empty(0, dtype=np.int64)]
    count = max(len(pieces.numbers) - length + 1, 0)
    for start, end in parts_of(count, _RUNS_AT_ONCE):
        parts = [pieces.numbers[start + ahead : end + ahead] for ahead in range(length)]
        total = np.sum([sizes[part] for part in parts], axis=0, dtype=np.int64)
        usable = (owners[start:end] == owners[start + length - 1 : end + length - 1]) & (total >= 5)
        usable &= (total <= _LONGEST_CODE) & np.any([digits[part] for part in parts], axis=0)
        usable &= np.max([sizes[part] for part in parts], axis=0) <= _LONGEST_PIECE
        at = np.flatnonzero(usable)
        whole = hashes[parts[0][at]]
        for part in parts[1:]:
            whole = whole * powers[sizes[part[at]]] + hashes[part[at]]
        found.append(start + at[np.isin(whole, known)])
    first = np.concatenate(found)
    return owners[first], np.column_stack([pieces.numbers[first + ahead] for ahead in range(length)])


def _hashes(texts: Sequence[str]) -> npt.NDArray[np.uint64]:
    """A polynomial hash of each text of at most `_LONGEST_CODE` signs, modulo 2**64."""
    signs = np.array(texts, dtype=f"U{_LONGEST_CODE}").view(np.uint32).reshape(len(texts), _LONGEST_CODE)
    found = np.zeros(len(texts), dtype=np.uint64)
    for column in signs.T:
        found = np.where(column > 0, found * _HASH_BASE + column, found)
    return found


def _distinct_rows(
    rows: npt.NDArray[np.int32], width: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Each row of numbers below `width` once, and for each row which of them it is."""
    which = np.zeros(len(rows), dtype=np.int64)
    first = np.zeros(min(len(rows), 1), dtype=np.int64)
    for column in rows.T:
        _, first, which = np.unique(which * width + column, return_index=True, return_inverse=True)
    return rows[first], which


def _sets(rows: Sequence[set[str]]) -> sparse.csr_matrix:
    return ValueLists.of(rows).membership()


def _sets_of_equal(rows: Sequence[frozenset[str]]) -> sparse.csr_matrix:
    """Membership of rows of which many are equal: each distinct one is read once."""
    number_of: defaultdict[frozenset[str], int] = defaultdict(lambda: len(number_of))
    numbers = [number_of[row] for row in rows]
    return sparse.csr_matrix(ValueLists.of(list(number_of)).membership()[numbers])


def _read_once(read: Callable[[str], str | None], values: Iterable[str]) -> list[str]:
    """`read` of each value, called once for each distinct one; empty stays empty."""
    texts = list(values)
    known = {text: (read(text) or "") if text else "" for text in set(texts)}
    return [known[text] for text in texts]


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
