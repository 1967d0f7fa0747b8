"""What offers say, column by column: their fields, what their titles say, and what the catalogue makes of both.

A row depends on its own record and on the catalogue's statistics alone, so rows can be kept and taken up again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from aggregator.domain.identifiers import read_gtin
from matcher.code_relations import base_of
from matcher.columns import Columns, Integers, ValueLists, places
from matcher.parallel import parts_of
from matcher.reading import ReadTitles
from matcher.records import OfferRecord
from matcher.statistics import CatalogueStatistics, brand_key, code_of_part_number
from matcher.titles import looks_like_code, plain, squashed

_LONGEST_BRAND = 3
_RUNS_AT_ONCE = 2_000_000
_LONGEST_PIECE = 12
_LONGEST_CODE = 20
_HASH_BASE = np.uint64(1_099_511_628_211)
_MOST_HOLDERS_OF_JOINED_CODE = 200


@dataclass(frozen=True, slots=True)
class OfferColumns(Columns):
    """Row i is what offer i says. `words` keep their order and may repeat, `variants` are (name, value) pairs, other
    lists are sets; from `stores` to `regions` each holds one text, empty where it is unknown. `price` is 0 there.
    """

    words: ValueLists
    codes: ValueLists
    measures: ValueLists
    numbers: ValueLists
    colours: ValueLists
    editions: ValueLists
    contrasts: ValueLists
    variants: ValueLists
    stores: ValueLists
    brands: ValueLists
    gtins: ValueLists
    part_numbers: ValueLists
    item_groups: ValueLists
    currencies: ValueLists
    regions: ValueLists
    accessory: npt.NDArray[np.bool_]
    refurbished: npt.NDArray[np.bool_]
    bundle: npt.NDArray[np.int8]
    pack: npt.NDArray[np.int64]
    price: npt.NDArray[np.float32]

    @classmethod
    def of(cls, records: Sequence[OfferRecord], titles: ReadTitles, statistics: CatalogueStatistics) -> Self:
        """The columns of records, of which `titles` holds what their titles say."""
        return cls(
            words=titles.words,
            codes=_codes(records, titles, statistics),
            measures=titles.measures,
            numbers=titles.numbers,
            colours=titles.colours,
            editions=titles.editions,
            contrasts=titles.contrasts,
            variants=ValueLists.of(
                [
                    {(plain(name).strip(), plain(value).strip()) for name, value in record.variant_attributes}
                    for record in records
                ]
            ),
            stores=ValueLists.one_each(record.store for record in records),
            brands=ValueLists.one_each(_brands(records, titles.words, statistics.brands)),
            gtins=ValueLists.one_each(_read_once(read_gtin, (record.gtin for record in records))),
            part_numbers=ValueLists.one_each(_read_once(squashed, (record.mpn for record in records))),
            item_groups=ValueLists.one_each(
                f"{record.store}\0{record.item_group_id}" if record.store and record.item_group_id else ""
                for record in records
            ),
            currencies=ValueLists.one_each(record.currency for record in records),
            regions=titles.regions,
            accessory=titles.accessory,
            refurbished=titles.refurbished,
            bundle=titles.bundle,
            pack=titles.pack,
            price=np.array([float(record.price or 0) for record in records], dtype=np.float32),
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
    place, hit = places(known, wanted)
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
    # What ends in a digit is its own base.
    bases = {base_of(name) for name in written_as_one if not name[-1:].isdigit()} - written_as_one
    known = np.sort(_hashes([code for code in written_as_one | bases if len(code) <= _LONGEST_CODE]))
    for length in (2, 3):
        owner, run = _runs_written_as_one(titles.pieces, length, known)
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
    pieces: ValueLists, length: int, known: npt.NDArray[np.uint64]
) -> tuple[Integers, npt.NDArray[np.int32]]:
    """Runs of `length` neighbouring pieces that may be one of the codes of which the hashes are known (rising): their
    offers, their pieces.

    The polynomial hash of two texts on end follows from their own; a few runs too many come out, none too few.
    """
    sizes = np.array([len(name) for name in pieces.names], dtype=np.int32)
    digits = np.array([not name.isalpha() for name in pieces.names], dtype=bool)
    hashes = _hashes([name if len(name) <= _LONGEST_PIECE else "" for name in pieces.names])
    powers = np.cumprod(np.r_[np.uint64(1), np.full(_LONGEST_PIECE, _HASH_BASE)], dtype=np.uint64)
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
        found.append(start + at[places(known, whole)[1]])
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


def _read_once(read: Callable[[str], str | None], values: Iterable[str]) -> list[str]:
    """`read` of each value, called once for each distinct one; empty stays empty."""
    texts = list(values)
    known = {text: (read(text) or "") if text else "" for text in set(texts)}
    return [known[text] for text in texts]
