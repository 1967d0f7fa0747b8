"""The model: a weight for each level of each comparison, read from a file that a person can read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from aggregator.domain.errors import InvalidInput
from matcher.comparison import COMPARISONS, Comparison, Levels
from matcher.context import CONTEXT_COMPARISONS, Scores

ALL_COMPARISONS: tuple[Comparison, ...] = (*COMPARISONS, *CONTEXT_COMPARISONS)
SHIPPED_MODEL = Path(__file__).with_name("model.json")

Weights = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class MatchModel:
    """Additive log-odds: probability = logistic(prior + sum of the weights of a pair's levels).

    `ranking` weighs the same levels without context; only differences of its sums are used, to tell how a
    pair stands among its rivals. `automatic` and `doubtful` are probabilities: pairs of clusters whose mean
    log-odds reach the first are merged, from the second on they are doubtful.
    """

    version: str
    prior: float
    weights: Weights
    ranking: Weights
    automatic: float
    doubtful: float
    trained_on: tuple[str, ...] = ()

    @classmethod
    def load(cls, path: Path | str = SHIPPED_MODEL) -> Self:
        """Read a model file. Raises InvalidInput for a missing file or one that is not a whole model."""
        try:
            value = json.loads(Path(path).read_text(encoding="utf-8"))
            model = cls(
                version=value["version"],
                prior=float(value["prior"]),
                weights=_checked(value["weights"], ALL_COMPARISONS),
                ranking=_checked(value["ranking"], COMPARISONS),
                automatic=float(value["thresholds"]["automatic"]),
                doubtful=float(value["thresholds"]["doubtful"]),
                trained_on=tuple(value.get("trained_on", ())),
            )
        except OSError as error:
            raise InvalidInput(
                "the model cannot be read", place=str(path), remedy=str(error.strerror)
            ) from error
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidInput(
                f"not a whole model ({error})",
                place=str(path),
                remedy="train one with `click2cart match train`",
            ) from error
        if not 0 < model.doubtful <= model.automatic < 1:
            raise InvalidInput("thresholds must be 0 < doubtful <= automatic < 1", place=str(path))
        return model

    def save(self, path: Path | str) -> None:
        """Write the model as indented JSON with rounded weights."""
        value: dict[str, Any] = {
            "version": self.version,
            "trained_on": list(self.trained_on),
            "thresholds": {"automatic": self.automatic, "doubtful": self.doubtful},
            "prior": self.prior,
            "weights": self.weights,
            "ranking": self.ranking,
        }
        Path(path).write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")

    def score(self, levels: Levels) -> Scores:
        """Log-odds of pairs from their levels in all comparisons (pairs x ALL_COMPARISONS)."""
        return self.prior + _summed(self.weights, ALL_COMPARISONS, levels)

    def rank(self, levels: Levels) -> Scores:
        """Ranking score of pairs from their levels without context (pairs x COMPARISONS)."""
        return _summed(self.ranking, COMPARISONS, levels)

    def weight(self, comparison: str, level: str) -> float:
        return self.weights[comparison][level]


def log_odds(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))


def probability_of(scores: Scores) -> Scores:
    """Logistic function, safe for any log-odds."""
    return np.asarray(0.5 * (1 + np.tanh(np.asarray(scores) / 2)), dtype=np.float64)


def _summed(weights: Weights, comparisons: tuple[Comparison, ...], levels: Levels) -> Scores:
    total = np.zeros(len(levels), dtype=np.float64)
    for column, comparison in enumerate(comparisons):
        table = np.array([weights[comparison.name][level] for level in comparison.levels])
        total += table[levels[:, column]]
    return total


def _checked(value: Any, comparisons: tuple[Comparison, ...]) -> Weights:
    return {
        comparison.name: {level: float(value[comparison.name][level]) for level in comparison.levels}
        for comparison in comparisons
    }
