"""Offers that belong together without being one product: variants, packs, cases, bundles, used ones, accessories."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from scipy import sparse

from matcher.blocking import CandidatePairs
from matcher.preparation import Integers, PreparedCatalogue

# Titles at least this alike (cosine of their words) speak of one thing but for what differs by rule.
_ALIKE = 0.55
_PAIRS_AT_ONCE = 200_000


class RelationKind(StrEnum):
    """How two products belong together without being one."""

    VARIANT = "variant"
    MULTIPACK = "multipack"
    CASE = "case"
    BUNDLE = "bundle"
    REFURBISHED = "refurbished"
    ACCESSORY = "accessory"


@dataclass(frozen=True, slots=True)
class Relation:
    """Offers of two clusters that a rule keeps apart though they belong together.

    `offer_id` is the plain one: the single piece, the new one, the main product; `other_offer_id` is its
    multipack, case, bundle, refurbished one or accessory. Of variants, the smaller id stands first.
    """

    offer_id: str
    other_offer_id: str
    kind: RelationKind


_KINDS = (
    RelationKind.CASE,
    RelationKind.REFURBISHED,
    RelationKind.ACCESSORY,
    RelationKind.BUNDLE,
    RelationKind.MULTIPACK,
    RelationKind.VARIANT,
)


def relations_between(
    catalogue: PreparedCatalogue, pairs: CandidatePairs, numbers: Integers
) -> tuple[Relation, ...]:
    """One relation for each two clusters (`numbers` by position) and kind, by its most alike pair of offers.

    Variants are also what a store lists in one item group, alike or not.
    """
    left, right = _group_pairs(catalogue)
    left = np.concatenate([left, pairs.left, pairs.alike_left])
    right = np.concatenate([right, pairs.right, pairs.alike_right])
    apart = numbers[left] != numbers[right]
    left, right = left[apart], right[apart]
    cases = _case_units(catalogue)
    found: dict[tuple[int, int, int], tuple[float, int, int]] = {}
    for start in range(0, len(left), _PAIRS_AT_ONCE):
        one, other = left[start : start + _PAIRS_AT_ONCE], right[start : start + _PAIRS_AT_ONCE]
        kind, turned, likeness = _kinds(catalogue, cases, one, other)
        for row in np.flatnonzero(kind >= 0).tolist():
            plain, special = int(one[row]), int(other[row])
            if turned[row]:
                plain, special = special, plain
            first, second = int(numbers[plain]), int(numbers[special])
            if _KINDS[kind[row]] is RelationKind.VARIANT:
                first, second = min(first, second), max(first, second)
            key = (first, second, int(kind[row]))
            best = (-float(likeness[row]), plain, special)
            if key not in found or best < found[key]:
                found[key] = best
    ids = catalogue.offer_ids
    return tuple(
        Relation(ids[plain], ids[special], _KINDS[kind])
        for (_, _, kind), (_, plain, special) in sorted(found.items())
    )


def _kinds(
    catalogue: PreparedCatalogue, cases: Integers, left: Integers, right: Integers
) -> tuple[Integers, npt.NDArray[np.bool_], npt.NDArray[np.float32]]:
    """For each pair the number of its kind (-1: none), whether the right one is the plain one, and likeness."""
    likeness = _shared(catalogue.words, left, right)
    alike = likeness >= _ALIKE
    codes_one, codes_other = catalogue.codes[left], catalogue.codes[right]
    shared_code = np.asarray(codes_one.multiply(codes_other) @ catalogue.code_relations.rare).ravel() > 0
    both_coded = (np.diff(codes_one.indptr) > 0) & (np.diff(codes_other.indptr) > 0)
    akin = (shared_code & (likeness >= _ALIKE / 2)) | (alike & ~both_coded)
    brands = _shared(catalogue.brand_words, left, right) > 0
    unknown = np.minimum(*(np.diff(catalogue.brand_words[end].indptr) for end in (left, right))) == 0
    same_brand = brands | unknown
    bundle = catalogue.bundle == 1
    group = (catalogue.item_group[left] >= 0) & (catalogue.item_group[left] == catalogue.item_group[right])
    case = (cases[left] >= 0) & (cases[left] == catalogue.gtin[right])
    case_turned = (cases[right] >= 0) & (cases[right] == catalogue.gtin[left])
    used_one, used_other = catalogue.refurbished[left], catalogue.refurbished[right]
    accessory_one, accessory_other = catalogue.accessory[left], catalogue.accessory[right]
    pack_one, pack_other = catalogue.pack[left], catalogue.pack[right]
    region_one, region_other = catalogue.region[left], catalogue.region[right]
    differing = (region_one >= 0) & (region_other >= 0) & (region_one != region_other)
    differing |= _conflict(catalogue.colours, left, right) | _conflict_in_measures(catalogue, left, right)
    chosen = [
        (case | case_turned, 0, case),
        (akin & same_brand & (used_one != used_other), 1, used_one),
        (shared_code & (accessory_one != accessory_other), 2, accessory_one),
        (akin & same_brand & (bundle[left] != bundle[right]), 3, bundle[left]),
        (akin & same_brand & (pack_one != pack_other), 4, pack_one > pack_other),
        (group | (alike & brands & differing), 5, left > right),
    ]
    kind = np.select([condition for condition, _, _ in chosen], [number for _, number, _ in chosen], -1)
    turned = np.select([condition for condition, _, _ in chosen], [turn for _, _, turn in chosen], False)
    return kind.astype(np.int64), turned.astype(bool), likeness


def _group_pairs(catalogue: PreparedCatalogue) -> tuple[Integers, Integers]:
    """The first offer of each item group beside each other one of it."""
    known = np.flatnonzero(catalogue.item_group >= 0)
    group = catalogue.item_group[known]
    first = {int(number): int(index) for number, index in zip(group[::-1], known[::-1], strict=True)}
    heads = np.array([first[int(number)] for number in group], dtype=np.int64)
    other = heads != known
    return heads[other], known[other]


def _case_units(catalogue: PreparedCatalogue) -> Integers:
    """For each offer whose bar code is that of a case (GTIN-14, indicator 1 to 8), its unit's `gtin` number."""
    codes = [gtin.zfill(14) for gtin in catalogue.columns.gtins.names if gtin]
    number_of = {code: number for number, code in enumerate(codes)}
    units = [
        number_of.get(_with_check_digit("0" + code[1:13]), -1) if code[0] in "12345678" else -1
        for code in codes
    ]
    # Offers without a bar code have the number -1, and so the last one's unit: none.
    return np.array([*units, -1], dtype=np.int64)[catalogue.gtin]


def _with_check_digit(digits: str) -> str:
    """GS1's check digit (General Specifications, section 7.9) behind 13 digits."""
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(digits))
    return digits + str(-total % 10)


def _conflict(matrix: sparse.csr_matrix, left: Integers, right: Integers) -> npt.NDArray[np.bool_]:
    """Both sides name something and nothing is common."""
    both = (np.diff(matrix[left].indptr) > 0) & (np.diff(matrix[right].indptr) > 0)
    conflict: npt.NDArray[np.bool_] = both & (_shared(matrix, left, right) == 0)
    return conflict


def _conflict_in_measures(
    catalogue: PreparedCatalogue, left: Integers, right: Integers
) -> npt.NDArray[np.bool_]:
    """A dimension that both measure and in which no value agrees."""
    one, other = catalogue.measures[left], catalogue.measures[right]
    dimension = catalogue.measure_dimension
    agreeing = (one.multiply(other) @ dimension).minimum(1)
    both = (one @ dimension).minimum(1).multiply((other @ dimension).minimum(1))
    conflict: npt.NDArray[np.bool_] = np.asarray((both - agreeing).sum(axis=1)).ravel() > 0
    return conflict


def _shared(matrix: sparse.csr_matrix, left: Integers, right: Integers) -> npt.NDArray[np.float32]:
    return np.asarray(matrix[left].multiply(matrix[right]).sum(axis=1), dtype=np.float32).ravel()
