"""Records made ready for comparing at once: one row an offer in sparse matrices, and the catalogue's statistics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from aggregator.domain.identifiers import read_gtin
from matcher.records import OfferRecord, in_stable_order
from matcher.titles import TitleReading, looks_like_code, plain, read_title, squashed

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

# Above this share of offers with a same-store partner of equal code, a catalogue lists products twice
# (.475 was seen where stores do, at most .065 where they do not).
_LISTS_TWICE_SHARE = 0.2
_ALPHABET_SIZE = 37  # space, ten digits, 26 letters
_GRAMS = _ALPHABET_SIZE**3
_COMPANY_WORDS = frozenset(
    "inc corp corporation co ltd limited llc gmbh ag sa company the intl international".split()
)


@dataclass(frozen=True, slots=True)
class CatalogueStatistics:
    """How often words, codes and letter triples occur in a catalogue, and which words are brands.

    Taken from a whole catalogue and kept, they make an incremental run weigh words as the full run did.
    """

    offers: int
    word_counts: Mapping[str, int]
    code_counts: Mapping[str, int]
    gram_counts: Integers
    brands: frozenset[str]
    stores_list_twice: bool

    @classmethod
    def of(cls, records: Iterable[OfferRecord]) -> Self:
        """The statistics of a whole catalogue; stores of unknown name count as none."""
        ordered = in_stable_order(records)
        return cls._of_readings(ordered, [read_title(record.title) for record in ordered])

    @classmethod
    def _of_readings(cls, ordered: Sequence[OfferRecord], readings: Sequence[TitleReading]) -> Self:
        code_counts = Counter(code for reading in readings for code in reading.codes)
        code_counts.update(code for record in ordered if looks_like_code(code := squashed(record.mpn)))
        return cls(
            offers=len(ordered),
            word_counts=Counter(word for reading in readings for word in set(reading.words)),
            code_counts=code_counts,
            gram_counts=np.bincount(_gram_matrix(readings).indices, minlength=_GRAMS),
            brands=_brand_vocabulary(ordered, readings),
            stores_list_twice=_share_listed_twice(ordered, readings) > _LISTS_TWICE_SHARE,
        )

    def to_json(self) -> dict[str, Any]:
        """A value that json.dumps takes; only letter triples that occur are written."""
        present = np.flatnonzero(self.gram_counts)
        return {
            "offers": self.offers,
            "word_counts": dict(self.word_counts),
            "code_counts": dict(self.code_counts),
            "gram_counts": {str(gram): int(self.gram_counts[gram]) for gram in present},
            "brands": sorted(self.brands),
            "stores_list_twice": self.stores_list_twice,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        gram_counts = np.zeros(_GRAMS, dtype=np.int64)
        for gram, count in value["gram_counts"].items():
            gram_counts[int(gram)] = count
        return cls(
            offers=value["offers"],
            word_counts=value["word_counts"],
            code_counts=value["code_counts"],
            gram_counts=gram_counts,
            brands=frozenset(value["brands"]),
            stores_list_twice=value["stores_list_twice"],
        )


@dataclass(frozen=True, slots=True)
class PreparedCatalogue:
    """Records in stable order with their features; row i of every matrix and array is `records[i]`.

    Integer columns hold -1 where a value is unknown. Matrices are float32 CSR: `words` and `grams` are
    TF-IDF with rows of length 1, `word_rarity` holds each word's inverse document frequency, the others 1.
    """

    records: Sequence[OfferRecord]
    readings: Sequence[TitleReading]
    statistics: CatalogueStatistics
    words: sparse.csr_matrix
    word_rarity: sparse.csr_matrix
    grams: sparse.csr_matrix
    codes: sparse.csr_matrix
    code_names: Sequence[str]
    code_contains: sparse.csr_matrix
    code_stems: sparse.csr_matrix
    rare_code: Floats
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
    price: Floats
    currency: Integers
    variant_values: sparse.csr_matrix
    variant_names: sparse.csr_matrix
    variant_name_of_value: sparse.csr_matrix

    def __len__(self) -> int:
        return len(self.records)


def prepare(
    records: Iterable[OfferRecord], statistics: CatalogueStatistics | None = None
) -> PreparedCatalogue:
    """Read every record once. Without `statistics` the records themselves are the catalogue."""
    ordered = in_stable_order(records)
    readings = [read_title(record.title) for record in ordered]
    statistics = statistics or CatalogueStatistics._of_readings(ordered, readings)
    codes = [
        _codes_of(record, reading, statistics) for record, reading in zip(ordered, readings, strict=True)
    ]
    brands = [
        find_brand(record, reading, statistics.brands)
        for record, reading in zip(ordered, readings, strict=True)
    ]
    code_matrix, code_names = _membership(codes)
    word_matrix, word_names = _membership([set(reading.words) for reading in readings])
    word_rarity = _inverse_frequency(
        np.array([statistics.word_counts.get(word, 0) for word in word_names]), statistics.offers
    )
    gram_rarity = _inverse_frequency(statistics.gram_counts, statistics.offers)
    measure_matrix, measure_names = _membership([reading.measures for reading in readings])
    measure_dimension, _ = _membership([{dimension} for dimension, _ in measure_names])
    variants = [
        {(plain(name).strip(), plain(value).strip()) for name, value in record.variant_attributes}
        for record in ordered
    ]
    variant_values, value_names = _membership(variants)
    variant_name_of_value, _ = _membership([{name} for name, _ in value_names])
    code_frequency = np.array([statistics.code_counts.get(code, 0) for code in code_names])
    return PreparedCatalogue(
        records=ordered,
        readings=readings,
        statistics=statistics,
        words=_unit_rows(word_matrix @ sparse.diags(word_rarity)),
        word_rarity=(word_matrix @ sparse.diags(word_rarity)).tocsr().astype(np.float32),
        grams=_unit_rows(_gram_matrix(readings) @ sparse.diags(gram_rarity)),
        codes=code_matrix,
        code_names=code_names,
        code_contains=_containment(code_names),
        code_stems=_membership([{name[: max(4, round(0.6 * len(name)))]} for name in code_names])[0],
        rare_code=(code_frequency <= max(40, statistics.offers // 20_000)).astype(np.float32),
        measures=measure_matrix,
        measure_dimension=measure_dimension,
        measure_names=measure_names,
        numbers=_membership([reading.numbers for reading in readings])[0],
        brand_words=_membership([set(brand.split()) - _COMPANY_WORDS for brand in brands])[0],
        colours=_membership([reading.colours for reading in readings])[0],
        editions=_membership([reading.editions for reading in readings])[0],
        brands=brands,
        store=_numbered(record.store for record in ordered),
        gtin=_numbered(read_gtin(record.gtin) or "" for record in ordered),
        mpn=_numbered(squashed(record.mpn) for record in ordered),
        item_group=_numbered(
            f"{record.store}\0{record.item_group_id}" if record.store and record.item_group_id else ""
            for record in ordered
        ),
        pack=np.array([reading.pack for reading in readings], dtype=np.int64),
        accessory=np.array([reading.accessory for reading in readings], dtype=bool),
        refurbished=np.array([reading.refurbished for reading in readings], dtype=bool),
        price=np.array([float(record.price or 0) for record in ordered], dtype=np.float32),
        currency=_numbered(record.currency for record in ordered),
        variant_values=variant_values,
        variant_names=(variant_values @ variant_name_of_value).minimum(1).tocsr(),
        variant_name_of_value=variant_name_of_value,
    )


def find_brand(record: OfferRecord, reading: TitleReading, vocabulary: frozenset[str]) -> str:
    """The offer's brand in plain letters: its own field, else the first of the catalogue's brands in its title."""
    if record.brand.strip():
        return _brand_key(record.brand)
    for start in range(len(reading.words)):
        for length in (3, 2, 1):
            name = " ".join(reading.words[start : start + length])
            if name in vocabulary:
                return name
    return ""


def _brand_key(brand: str) -> str:
    words = "".join(sign if sign.isalnum() else " " for sign in plain(brand)).split()
    return " ".join([word for word in words if word not in _COMPANY_WORDS] or words)


def _brand_vocabulary(records: Sequence[OfferRecord], readings: Sequence[TitleReading]) -> frozenset[str]:
    """Brands that offers state, and words that several titles open with and seldom hold elsewhere."""
    stated = Counter(_brand_key(record.brand) for record in records if record.brand.strip())
    opening = Counter(reading.words[0] for reading in readings if reading.words)
    anywhere = Counter(word for reading in readings for word in set(reading.words))
    opens_titles = {
        word
        for word, count in opening.items()
        if count >= 4 and count >= 0.4 * anywhere[word] and word.isalpha() and len(word) >= 2
    }
    return frozenset({brand for brand in stated if len(brand) >= 2} | opens_titles)


def _share_listed_twice(records: Sequence[OfferRecord], readings: Sequence[TitleReading]) -> float:
    """Share of offers whose store has another offer with exactly the same codes."""
    keys = [
        (record.store, reading.codes) if record.store and reading.codes else None
        for record, reading in zip(records, readings, strict=True)
    ]
    times = Counter(keys)
    repeated = sum(count for key, count in times.items() if key and count > 1)
    return repeated / len(records) if len(records) >= 50 else 0.0


def _codes_of(record: OfferRecord, reading: TitleReading, statistics: CatalogueStatistics) -> set[str]:
    """The title's codes, with neighbours joined where the catalogue writes them as one, and the MPN."""
    codes = set(reading.codes)
    for joined, parts in reading.joins:
        if joined in statistics.code_counts and statistics.code_counts[joined] <= 200:
            codes.difference_update(parts)
            codes.add(joined)
    part_number = squashed(record.mpn)
    if looks_like_code(part_number):
        codes.add(part_number)
    return codes


