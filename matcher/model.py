"""The model: a weight for each level of each comparison, read from a file that a person can read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from aggregator.domain.errors import InvalidInput
from matcher.comparison import COMPARISONS, Comparison, Levels
from matcher.context import CONTEXT_COMPARISONS, Scores
from matcher.features import PAIR_FEATURES, Features
from matcher.preparation import Flags
from matcher.safety import (
    CONTESTED_FROM,
    LEAST_IF_IDENTIFIED,
    is_first_choice,
    is_identified,
    is_safe,
)
from matcher.standing import CLAIM_FEATURES, STANDING_FEATURES
from matcher.trees import Forest

ALL_COMPARISONS: tuple[Comparison, ...] = (*COMPARISONS, *CONTEXT_COMPARISONS)
FEATURES: tuple[str, ...] = (*PAIR_FEATURES, *CLAIM_FEATURES, *STANDING_FEATURES)
FIRST_OF_STANDING = len(FEATURES) - len(STANDING_FEATURES)
_JUST_BELOW = 0.05  # log-odds
_FAR_BELOW = 4.0  # log-odds
SHIPPED_MODEL = Path(__file__).with_name("model.json")

Weights = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class MatchModel:
    """Additive log-odds: probability = logistic(prior + weights of the pair's levels + its leaves of two forests).

    `ranking` weighs the levels without context: a first opinion, from which follows how a pair stands among its
    rivals. The forest `standing` sees that alone, the forest `whole` every feature. `automatic` and `doubtful`
    are probabilities: pairs of clusters whose mean
    log-odds reach the first are merged, from the second on they are doubtful.
    """

    version: str
    prior: float
    weights: Weights
    ranking: Weights
    ranking_prior: float
    standing: Forest
    whole: Forest
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
                ranking_prior=float(value["ranking_prior"]),
                standing=Forest(STANDING_FEATURES, tuple(value["trees"]["standing"])),
                whole=Forest(FEATURES, tuple(value["trees"]["whole"])),
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

    def with_version(self, version: str) -> MatchModel:
        return replace(self, version=version)

    def save(self, path: Path | str) -> None:
        Path(path).write_text(self.to_text(), encoding="utf-8")

    def to_text(self) -> str:
        """The model as indented JSON, one tree a line."""
        value: dict[str, Any] = {
            "version": self.version,
            "trained_on": list(self.trained_on),
            "thresholds": {"automatic": self.automatic, "doubtful": self.doubtful},
            "prior": self.prior,
            "weights": self.weights,
            "ranking_prior": self.ranking_prior,
            "ranking": self.ranking,
        }
        forests = ",\n".join(
            f'    "{name}": [\n'
            + ",\n".join(f"      {json.dumps(tree)}" for tree in forest.trees)
            + "\n    ]"
            for name, forest in (("standing", self.standing), ("whole", self.whole))
        )
        return json.dumps(value, indent=2)[:-2] + ',\n  "trees": {\n' + forests + "\n  }\n}\n"

    def score(self, levels: Levels, features: Features) -> Scores:
        """Log-odds of pairs by their levels (pairs x ALL_COMPARISONS) and features (pairs x FEATURES)."""
        forests = self.forest_values(features)
        weights = _summed(self.weights, ALL_COMPARISONS, levels)
        return self.prior + weights + forests["standing"] + forests["whole"]

    def cautious(self, scores: Scores, levels: Levels, features: Features) -> Scores:
        """Log-odds for merging without a person, to be held against `automatic`.

        Pairs that share an identifier or a rare model code reach it from `matcher.safety.LEAST_IF_IDENTIFIED` on.
        Pairs that `matcher.safety` forbids are no more than doubtful, however high. Pairs that both have better
        fits stay just below `automatic`: they follow these fits into a cluster and never tie two clusters alone,
        for each of two sister products has its own wording in several stores. Both at once is what look-alikes
        are: far below doubt.
        """
        automatic = log_odds(self.automatic)
        lifted = scores + (automatic - log_odds(LEAST_IF_IDENTIFIED)) * is_identified(levels)
        first, safe = is_first_choice(levels, features), is_safe(levels, features, probability_of(scores))
        most = np.where(first, np.inf, automatic - _JUST_BELOW)
        most[~safe] = log_odds(self.doubtful)
        most[~safe & ~first] = log_odds(self.doubtful) - _FAR_BELOW
        return np.minimum(lifted, most)

    def uncontested(self, cautious: Scores, identified: Flags, taken: Scores) -> Scores:
        """`cautious` scores, no more than doubtful where rivals of the same store claim one of the two as well and
        nothing identifies the pair; `taken` is what rivals take, in log-odds."""
        in_question = ~identified & (taken >= CONTESTED_FROM)
        return np.where(in_question, np.minimum(cautious, log_odds(self.doubtful)), cautious)

    def forest_values(self, features: Features) -> dict[str, Scores]:
        """What each forest adds to the log-odds of pairs (pairs x FEATURES)."""
        return {
            "standing": self.standing.values(features[:, FIRST_OF_STANDING:]),
            "whole": self.whole.values(features),
        }

    def rank(self, levels: Levels) -> Scores:
        """Ranking score of pairs, log-odds too, from their levels without context (pairs x COMPARISONS)."""
        return self.ranking_prior + _summed(self.ranking, COMPARISONS, levels)

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
