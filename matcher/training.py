"""Training: levels' weights first, then small trees that see each pair among its rivals and in its catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import numpy.typing as npt

from matcher.blocking import candidate_pairs
from matcher.boosting import Examples, grow_trees
from matcher.comparison import COMPARISONS, Levels, compare
from matcher.context import Scores
from matcher.features import Features, pair_features
from matcher.fitting import STATED_WEIGHTS, LevelExamples, fit_levels
from matcher.model import ALL_COMPARISONS, FEATURES, FIRST_OF_STANDING, MatchModel, Weights, log_odds
from matcher.preparation import Integers, prepare
from matcher.pseudo_catalogues import pseudo_catalogues
from matcher.records import OfferRecord
from matcher.standing import RISING_FEATURES, STANDING_FEATURES, Standing
from matcher.titles import squashed
from matcher.trees import Forest, scaled

AUTOMATIC = 0.78
DOUBTFUL = 0.1

# The shares of levels, standing and whole: fitted each by itself and averaged in log-odds, because each errs elsewhere.
# Where labelled pairs are all there is, the pairs themselves teach more: they are of the kind to judge.
_SHARES = (0.25, 0.5, 0.25)
_SHARES_BY_LABELS_ALONE = (0.1, 0.1, 0.8)
_ROUNDS = 120
_STANDING_SEEDS = (0, 1, 2)
_WHOLE_SEEDS = (0, 1)
_STARTING_LOG_ODDS = -3.0
# What a source weighs beside a whole catalogue of its own truth.
_INFLUENCE_OF_LABELS_ON_LEVELS = 0.5
_INFLUENCE_OF_LABELS_ON_TREES = 0.25
_INFLUENCE_OF_PSEUDO = 0.1
_MOST_PAIRS = 20_000
_MOST_PSEUDO_PAIRS = 10_000
_RELATED = 0.05


@dataclass(frozen=True, slots=True)
class TrainingCatalogue:
    """Records with either `truth` (offer id -> product) or `labels` ((left id, right id) -> same product)."""

    name: str
    records: Sequence[OfferRecord]
    truth: Mapping[str, str] | None = None
    labels: Mapping[tuple[str, str], bool] | None = None


@dataclass(frozen=True, slots=True)
class _Seen:
    """Labelled pairs of one source, seen beside the rivals of their catalogue: the informative ones and a sample
    of the rest, which weighs for all."""

    levels: Levels
    features: Features
    same: npt.NDArray[np.bool_]
    weight: npt.NDArray[np.float64]
    true_share: float
    chosen: bool
    is_pseudo: bool


def train(catalogues: Sequence[TrainingCatalogue], *, version: str = "", seed: int = 0) -> MatchModel:
    """Fit a model; the result depends on the catalogues and the seed. A `version` of "" is made from the content.

    The ranking of a catalogue's pairs, from which the trees learn, comes from weights that did not see the
    catalogue nor a related one (which shares titles with it). Raises InvalidInput where LightGBM is missing.
    """
    names = tuple(catalogue.name for catalogue in catalogues)
    direct = [_level_examples(catalogue) for catalogue in catalogues]
    ranking_prior, ranking = fit_levels(COMPARISONS, direct)
    titles = [{squashed(record.title) for record in catalogue.records} for catalogue in catalogues]
    seen: list[_Seen] = []
    for number, catalogue in enumerate(catalogues):
        others = [
            examples
            for other, examples in enumerate(direct)
            if len(titles[number] & titles[other]) < _RELATED * min(len(titles[number]), len(titles[other]))
        ]
        ranker = _ranker(*(fit_levels(COMPARISONS, others) if others else (ranking_prior, ranking)))
        seen.append(_seen(catalogue, ranker, is_pseudo=False))
        if catalogue.truth is not None:
            for records in pseudo_catalogues(catalogue.records, catalogue.truth):
                changed = TrainingCatalogue(catalogue.name, records, truth=catalogue.truth)
                seen.append(_seen(changed, ranker, is_pseudo=True))
    real = [source for source in seen if not source.is_pseudo]
    labels_alone = all(source.chosen for source in real)
    of_levels, of_standing, of_whole = _SHARES_BY_LABELS_ALONE if labels_alone else _SHARES
    labels_on_trees = 1.0 if labels_alone else _INFLUENCE_OF_LABELS_ON_TREES
    prior, weights = fit_levels(ALL_COMPARISONS, [_with_context(source) for source in real])
    standing = grow_trees(
        [_examples(source, FIRST_OF_STANDING, labels_on_trees) for source in real],
        STANDING_FEATURES,
        RISING_FEATURES,
        rounds=_ROUNDS,
        seeds=[seed * 100 + one for one in _STANDING_SEEDS],
    )
    whole = grow_trees(
        [_examples(source, 0, labels_on_trees) for source in seen],
        FEATURES,
        RISING_FEATURES,
        rounds=_ROUNDS,
        seeds=[seed * 100 + one for one in _WHOLE_SEEDS],
    )
    model = MatchModel(
        version=version,
        prior=round(of_levels * prior + (1 - of_levels) * _STARTING_LOG_ODDS, 3),
        weights=_shared_out(weights, of_levels),
        ranking=ranking,
        ranking_prior=ranking_prior,
        standing=Forest(STANDING_FEATURES, scaled(standing, of_standing)),
        whole=Forest(FEATURES, scaled(whole, of_whole)),
        automatic=AUTOMATIC,
        doubtful=DOUBTFUL,
        trained_on=names,
    )
    return model if version else model.with_version(sha256(model.to_text().encode()).hexdigest()[:12])


def _ranker(prior: float, ranking: Weights) -> MatchModel:
    nothing = Forest((), ())
    return MatchModel("", 0.0, {}, ranking, prior, nothing, nothing, AUTOMATIC, DOUBTFUL)


def _shared_out(weights: Weights, share: float) -> Weights:
    """The levels' share of the average; what is stated by hand, because data are silent, counts in full."""
    return {
        comparison: {
            level: weight if comparison in STATED_WEIGHTS else round(share * weight, 3) + 0.0
            for level, weight in levels.items()
        }
        for comparison, levels in weights.items()
    }


