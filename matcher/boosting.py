"""Growing small trees with LightGBM, one thread and fixed seeds: the same data give the same trees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from aggregator.domain.errors import InvalidInput
from matcher.features import Features
from matcher.trees import MOST_LEAVES, Tree

_PARAMETERS: dict[str, Any] = {
    "objective": "binary",
    "num_leaves": MOST_LEAVES,
    "learning_rate": 0.1,
    "min_data_in_leaf": 30,
    "min_sum_hessian_in_leaf": 1.0,
    "lambda_l2": 5.0,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.5,
    "bagging_freq": 1,
    "max_bin": 63,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "monotone_constraints_method": "basic",
    "verbose": -1,
}


@dataclass(frozen=True, slots=True)
class Examples:
    """Pairs of one source: features, whether each is one product, its weight, and the log-odds to start from."""

    features: Features
    same: npt.NDArray[np.bool_]
    weight: npt.NDArray[np.float64]
    start: npt.NDArray[np.float64]


def grow_trees(
    sources: Sequence[Examples],
    names: Sequence[str],
    rising: Sequence[str],
    *,
    rounds: int,
    seeds: Sequence[int],
) -> list[Tree]:
    """Boosted trees that correct the starting log-odds; several seeds are averaged into one forest.

    The sum of the trees never falls where a feature of `rising` grows. Raises InvalidInput without LightGBM.
    """
    try:
        import lightgbm
    except ImportError as error:
        raise InvalidInput(
            "training needs LightGBM, which is not installed", remedy="pip install 'click2cart[training]'"
        ) from error
    features = np.concatenate([source.features for source in sources])
    same = np.concatenate([source.same for source in sources]).astype(np.float64)
    weight = np.concatenate([source.weight for source in sources])
    start = np.concatenate([source.start for source in sources])
    constraints = [int(name in rising) for name in names]
    trees: list[Tree] = []
    data = lightgbm.Dataset(
        features,
        same,
        weight=weight,
        init_score=start,
        params={"max_bin": 63, "verbose": -1},
        free_raw_data=False,
    )
    for seed in seeds:
        parameters = {**_PARAMETERS, "seed": seed, "monotone_constraints": constraints}
        grown = lightgbm.train(parameters, data, rounds).dump_model()
        trees += [_read(tree["tree_structure"], names, 1 / len(seeds)) for tree in grown["tree_info"]]
    return trees


def _read(node: dict[str, Any], names: Sequence[str], factor: float) -> Tree:
    if "leaf_value" in node:
        return float(node["leaf_value"]) * factor
    return [
        names[node["split_feature"]],
        float(f"{node['threshold']:.6g}"),
        _read(node["left_child"], names, factor),
        _read(node["right_child"], names, factor),
    ]
