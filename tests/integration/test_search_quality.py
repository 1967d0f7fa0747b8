"""Misspelt queries and exact wordings of the demo catalogue: a seeded sample of what `make prove` asks whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from aggregator.catalog.search_index import IndexPlace, SearchIndex
from aggregator.catalog.search_sync import rebuild
from aggregator.db.session import Sessions
from benchmarks.search_quality import PAGE, exact_queries, fill_with_demo, misspelt_queries, places


def shares(sessions: Sessions, folder: Path, count: int, seed: int) -> tuple[float, float]:
    """(share of misspelt queries with the product on the first page, of exact ones with it first or second)."""
    fill_with_demo(sessions)
    place = IndexPlace(folder)
    rebuild(sessions, place)
    index = SearchIndex(place)
    with sessions() as session:
        misspelt, _ = places(session, index, misspelt_queries(session, index, count, seed))
        exact, _ = places(session, index, exact_queries(session, count, seed))
    return (
        sum(place is not None and place <= PAGE for place in misspelt) / count,
        sum(place is not None and place <= 2 for place in exact) / count,
    )


def test_most_misspelt_queries_and_nearly_all_exact_ones_find_their_product(
    sessions: Sessions, tmp_path: Path
) -> None:
    misspelt, exact = shares(sessions, tmp_path, 60, seed=5)
    assert misspelt >= 0.95
    assert exact >= 0.98


@pytest.mark.prove
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_five_hundred_of_each_do(sessions: Sessions, tmp_path: Path, seed: int) -> None:
    misspelt, exact = shares(sessions, tmp_path, 500, seed)
    assert misspelt >= 0.95
    assert exact >= 0.98
