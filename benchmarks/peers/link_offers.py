"""One public tool links one file of offers: `python link_offers.py PEER OFFERS.csv PAIRS.csv`.

Runs in the peers' own environment and imports nothing of ours. Each tool gets what its documentation recommends for
such data and no labels: titles, brands and prices, and codes found by one regular expression where it needs keys to
block on. Writes left_id,right_id,score and prints one JSON line with seconds, peak memory and pairs.
"""

from __future__ import annotations

import json
import re
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")
_WORD = re.compile(r"[a-z0-9]+(?:[-./][a-z0-9]+)*")


def _words(title: str) -> list[str]:
    return sorted({re.sub(r"[-./]", "", word) for word in _WORD.findall(title.lower())})


def _codes(words: list[str]) -> list[str]:
    """Words of letters and digits, or of five digits and more."""
    return [
        word
        for word in words
        if len(word) >= 4 and any(map(str.isdigit, word)) and (any(map(str.isalpha, word)) or len(word) >= 5)
    ]


def _columns(offers: pd.DataFrame) -> pd.DataFrame:
    """What tools that need columns get: `rare_words` are the three held by the fewest titles, yet by two or more."""
    made = pd.DataFrame({"unique_id": offers["offer_id"]})
    made["title"] = (
        offers["title"].str.lower().str.replace(r"[^a-z0-9 ]+", " ", regex=True).str.split().str.join(" ")
    )
    made["words"] = [_words(title) for title in offers["title"]]
    counts = Counter(word for words in made["words"] for word in words)
    made["rare_words"] = [
        sorted((word for word in words if counts[word] > 1), key=lambda word: (counts[word], word))[:3]
        for words in made["words"]
    ]
    codes = [_codes(words) for words in made["words"]]
    made["code"] = [max(held, key=len) if held else None for held in codes]
    made["brand"] = offers["brand"].str.lower().where(offers["brand"] != "", None)
    return made


def splink(offers: pd.DataFrame) -> pd.DataFrame:
    """Splink on DuckDB: Fellegi-Sunter weights by EM, blocked on shared rare words and on the longest code."""
    import logging

    import splink.comparison_level_library as cll
    import splink.comparison_library as cl
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    logging.getLogger("splink").setLevel(logging.ERROR)
    together = "greatest(1, len(list_distinct(list_concat(words_l, words_r))))"
    shared = f"len(list_intersect(words_l, words_r))::float / {together}"
    by_rare_word = block_on("rare_words", arrays_to_explode=["rare_words"])
    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=[
            cl.CustomComparison(
                output_column_name="words",
                comparison_levels=[
                    cll.NullLevel("title"),
                    *(
                        cll.CustomLevel(f"{shared} >= {least}", f"{least:.0%} of words")
                        for least in (0.8, 0.6, 0.45, 0.3)
                    ),
                    cll.ElseLevel(),
                ],
            ),
            cl.ArrayIntersectAtSizes("rare_words", [3, 2, 1]),
            cl.LevenshteinAtThresholds("code", [1, 3]),
            cl.ExactMatch("brand"),
        ],
        blocking_rules_to_generate_predictions=[by_rare_word, block_on("code")],
    )
    linker = Linker(_columns(offers), settings, DuckDBAPI())
    linker.training.estimate_probability_two_random_records_match([block_on("code")], recall=0.6)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=1)
    linker.training.estimate_parameters_using_expectation_maximisation(block_on("code"))
    linker.training.estimate_parameters_using_expectation_maximisation(block_on("substr(title, 1, 12)"))
    found = linker.inference.predict(threshold_match_probability=0.01).as_pandas_dataframe()
    return found[["unique_id_l", "unique_id_r", "match_weight"]].set_axis(
        ["left_id", "right_id", "score"], axis=1
    )


def recordlinkage(offers: pd.DataFrame) -> pd.DataFrame:
    """Record Linkage Toolkit: string comparisons and an ECM classifier, blocked on shared rare words."""
    import recordlinkage as rl

    frame = _columns(offers)
    keyed = frame[["rare_words"]].explode("rare_words").dropna().reset_index(names="place")
    keyed = keyed[keyed.groupby("rare_words")["place"].transform("size") <= 60]
    both = keyed.merge(keyed, on="rare_words")
    both = both[both["place_x"] < both["place_y"]][["place_x", "place_y"]].drop_duplicates()
    pairs = pd.MultiIndex.from_frame(both)
    compare = rl.Compare(n_jobs=1)
    compare.string("title", "title", method="qgram", label="likeness")
    compare.exact("code", "code", missing_value=0, label="code")
    compare.exact("brand", "brand", missing_value=0, label="brand")
    features = compare.compute(pairs, frame)
    for least in (0.8, 0.6, 0.4):
        features[f"likeness {least}"] = features["likeness"] >= least
    levels = features.drop(columns="likeness").astype(int)
    classifier = rl.ECMClassifier(init="jaro", max_iter=100)
    classifier.fit(levels)
    # Pairs of equal levels have equal probabilities; likeness tells them apart.
    scores = classifier.prob(levels).fillna(0) + features["likeness"] * 1e-3
    ids = frame["unique_id"].to_numpy()
    return pd.DataFrame(
        {"left_id": ids[both["place_x"]], "right_id": ids[both["place_y"]], "score": scores.to_numpy()}
    )


def string_grouper(offers: pd.DataFrame) -> pd.DataFrame:
    """string_grouper: cosine of character 3-grams weighed by TF-IDF, all pairs from 0.5."""
    from string_grouper import match_strings

    found = match_strings(offers["title"], min_similarity=0.5, max_n_matches=50, number_of_processes=1)
    found = found[found["left_index"] < found["right_index"]]
    ids = offers["offer_id"].to_numpy()
    return pd.DataFrame(
        {
            "left_id": ids[found["left_index"]],
            "right_id": ids[found["right_index"]],
            "score": found["similarity"],
        }
    )


def scikit_learn(offers: pd.DataFrame) -> pd.DataFrame:
    """scikit-learn's TF-IDF over words and character 3-grams, cosine, each offer's 50 nearest."""
    from scipy import sparse
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sparse_dot_topn import sp_matmul_topn

    words = TfidfVectorizer(token_pattern=r"[a-z0-9]+", sublinear_tf=True).fit_transform(offers["title"])
    grams = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 3), min_df=2).fit_transform(offers["title"])
    matrix = sparse.hstack([words, grams]).tocsr() / np.sqrt(2)
    near = sp_matmul_topn(matrix, matrix.T.tocsr(), top_n=50, threshold=0.3, n_threads=1).tocoo()
    kept = near.row < near.col
    ids = offers["offer_id"].to_numpy()
    return pd.DataFrame(
        {"left_id": ids[near.row[kept]], "right_id": ids[near.col[kept]], "score": near.data[kept]}
    )


PEERS: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "splink": splink,
    "recordlinkage": recordlinkage,
    "string-grouper": string_grouper,
    "scikit-learn": scikit_learn,
}


def _peak_mb() -> int:
    """Peak memory since this program began; what getrusage says holds the parent's before it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def main() -> None:
    """Link, write, report."""
    peer, offers_path, pairs_path = sys.argv[1:]
    start = time.perf_counter()
    offers = pd.read_csv(offers_path, dtype=str, keep_default_na=False)
    for column in ("store", "brand"):
        offers[column] = offers.get(column, "")
    pairs = PEERS[peer](offers)
    pairs.to_csv(pairs_path, index=False)
    report: dict[str, Any] = {
        "seconds": round(time.perf_counter() - start, 1),
        "peak_mb": _peak_mb(),
        "pairs": len(pairs),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