def _containment(names: Sequence[str]) -> sparse.csr_matrix:
    """codes x codes: 1 where one code of 5 signs or more is a part of the other ("nu7100" of "ue49nu7100")."""
    position = {name: index for index, name in enumerate(names)}
    pairs: set[tuple[int, int]] = set()
    for index, name in enumerate(names):
        for start in range(len(name) - 4):
            for end in range(start + 5, len(name) + 1):
                other = position.get(name[start:end])
                if other is not None and other != index:
                    pairs.add((index, other))
                    pairs.add((other, index))
    rows, columns = (
        np.array(list(axis), dtype=np.int64)
        for axis in (zip(*sorted(pairs), strict=True) if pairs else ((), ()))
    )
    ones = np.ones(len(rows), dtype=np.float32)
    return sparse.csr_matrix((ones, (rows, columns)), shape=(len(names), len(names)))


def _membership(rows: Sequence[Iterable[Any]]) -> tuple[sparse.csr_matrix, list[Any]]:
    """A 0/1 matrix of rows x distinct values, and the values in the order of its columns."""
    names = sorted({value for row in rows for value in row})
    position = {name: index for index, name in enumerate(names)}
    columns = [sorted(position[value] for value in row) for row in rows]
    ends = np.concatenate([[0], np.cumsum([len(row) for row in columns])])
    flat = np.array([column for row in columns for column in row], dtype=np.int64)
    data = np.ones(len(flat), dtype=np.float32)
    return sparse.csr_matrix((data, flat, ends), shape=(len(rows), len(names))), names


