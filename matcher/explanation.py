"""Why two offers are taken for one product or not: each comparison's level, weight and sentence."""

from __future__ import annotations

from aggregator.domain.identifiers import compact_code, read_gtin, shown_gtin
from aggregator.domain.products import Evidence
from matcher.comparison import Levels
from matcher.model import ALL_COMPARISONS, MatchModel
from matcher.preparation import PreparedCatalogue

__all__ = ["Evidence", "explain"]

_LONGEST_QUOTE = 60


def explain(
    catalogue: PreparedCatalogue, model: MatchModel, left: int, right: int, levels: Levels
) -> tuple[Evidence, ...]:
    """Evidence for the pair at two positions, strongest first, the prior last; weights add up to its log-odds.

    `levels` is the pair's row (ALL_COMPARISONS). Comparisons that weigh nothing here are left out.
    """
    found = []
    for comparison, number in zip(ALL_COMPARISONS, levels.tolist(), strict=True):
        level = comparison.level_names[number]
        weight = model.weight(comparison.name, level)
        if weight:
            one, other = (_said(catalogue, comparison.name, position) for position in (left, right))
            sentence = comparison.levels[level].format(
                shared=_quoted(one & other), left=_quoted(one - other), right=_quoted(other - one)
            )
            found.append(Evidence(comparison.name, level, weight, sentence))
    found.sort(key=lambda evidence: (-abs(evidence.weight), evidence.comparison))
    return (
        *found,
        Evidence("prior", "compared_pair", model.prior, "Few of all pairs compared are one product."),
    )


def _quoted(values: set[str]) -> str:
    text = ", ".join(sorted(values))
    return text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "…"


def _said(catalogue: PreparedCatalogue, comparison: str, position: int) -> set[str]:
    """What one offer says in a comparison, as its sentences quote it."""
    record, reading = catalogue.records[position], catalogue.readings[position]
    match comparison:
        case "gtin":
            gtin = read_gtin(record.gtin)
            return {shown_gtin(gtin)} if gtin else set()
        case "part_number":
            return {compact_code(record.mpn)} - {""}
        case "model_code":
            return {catalogue.code_names[column].upper() for column in catalogue.codes[position].indices}
        case "brand":
            return {catalogue.brands[position].title()} if catalogue.brands[position] else set()
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
