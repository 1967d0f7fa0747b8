"""Why two offers are taken for one product or not: each comparison's level, weight and sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from aggregator.domain.identifiers import compact_code, read_gtin, shown_gtin
from aggregator.domain.products import Evidence
from matcher.comparison import Levels
from matcher.features import Features
from matcher.model import ALL_COMPARISONS, MatchModel, probability_of
from matcher.preparation import Integers, PreparedCatalogue
from matcher.safety import is_safe

__all__ = ["Evidence", "explain", "explain_all"]

_LONGEST_QUOTE = 60
_CAUTION = "Too little speaks for it, or something speaks against it, to merge them without a person."


# What each forest adds is one line: for, or against.
_FOREST_SENTENCES = {
    "standing": {
        "for": "They stand out: few other offers compared here fit either of them as well.",
        "against": "They do not stand out: other offers compared here fit them as well, or better.",
    },
    "whole": {
        "for": "What the titles share and leave over, taken together, is usual for one product.",
        "against": "What the titles share and leave over, taken together, is usual for two products.",
    },
}


def explain(
    catalogue: PreparedCatalogue, model: MatchModel, left: int, right: int, levels: Levels, features: Features
) -> tuple[Evidence, ...]:
    """Evidence for the pair at two positions, strongest first, the prior last; weights add up to its log-odds.

    `levels` and `features` are the pair's rows (ALL_COMPARISONS, FEATURES). What weighs nothing is left out.
    """
    return next(
        explain_all(
            catalogue, model, np.array([left]), np.array([right]), levels[np.newaxis], features[np.newaxis]
        )
    )


def explain_all(
    catalogue: PreparedCatalogue,
    model: MatchModel,
    left: Integers,
    right: Integers,
    levels: Levels,
    features: Features,
) -> Iterator[tuple[Evidence, ...]]:
    """As `explain`, for many pairs: what needs arithmetic is worked out for all of them at once."""
    leaves = {name: values.tolist() for name, values in model.forest_values(features).items()}
    safe = is_safe(levels, features, probability_of(model.score(levels, features))).tolist()
    prior = Evidence("prior", "compared_pair", model.prior, "Few of all pairs compared are one product.")
    pairs = zip(left.tolist(), right.tolist(), levels.tolist(), strict=True)
    for number, (one, other, numbers) in enumerate(pairs):
        found = []
        for name, values in leaves.items():
            if weight := round(values[number], 12):
                level = "against" if weight < 0 else "for"
                found.append(Evidence(name, level, weight, _FOREST_SENTENCES[name][level]))
        found += _from_levels(catalogue, model, one, other, numbers)
        found.sort(key=lambda evidence: (-abs(evidence.weight), evidence.comparison))
        if not safe[number]:
            found.append(Evidence("caution", "person_decides", 0.0, _CAUTION))
        yield (*found, prior)


def _from_levels(
    catalogue: PreparedCatalogue, model: MatchModel, left: int, right: int, levels: Sequence[int]
) -> Iterator[Evidence]:
    for comparison, number in zip(ALL_COMPARISONS, levels, strict=True):
        level = comparison.level_names[number]
        weight = model.weight(comparison.name, level)
        if weight:
            one, other = _said_by_both(catalogue, comparison.name, left, right)
            sentence = comparison.levels[level].format(
                shared=_quoted(one & other), left=_quoted(one - other), right=_quoted(other - one)
            )
            yield Evidence(comparison.name, level, weight, sentence)


def _quoted(values: set[str]) -> str:
    text = ", ".join(sorted(values))
    return text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "…"


def _said_by_both(
    catalogue: PreparedCatalogue, comparison: str, left: int, right: int
) -> tuple[set[str], set[str]]:
    if comparison not in {"rarest_shared_word", "rarest_unmatched_word"}:
        return _said(catalogue, comparison, left), _said(catalogue, comparison, right)
    one, other = (set(catalogue.reading(position).words) for position in (left, right))
    counts = catalogue.statistics.word_counts
    if comparison == "rarest_shared_word":
        shared = _rarest(one & other, counts)
        return shared, shared
    return _rarest(one - other, counts), _rarest(other - one, counts)


def _rarest(words: set[str], counts: Mapping[str, int]) -> set[str]:
    """The rarest word, of several the one that looks most like a name: with digits, then longest."""

    def order(word: str) -> tuple[int, bool, int, str]:
        return counts.get(word, 0), not any(sign.isdigit() for sign in word), -len(word), word

    return set(sorted(words, key=order)[:1])


def _said(catalogue: PreparedCatalogue, comparison: str, position: int) -> set[str]:
    """What one offer says in a comparison, as its sentences quote it."""
    record, reading = catalogue.records[position], catalogue.reading(position)
    match comparison:
        case "gtin":
            gtin = read_gtin(record.gtin)
            return {shown_gtin(gtin)} if gtin else set()
        case "part_number":
            return {compact_code(record.mpn)} - {""}
        case "model_code":
            return {catalogue.code_names[column].upper() for column in catalogue.codes[position].indices}
        case "brand":
            brand = catalogue.columns.brands.names[catalogue.columns.brands.numbers[position]]
            return {brand.title()} if brand else set()
        case "measure":
            return {f"{value} {dimension}" for dimension, value in reading.measures}
        case "number":
            return set(reading.numbers)
        case "colour":
            return set(reading.colours)
        case "edition":
            return set(reading.editions)
        case "pack":
            return {str(reading.pack)}
        case "variant":
            return {f"{name}: {value}" for name, value in record.variant_attributes}
        case _:
            return set()