def _level_examples(catalogue: TrainingCatalogue) -> LevelExamples:
    ready = prepare(catalogue.records)
    left, right = _ends(catalogue, ready.records)
    if catalogue.labels is None:
        pairs = candidate_pairs(ready)
        left, right = pairs.left, pairs.right
    chosen = catalogue.labels is not None
    return LevelExamples(
        levels=compare(ready, left, right),
        same=_labels(catalogue, ready.records, left, right),
        weight=np.ones(len(left)),
        influence=_INFLUENCE_OF_LABELS_ON_LEVELS if chosen else 1.0,
        chosen=chosen,
    )


def _with_context(source: _Seen) -> LevelExamples:
    influence = _INFLUENCE_OF_LABELS_ON_LEVELS if source.chosen else 1.0
    return LevelExamples(source.levels, source.same, source.weight, influence, source.chosen)


def _seen(catalogue: TrainingCatalogue, ranker: MatchModel, *, is_pseudo: bool) -> _Seen:
    ready = prepare(catalogue.records)
    pairs = candidate_pairs(ready)

    def ranks(left: Integers, right: Integers) -> Scores:
        return ranker.rank(compare(ready, left, right))

    scores = ranks(pairs.left, pairs.right)
    standing = Standing.of(ready, pairs, scores, ranks(pairs.alike_left, pairs.alike_right))
    left, right = (
        _ends(catalogue, ready.records) if catalogue.labels is not None else (pairs.left, pairs.right)
    )
    same = _labels(catalogue, ready.records, left, right)
    own = ranks(left, right) if catalogue.labels is not None else scores
    kept, weight = _informative(own, same, _MOST_PSEUDO_PAIRS if is_pseudo else _MOST_PAIRS)
    left, right, own = left[kept], right[kept], own[kept]
    return _Seen(
        levels=np.column_stack([compare(ready, left, right), standing.levels(ready, left, right, own)]),
        features=np.column_stack(
            [pair_features(ready, left, right), standing.features(ready, left, right, own)]
        ),
        same=same[kept],
        weight=weight,
        true_share=float(same.mean()) if len(same) else 0.0,
        chosen=catalogue.labels is not None,
        is_pseudo=is_pseudo,
    )


def _informative(
    scores: Scores, same: npt.NDArray[np.bool_], most: int
) -> tuple[Integers, npt.NDArray[np.float64]]:
    """Positions of all true pairs, of the best half of `most`, and of a sample of the rest; and their weights."""
    if len(scores) <= most:
        return np.arange(len(scores)), np.ones(len(scores))
    certain = same.copy()
    certain[np.argsort(-scores, kind="stable")[: most // 2]] = True
    rest = np.flatnonzero(~certain)
    size = min(len(rest), max(1, most - int(certain.sum())))
    sample = np.sort(np.random.default_rng(0).choice(rest, size, replace=False))
    weight = np.concatenate([np.ones(int(certain.sum())), np.full(size, len(rest) / size)])
    return np.concatenate([np.flatnonzero(certain), sample]), weight


def _examples(source: _Seen, first_column: int, labels_on_trees: float) -> Examples:
    influence = _INFLUENCE_OF_PSEUDO if source.is_pseudo else labels_on_trees if source.chosen else 1.0
    # Chosen pairs start from their own share of true ones, so that it teaches nothing about the prior.
    start = log_odds(min(max(source.true_share, 0.01), 0.99)) if source.chosen else _STARTING_LOG_ODDS
    return Examples(
        source.features[:, first_column:],
        source.same,
        source.weight * (10_000.0 * influence / max(source.weight.sum(), 1e-9)),
        np.full(len(source.same), start),
    )


def _ends(catalogue: TrainingCatalogue, records: Sequence[OfferRecord]) -> tuple[Integers, Integers]:
    """Positions of the labelled pairs, the smaller first, sorted; pairs of unknown offers are left out."""
    position = {record.offer_id: index for index, record in enumerate(records)}
    known = sorted(
        (min(position[a], position[b]), max(position[a], position[b]))
        for a, b in catalogue.labels or ()
        if a in position and b in position and a != b
    )
    table = np.array(known, dtype=np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _labels(
    catalogue: TrainingCatalogue, records: Sequence[OfferRecord], left: Integers, right: Integers
) -> npt.NDArray[np.bool_]:
    ids = [record.offer_id for record in records]
    if catalogue.labels is not None:
        said = {frozenset(pair): same for pair, same in catalogue.labels.items()}
        return np.array(
            [said[frozenset((ids[a], ids[b]))] for a, b in zip(left.tolist(), right.tolist(), strict=True)],
            dtype=bool,
        )
    truth = catalogue.truth or {}
    _, product = np.unique([truth.get(offer_id, f"\0{offer_id}") for offer_id in ids], return_inverse=True)
    return np.asarray(product[left] == product[right], dtype=bool)
