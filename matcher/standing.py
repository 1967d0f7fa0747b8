"""How a pair stands in its catalogue, in numbers: beside its rivals, beside look-alikes, among third offers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from matcher.blocking import CandidatePairs
from matcher.comparison import Levels
from matcher.context import (
    Contenders,
    Scores,
    contenders_of,
    context_levels,
    from_both_ends,
    number_of_stores,
    rival_scores,
)
from matcher.features import Features
from matcher.preparation import Integers, PreparedCatalogue
from matcher.rivals import Claims, KeptClaims

# All from ranking scores (log-odds before context). Margins are clipped to +-8; 9 stands for "none to compare with".
STANDING_FEATURES: tuple[str, ...] = (
    "ranking_score",
    "margin_in_store_low",
    "margin_in_store_high",
    "margin_overall_low",
    "margin_overall_high",
    "margin_over_look_alike_low",
    "margin_over_look_alike_high",
    "deviation_low",
    "deviation_high",
    "better_fits_low",
    "better_fits_high",
    "support",
    "best_support",
    "contradiction",
    "look_alikes_above",
    "pairs_above",
    "best_fits_above",
    "growth_below",
    "look_alikes_against_pairs",
    "stores_known",
    "partnered_share",
    "mean_best_fit",
    "spread_of_best_fits",
)

# What rivals leave of a pair (`matcher.rivals`). Only the forest that sees the pair itself can tell when that counts.
CLAIM_FEATURES: tuple[str, ...] = ("taken_by_rivals_low", "taken_by_rivals_high")

# A pair is never less likely because of more of these.
RISING_FEATURES: tuple[str, ...] = (
    "ranking_score",
    "margin_in_store_low",
    "margin_in_store_high",
    "margin_overall_low",
    "margin_overall_high",
    "margin_over_look_alike_low",
    "margin_over_look_alike_high",
)

_NONE = 9.0
_CLIP = 8.0
_CHUNK = 100_000
_GRID = np.arange(-400, 401) / 20
_LEAST_CHANCE = 0.01  # what is less likely supports nothing
_SPAN = 64.0  # wider than any clipped score, so that offers do not mix in one sorted array


@dataclass(frozen=True, slots=True)
class ScoreSpread:
    """How the ranking scores of a whole catalogue are spread: the natural logarithm of how many reach each score of a
    grid, for each offer, among candidate pairs, offers' best fits and look-alikes.

    Taken from a whole catalogue and kept, it makes an incremental run judge as the full run did.
    """

    pairs_above: Scores
    best_above: Scores
    look_alikes_above: Scores
    partnered_share: float
    mean_best: float
    deviation_of_best: float
    stores_known: bool

    @classmethod
    def of(
        cls, catalogue: PreparedCatalogue, scores: Scores, best: Scores, look_alikes: Scores
    ) -> ScoreSpread:
        """From the scores of all candidates and look-alikes, and each offer's best score."""
        offers = max(len(catalogue), 1)
        usual_look_alike = np.median(look_alikes) if len(look_alikes) else 0.0
        return cls(
            pairs_above=_logarithms_above(scores, offers),
            best_above=_logarithms_above(best, offers),
            look_alikes_above=_logarithms_above(look_alikes, offers)
            if len(look_alikes)
            else np.ones(len(_GRID)),
            partnered_share=round(float((best > usual_look_alike).sum()) / offers, 6),
            mean_best=round(float(best.mean()), 6) if len(best) else 0.0,
            deviation_of_best=round(float(best.std()), 6) if len(best) else 0.0,
            stores_known=bool((catalogue.store >= 0).mean() > 0.5)
            and not catalogue.statistics.stores_list_twice
            if len(catalogue)
            else False,
        )

    def to_json(self) -> dict[str, Any]:
        """A value that json.dumps takes."""
        return {
            field.name: value.tolist()
            if isinstance(value := getattr(self, field.name), np.ndarray)
            else value
            for field in fields(self)
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ScoreSpread:
        arrays = ("pairs_above", "best_above", "look_alikes_above")
        return cls(**{**value, **{name: np.array(value[name], dtype=np.float64) for name in arrays}})


@dataclass(frozen=True, slots=True)
class KeptRanks:
    """Pairs of positions that an earlier run ranked. Those beyond the catalogue are strangers, known only by the
    numbers of their stores, as the catalogue numbers them."""

    strangers: Integers
    left: Integers
    right: Integers
    ranks: Scores
    claims: KeptClaims


@dataclass(frozen=True, slots=True)
class Standing:
    """What the candidates' ranking scores say about each offer, beside their spread in the whole catalogue."""

    contenders: Contenders
    claims: Claims
    mean: Scores
    deviation: Scores
    sorted_fits: Scores
    first_fit: Integers
    chance: sparse.csr_matrix
    spread: ScoreSpread

    @classmethod
    def of(
        cls,
        catalogue: PreparedCatalogue,
        pairs: CandidatePairs,
        scores: Scores,
        alike_scores: Scores,
        spread: ScoreSpread | None = None,
        kept: KeptRanks | None = None,
    ) -> Standing:
        """Summarise the ranking scores of all candidates and look-alikes.

        `spread` is the whole catalogue's, where the offers given are only a part of it; `kept` are other pairs of
        these offers, that an earlier run ranked.
        """
        count, store = len(catalogue), catalogue.store
        left, right, all_scores = pairs.left, pairs.right, scores
        if kept is not None:
            store = np.concatenate([store, kept.strangers])
            left, right = np.concatenate([left, kept.left]), np.concatenate([right, kept.right])
            all_scores = np.concatenate([scores, kept.ranks])
        mean, deviation, number, sorted_fits = np.empty(count), np.empty(count), np.empty(count), []
        contenders, likely_partners = [], []
        for start, end, offer, partner, score in from_both_ends(count, left, right, all_scores):
            contenders.append(contenders_of(start, end, store, offer, partner, score))
            score = np.clip(score, -20, 20)
            place = offer - start
            number[start:end] = np.bincount(place, minlength=end - start)
            fits = np.maximum(number[start:end], 1)
            mean[start:end] = np.bincount(place, score, minlength=end - start) / fits
            square = np.bincount(place, score * score, minlength=end - start) / fits
            deviation[start:end] = np.sqrt(np.maximum(square - mean[start:end] ** 2, 0)) + 0.5
            sorted_fits.append(np.sort(offer * _SPAN - score))
            chance = 1 / (1 + np.exp(-score))
            likely = chance > _LEAST_CHANCE
            likely_partners.append(
                sparse.csr_matrix(
                    (chance[likely].astype(np.float32), (place[likely], partner[likely])),
                    shape=(end - start, len(store)),
                )
            )
        look_alike = np.full(count, -np.inf)
        np.maximum.at(look_alike, pairs.alike_left, alike_scores)
        np.maximum.at(look_alike, pairs.alike_right, alike_scores)
        columns: list[Any] = [np.concatenate(column) for column in zip(*contenders, strict=True)]
        found = Contenders(*(*columns, look_alike, number_of_stores(store)))
        best = found.overall[np.isfinite(found.overall)]
        return cls(
            contenders=found,
            claims=Claims.of(store, pairs.left, pairs.right, scores, kept.claims if kept else None),
            mean=mean,
            deviation=deviation,
            sorted_fits=np.concatenate(sorted_fits),
            first_fit=np.concatenate([[0], np.cumsum(number)]).astype(np.int64),
            chance=sparse.vstack(likely_partners, format="csr"),
            spread=spread or ScoreSpread.of(catalogue, scores, best, alike_scores),
        )

    def levels(self, catalogue: PreparedCatalogue, left: Integers, right: Integers, scores: Scores) -> Levels:
        """Levels of any pairs, candidates or not: pairs x CONTEXT_COMPARISONS."""
        return context_levels(catalogue, self.contenders, left, right, scores)

    def features(
        self, catalogue: PreparedCatalogue, left: Integers, right: Integers, scores: Scores
    ) -> Features:
        """Features of any pairs, candidates or not, with their ranking scores: pairs x (CLAIM_FEATURES,
        STANDING_FEATURES)."""
        result = np.empty((len(left), len(CLAIM_FEATURES) + len(STANDING_FEATURES)), dtype=np.float32)
        for start in range(0, len(left), _CHUNK):
            part = slice(start, start + _CHUNK)
            for column, values in enumerate(self._columns(catalogue, left[part], right[part], scores[part])):
                result[part, column] = values
        return result

    def _columns(
        self, catalogue: PreparedCatalogue, left: Integers, right: Integers, scores: Scores
    ) -> list[npt.NDArray[np.floating] | float]:
        contenders = self.contenders
        known = (catalogue.store[left] >= 0) & (catalogue.store[right] >= 0) & self.spread.stores_known
        in_store = [
            np.where(known, _margin(scores, rival_scores(catalogue, contenders, one, other)), _NONE)
            for one, other in ((left, right), (right, left))
        ]
        overall = [
            _margin(
                scores,
                np.where(
                    contenders.overall_partner[one] == other,
                    contenders.overall_second[one],
                    contenders.overall[one],
                ),
            )
            for one, other in ((left, right), (right, left))
        ]
        look_alike = [_margin(scores, contenders.look_alike[one]) for one in (left, right)]
        deviation = [
            np.clip((scores - self.mean[one]) / self.deviation[one], -_CLIP, _CLIP) for one in (left, right)
        ]
        taken = [np.where(known, one, 0.0) for one in self.claims.taken(left, right)]
        better = [self._better_fits(one, scores) for one in (left, right)]
        chance_left, chance_right = self.chance[left], self.chance[right]
        joint = chance_left.multiply(chance_right)
        own = np.asarray(self.chance[left, right]).ravel()
        support = _sum(joint)
        contradiction = _sum(chance_left) + _sum(chance_right) - 2 * own - 2 * support
        spread = self.spread
        pairs_above = _read_off(spread.pairs_above, scores)
        alike_above = _read_off(spread.look_alikes_above, scores)
        return [
            np.minimum(*taken),
            np.maximum(*taken),
            np.clip(scores, -20, 20),
            np.minimum(*in_store),
            np.maximum(*in_store),
            np.minimum(*overall),
            np.maximum(*overall),
            np.minimum(*look_alike),
            np.maximum(*look_alike),
            np.minimum(*deviation),
            np.maximum(*deviation),
            np.minimum(*better),
            np.maximum(*better),
            support,
            np.asarray(joint.max(axis=1).toarray()).ravel(),
            np.maximum(contradiction, 0),
            alike_above,
            pairs_above,
            _read_off(spread.best_above, scores),
            _read_off(spread.pairs_above, scores - 1) - pairs_above,
            alike_above - pairs_above,
            float(spread.stores_known),
            spread.partnered_share,
            spread.mean_best,
            spread.deviation_of_best,
        ]

    def _better_fits(self, offer: Integers, scores: Scores) -> npt.NDArray[np.floating]:
        place = np.searchsorted(self.sorted_fits, offer * _SPAN - np.clip(scores, -20, 20) - 1e-6)
        return np.clip(place - self.first_fit[offer], 0, 30)


def _margin(scores: Scores, rival: Scores) -> Scores:
    none = np.isneginf(rival)
    return np.where(none, _NONE, np.clip(scores - np.where(none, 0, rival), -_CLIP, _CLIP))


def _logarithms_above(scores: Scores, offers: int) -> Scores:
    """At each place of the grid: the natural logarithm of how many scores reach it, for each of the offers."""
    ordered = np.sort(scores)
    above = len(ordered) - np.searchsorted(ordered, _GRID - 1e-9)
    return np.asarray(np.round(np.log((above + 0.5) / offers), 6), dtype=np.float64)


def _read_off(logarithms: Scores, scores: Scores) -> Scores:
    return np.asarray(np.interp(scores, _GRID, logarithms), dtype=np.float64)


def _sum(matrix: sparse.csr_matrix) -> Scores:
    return np.asarray(matrix.sum(axis=1), dtype=np.float64).ravel()