def _numbered(values: Iterable[str]) -> Integers:
    """Equal texts get equal numbers, an empty one -1."""
    texts = list(values)
    position = {text: index for index, text in enumerate(sorted(set(texts) - {""}))}
    return np.array([position.get(text, -1) for text in texts], dtype=np.int64)


def _inverse_frequency(counts: npt.NDArray[Any], offers: int) -> Floats:
    rarity: Floats = (np.log((offers + 1) / (np.minimum(counts, offers) + 1)) + 0.1).astype(np.float32)
    return rarity


def _unit_rows(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    matrix = sparse.csr_matrix(matrix, dtype=np.float32)
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return sparse.csr_matrix(sparse.diags(1 / np.maximum(lengths, 1e-9)) @ matrix, dtype=np.float32)


def _gram_matrix(readings: Sequence[TitleReading]) -> sparse.csr_matrix:
    """Offers x letter triples (0/1) of the titles' words, each word with a space on both sides."""
    texts = [" " + " ".join(reading.words) + " " for reading in readings]
    joined = np.frombuffer("".join(texts).encode("utf-32-le"), dtype=np.uint32)
    owner = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    # Other scripts share the places of the Latin letters: enough to tell which titles are alike.
    sign = np.arange(128, dtype=np.int64) % 26 + 11
    sign[ord(" ")] = 0
    sign[ord("0") : ord("9") + 1] = np.arange(1, 11)
    sign[ord("a") : ord("z") + 1] = np.arange(11, 37)
    codes = np.where(joined < 128, sign[np.minimum(joined, 127)], joined % 26 + 11).astype(np.int64)
    if len(codes) < 3:
        return sparse.csr_matrix((len(texts), _GRAMS), dtype=np.float32)
    grams = (codes[:-2] * _ALPHABET_SIZE + codes[1:-1]) * _ALPHABET_SIZE + codes[2:]
    inside = owner[:-2] == owner[2:]
    matrix = sparse.csr_matrix(
        (np.ones(int(inside.sum()), dtype=np.float32), (owner[:-2][inside], grams[inside])),
        shape=(len(texts), _GRAMS),
    )
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix
