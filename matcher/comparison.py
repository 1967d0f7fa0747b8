"""Comparisons and their named levels: what two offers agree and disagree in, for many pairs at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from matcher.preparation import Flags, Floats, Integers, PreparedCatalogue

Levels = npt.NDArray[np.int8]

_CHUNK = 100_000


@dataclass(frozen=True, slots=True)
class Comparison:
    """One thing two offers are compared in. `levels` maps each level to its sentence in plain words.

    `neutral` is the level that says nothing: its weight is zero by definition. A sentence may hold {shared},
    {left} and {right}, which are filled in with what the two offers say. Weights keep common sense whatever
    the training data hold: those of `speaks_for` are never below zero, those of `speaks_against` never above,
    and where `ordered` is 1 (-1) they never fall (rise) from one level to the next.
    """

    name: str
    neutral: str
    levels: Mapping[str, str]
    assess: Callable[[PreparedCatalogue, Integers, Integers], Levels] | None = None
    speaks_for: tuple[str, ...] = ()
    speaks_against: tuple[str, ...] = ()
    ordered: int = 0

    @property
    def level_names(self) -> list[str]:
        return list(self.levels)


def shared_amount(left: sparse.csr_matrix, right: sparse.csr_matrix) -> Floats:
    """Row by row sum of products of two matrices of one shape."""
    return np.asarray(left.multiply(right).sum(axis=1), dtype=np.float32).ravel()


def _sum(matrix: sparse.csr_matrix) -> Floats:
    return np.asarray(matrix.sum(axis=1), dtype=np.float32).ravel()


def _choose(*cases: tuple[Flags, int], otherwise: int) -> Levels:
    """The level of the first case that holds."""
    levels: Levels = np.select([case for case, _ in cases], [level for _, level in cases], otherwise).astype(
        np.int8
    )
    return levels


def _bands(values: npt.NDArray[Any], edges: list[float]) -> Levels:
    levels: Levels = np.digitize(values, edges).astype(np.int8)
    return levels


def _sets_compared(
    matrix: sparse.csr_matrix, left: Integers, right: Integers
) -> tuple[Floats, Floats, Floats]:
    """Sizes of the common part and of each side's rest."""
    one, other = matrix[left], matrix[right]
    common = shared_amount(one, other)
    return common, _sum(one) - common, _sum(other) - common


def _gtin(catalogue: PreparedCatalogue, left: Integers, right: Integers) -> Levels:
    one, other = catalogue.gtin[left], catalogue.gtin[right]
    return _choose(((one < 0) | (other < 0), 2), (one == other, 0), otherwise=1)


def _part_number(catalogue: PreparedCatalogue, left: Integers, right: Integers) -> Levels:
    one, other = catalogue.mpn[left], catalogue.mpn[right]
    return _choose(((one < 0) | (other < 0), 2), (one == other, 0), otherwise=1)


def _model_code(catalogue: PreparedCatalogue, left: Integers, right: Integers) -> Levels:
    relations = catalogue.code_relations
    common = common_codes(catalogue, left, right)
    one, other = catalogue.specific_codes[left], catalogue.specific_codes[right]
    shared = _sum(common)
    rest_one, rest_other = (_sum(specific) > shared_amount(specific, common) for specific in (one, other))
    rare = np.asarray(common @ relations.rare).ravel() > 0
    return _choose(
        ((_sum(one) == 0) & (_sum(other) == 0), 11),
        ((_sum(one) == 0) | (_sum(other) == 0), 10),
        (rare & ~rest_one & ~rest_other, 0),
        (rare & ~(rest_one & rest_other), 1),
        (rare, 2),
        (shared_amount((one @ relations.contains).tocsr(), other) > 0, 3),
        ((shared > 0) & ~(rest_one & rest_other), 4),
        (shared > 0, 5),
        (_alike(one, other, relations.bases), 6),
        (_alike(one, other, relations.stems), 7),
        (~_alike(one, other, relations.kinds), 9),
        otherwise=8,
    )


def common_codes(catalogue: PreparedCatalogue, left: Integers, right: Integers) -> sparse.csr_matrix:
    """Codes that both offers of each pair name, and that in neither or one of them are only a part of another."""
    specific_one, specific_other = catalogue.specific_codes[left], catalogue.specific_codes[right]
    both = catalogue.codes[left].multiply(catalogue.codes[right])
    return both.multiply((specific_one + specific_other) > 0).tocsr()


def _alike(one: sparse.csr_matrix, other: sparse.csr_matrix, relation: sparse.csr_matrix) -> Flags:
    """Whether codes of both fall under one column of the relation."""
    return shared_amount((one @ relation).tocsr(), (other @ relation).tocsr()) > 0


def _title_letters(catalogue: PreparedCatalogue, left: Integers, right: Integers) -> Levels:
    return _bands(
        shared_amount(catalogue.grams[left], catalogue.grams[right]),
        [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.92],
    )


def _rarest_word(catalogue: PreparedCatalogue, left: Integers, right: Integers) -> Levels:
    """How rare the rarest unmatched word of the side is that has the less rare one."""
    one, other = catalogue.word_rarity[left], catalogue.word_rarity[right]
    alone_one = (one - one.multiply(other > 0)).max(axis=1).toarray().ravel()
    alone_other = (other - other.multiply(one > 0)).max(axis=1).toarray().ravel()
    rarity = np.minimum(alone_one, alone_other) / np.log(catalogue.statistics.offers + 1)
    return _bands(rarity, [0.001, 0.3, 0.45, 0.6, 0.75, 0.88])


def _rarest_shared_word(catalogue: PreparedCatalogue, left: Integers, right: Integers) -> Levels:
    common = catalogue.word_rarity[left].minimum(catalogue.word_rarity[right])
    rarity = common.max(axis=1).toarray().ravel() / np.log(catalogue.statistics.offers + 1)
    return _bands(rarity, [0.2, 0.4, 0.55, 0.7, 0.85])


def _measure(catalogue: PreparedCatalogue, left: Integers, right: Integers) -> Levels:
    one, other = catalogue.measures[left], catalogue.measures[right]
    dimension = catalogue.measure_dimension
    common = one.multiply(other)
    agreeing = (common @ dimension).minimum(1)
    both = (one @ dimension).minimum(1).multiply((other @ dimension).minimum(1))
    # "1.77 m x 55 cm" and "1.77 m x 65 cm" agree in one length and differ in another.
    rest_one, rest_other = (((side - common) @ dimension).minimum(1).tocsr() for side in (one, other))
    differing = shared_amount(rest_one, rest_other) > 0
    agreed, compared = _sum(agreeing.tocsr()), _sum(both.tocsr())
    return _choose(
        (compared == 0, 4),
        (~differing & (agreed > 1), 0),
        (~differing, 1),
        (agreed > 0, 2),
        otherwise=3,
    )


def _number(catalogue: PreparedCatalogue, left: Integers, right: Integers) -> Levels:
    common, one, other = _sets_compared(catalogue.numbers, left, right)
    return _choose(
        ((common == 0) & (one == 0) & (other == 0), 6),
        ((common > 1) & ((one == 0) | (other == 0)), 0),
        ((common == 1) & ((one == 0) | (other == 0)), 1),
        (common > 0, 2),
        ((one > 0) & (other > 0), 3),
        ((one > 1) | (other > 1), 5),
        otherwise=4,
    )


def _brand(catalogue: PreparedCatalogue, left: Integers, right: Integers) -> Levels:
    common, one, other = _sets_compared(catalogue.brand_words, left, right)
    return _choose((common > 0, 0), ((one > 0) & (other > 0), 1), otherwise=2)


def _choice_levels(matrix: sparse.csr_matrix, left: Integers, right: Integers) -> Levels:
    common, one, other = _sets_compared(matrix, left, right)
    return _choose(
        ((common == 0) & (one == 0) & (other == 0), 4),
        ((one == 0) & (other == 0), 0),
        ((common > 0) & ((one == 0) | (other == 0)), 1),
        ((one > 0) & (other > 0), 2),
        otherwise=3,
    )


def _colour(catalogue: PreparedCatalogue, left: Integers, right: Integers) -> Levels:
    return _choice_levels(catalogue.colours, left, right)


def _edition(catalogue: PreparedCatalogue, left: Integers, right: Integers) -> Levels:
    return _choice_levels(catalogue.editions, left, right)


def _pack(catalogue: PreparedCatalogue, left: Integers, right: Integers) -> Levels:
    one, other = catalogue.pack[left], catalogue.pack[right]
    return _choose(((one == 1) & (other == 1), 2), (one == other, 0), otherwise=1)


def _condition(catalogue: PreparedCatalogue, left: Integers, right: Integers) -> Levels:
    return _choose((catalogue.refurbished[left] != catalogue.refurbished[right], 0), otherwise=1)


def _accessory(catalogue: PreparedCatalogue, left: Integers, right: Integers) -> Levels:
    one, other = catalogue.accessory[left], catalogue.accessory[right]
    return _choose((one & other, 0), (one != other, 1), otherwise=2)


def _price(catalogue: PreparedCatalogue, left: Integers, right: Integers) -> Levels:
    one, other = catalogue.price[left], catalogue.price[right]
    known = (one > 0) & (other > 0) & (catalogue.currency[left] == catalogue.currency[right])
    ratio = np.maximum(one, other) / np.maximum(np.minimum(one, other), 0.01)
    return _choose((~known, 4), (ratio <= 1.1, 0), (ratio <= 1.5, 1), (ratio <= 2.5, 2), otherwise=3)


def _variant(catalogue: PreparedCatalogue, left: Integers, right: Integers) -> Levels:
    values = catalogue.variant_values[left].multiply(catalogue.variant_values[right])
    agreed = _sum((values @ catalogue.variant_name_of_value).tocsr())
    compared = shared_amount(catalogue.variant_names[left], catalogue.variant_names[right])
    group_one, group_other = catalogue.item_group[left], catalogue.item_group[right]
    return _choose(
        ((group_one >= 0) & (group_one == group_other), 2),
        (compared == 0, 3),
        (agreed == compared, 0),
        otherwise=1,
    )


def _percent_bands(edges: list[float], what: str) -> dict[str, str]:
    """Level names "below_20", "from_20", ... with one sentence each."""
    cents = [round(edge * 100) for edge in edges]
    levels = {f"below_{cents[0]}": f"{what}: less than {cents[0]} %."}
    for low, high in zip(cents, [*cents[1:], 100], strict=True):
        levels[f"from_{low}"] = f"{what}: {low} to {high} %."
    return levels


# In the order in which people ask. The levels' order is the order of the numbers that `assess` returns.
COMPARISONS: tuple[Comparison, ...] = (
    Comparison(
        "gtin",
        "missing",
        {
            "equal": "Both carry the bar code {shared}.",
            "different": "They carry different bar codes: {left} and {right}.",
            "missing": "At least one of them carries no valid bar code.",
        },
        _gtin,
        speaks_for=("equal",),
        speaks_against=("different",),
    ),
    Comparison(
        "part_number",
        "missing",
        {
            "equal": "Both state the manufacturer's part number {shared}.",
            "different": "They state different part numbers: {left} and {right}.",
            "missing": "At least one of them states no part number.",
        },
        _part_number,
        speaks_for=("equal",),
        speaks_against=("different",),
    ),
    Comparison(
        "model_code",
        "both_missing",
        {
            "equal": "Both name the model code {shared}, and no other.",
            "equal_and_more": "Both name the model code {shared}; one of them names more.",
            "equal_and_different": "Both name the model code {shared}, but each also names others: {left} and {right}.",
            "one_contains_other": "One model code is a part of the other: {left} and {right}.",
            "common_only": "They share only a code that many offers carry: {shared}.",
            "common_and_different": "They share a common code ({shared}) and differ in others: {left} and {right}.",
            "other_ending": "They name one model code with different endings: {left} and {right}.",
            "alike_but_different": "They name model codes that begin alike and end differently: {left} and {right}.",
            "conflict": "They name different model codes: {left} and {right}.",
            "other_kind": "One names a code of letters and digits, the other one of digits alone: {left} and {right}.",
            "one_missing": "Only one of them names a model code: {left}{right}.",
            "both_missing": "Neither names a model code.",
        },
        _model_code,
        speaks_for=("equal", "equal_and_more", "equal_and_different", "one_contains_other"),
        speaks_against=("alike_but_different", "conflict"),
    ),
    Comparison(
        "brand",
        "unknown",
        {
            "equal": "The same brand: {shared}.",
            "different": "Different brands: {left} and {right}.",
            "unknown": "The brand of at least one is not known.",
        },
        _brand,
        speaks_for=("equal",),
        speaks_against=("different",),
    ),
    Comparison(
        "title_letters",
        "from_40",
        _percent_bands(
            [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.92], "How alike the titles are, letter by letter"
        ),
        _title_letters,
        ordered=1,
    ),
    Comparison(
        "rarest_unmatched_word",
        "from_45",
        {
            "below_0": "All words of one title are in the other.",
            **dict.fromkeys(
                ("from_0", "from_30", "from_45"),
                "Each title has words that the other lacks, common ones: {left}; {right}.",
            ),
            **dict.fromkeys(
                ("from_60", "from_75", "from_88"),
                "Each title has a rarer word that the other lacks: {left}; {right}.",
            ),
        },
        _rarest_word,
        ordered=-1,
    ),
    Comparison(
        "rarest_shared_word",
        "from_40",
        {
            "below_20": "The titles share no word that says much.",
            "from_20": "The titles share only words that many offers have, such as {shared}.",
            "from_40": "The rarest word that both titles have is {shared}.",
            "from_55": "Both titles have the word {shared}, which few offers have.",
            "from_70": "Both titles have the rare word {shared}.",
            "from_85": "Both titles have the very rare word {shared}.",
        },
        _rarest_shared_word,
        ordered=1,
    ),
    Comparison(
        "measure",
        "none",
        {
            "several_agree": "Several measures agree: {shared}.",
            "agree": "A measure agrees: {shared}.",
            "some_agree": "Some measures agree ({shared}), others do not: {left} and {right}.",
            "conflict": "Measures differ: {left} and {right}.",
            "none": "There is no measure that both state.",
        },
        _measure,
        speaks_for=("several_agree", "agree"),
        speaks_against=("conflict",),
    ),
    Comparison(
        "number",
        "none",
        {
            "several_agree": "Several numbers agree: {shared}.",
            "agree": "A number agrees: {shared}.",
            "some_agree": "Some numbers agree ({shared}), others do not: {left} and {right}.",
            "conflict": "Numbers differ: {left} and {right}.",
            "one_sided": "Only one title holds a number: {left}{right}.",
            "several_one_sided": "Only one title holds numbers: {left}{right}.",
            "none": "Neither title holds a number.",
        },
        _number,
        speaks_for=("several_agree", "agree"),
        speaks_against=("conflict", "one_sided", "several_one_sided"),
    ),
    Comparison(
        "colour",
        "none",
        {
            "equal": "The same colour: {shared}.",
            "overlap": "A colour agrees: {shared}.",
            "conflict": "Different colours: {left} and {right}.",
            "one_sided": "Only one title names a colour: {left}{right}.",
            "none": "Neither title names a colour.",
        },
        _colour,
        speaks_for=("equal", "overlap"),
        speaks_against=("conflict", "one_sided"),
    ),
    Comparison(
        "edition",
        "none",
        {
            "equal": "The same edition words: {shared}.",
            "overlap": "Edition words agree in part: {shared}.",
            "conflict": "Different edition words: {left} and {right}.",
            "one_sided": "Only one title has an edition word: {left}{right}.",
            "none": "Neither title has an edition word.",
        },
        _edition,
        speaks_for=("equal", "overlap"),
        speaks_against=("conflict", "one_sided"),
    ),
    Comparison(
        "pack",
        "single",
        {
            "equal": "The same number in a pack: {shared}.",
            "different": "Different numbers in a pack: {left} and {right}.",
            "single": "Neither is a pack of several.",
        },
        _pack,
        speaks_for=("equal",),
        speaks_against=("different",),
    ),
    Comparison(
        "condition",
        "equal",
        {"different": "Only one of them is used or refurbished.", "equal": "The same condition."},
        _condition,
        speaks_against=("different",),
    ),
    Comparison(
        "accessory",
        "neither",
        {
            "both": "Both titles have words of an accessory.",
            "only_one": "Only one title has words of an accessory.",
            "neither": "Neither title has words of an accessory.",
        },
        _accessory,
        speaks_against=("only_one",),
    ),
    Comparison(
        "price",
        "unknown",
        {
            "near": "Their prices are within 10 % of each other.",
            "close": "One price is up to 1.5 times the other.",
            "apart": "One price is up to 2.5 times the other.",
            "far": "One price is more than 2.5 times the other.",
            "unknown": "The prices cannot be compared.",
        },
        _price,
        speaks_for=("near",),
        speaks_against=("far",),
    ),
    Comparison(
        "variant",
        "none",
        {
            "equal": "The stated variant attributes agree: {shared}.",
            "different": "The stated variant attributes differ: {left} and {right}.",
            "same_group": "Their store lists them as variants of one another.",
            "none": "There is no variant attribute that both state.",
        },
        _variant,
        speaks_for=("equal",),
        speaks_against=("different", "same_group"),
    ),
)


def compare(catalogue: PreparedCatalogue, left: Integers, right: Integers) -> Levels:
    """Levels of the pairs in every comparison: pairs x comparisons, the number of the level in each."""
    result = np.zeros((len(left), len(COMPARISONS)), dtype=np.int8)
    for start in range(0, len(left), _CHUNK):
        part = slice(start, start + _CHUNK)
        for column, comparison in enumerate(COMPARISONS):
            assert comparison.assess is not None
            result[part, column] = comparison.assess(catalogue, left[part], right[part])
    return result
