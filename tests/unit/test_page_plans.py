"""Which pages a run fetches."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aggregator.catalog.page_plans import (
    LONGEST_UNCHECKED,
    KnownPage,
    PagePlan,
    PagePlanner,
    address_key,
    is_telling,
)
from aggregator.domain.crawling import KnownSitemap, ListedPage

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
MAP = "https://shop.example/map.xml"
OLD = "2026-10-01T08:00:00Z"


def page(number: int, **changes: Any) -> tuple[bytes, KnownPage]:
    url = f"https://shop.example/p/{number}"
    known = KnownPage(
        url,
        address_key(MAP),
        is_listed=True,
        lastmod=OLD,
        is_read_alike=True,
        first_seen_at=NOW - timedelta(days=20),
        checked_at=NOW - timedelta(hours=6),
        checks=10,
        changes=0,
    )
    return address_key(url), known._replace(**changes)


def plan(
    known: dict[bytes, KnownPage],
    listed: list[tuple[int, str | None]],
    *,
    trusts_lastmod: bool = True,
    budget: int | None = None,
) -> PagePlan:
    planner = PagePlanner(known, now=NOW, seed="run", trusts_lastmod=trusts_lastmod, budget=budget)
    planner.list_pages(
        MAP, [ListedPage(f"https://shop.example/p/{number}", lastmod) for number, lastmod in listed]
    )
    return planner.finish()


def numbers(found: PagePlan, *, sample: bool | None = None) -> list[int]:
    return [
        int(row.url.rpartition("/")[2]) for row in found.visits if sample is None or row.is_sample == sample
    ]


def test_an_unchanged_lastmod_costs_nothing_but_a_seeded_sample() -> None:
    known = dict(page(number) for number in range(1000))
    found = plan(known, [(number, OLD) for number in range(1000)])
    assert (found.listed, found.skipped, len(found.visits), found.unlisted) == (1000, 980, 20, [])
    assert all(row.is_sample for row in found.visits)
    assert numbers(found) == numbers(plan(known, [(number, OLD) for number in range(1000)]))


def test_a_small_store_is_sampled_too() -> None:
    known = dict(page(number) for number in range(40))
    assert len(plan(known, [(number, OLD) for number in range(40)]).visits) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"lastmod": "2026-09-01T08:00:00Z"},
        {"lastmod": None},
        {"checked_at": NOW - LONGEST_UNCHECKED - timedelta(minutes=1)},
        {"checked_at": None},
        {"is_read_alike": False},
        {"is_listed": False},
        {"listed_in": address_key("https://shop.example/other.xml")},
    ],
)
def test_a_page_is_fetched_when_anything_speaks_for_it(change: dict[str, Any]) -> None:
    known = dict([page(1, **change)])
    assert numbers(plan(known, [(1, OLD)]), sample=False) == [1]


def test_lastmod_that_proved_wrong_is_ignored() -> None:
    known = dict(page(number) for number in range(9))
    found = plan(known, [(number, OLD) for number in range(9)], trusts_lastmod=False)
    assert sorted(numbers(found, sample=False)) == list(range(9))


def test_new_pages_come_first_then_changed_ones_then_those_whose_prices_move() -> None:
    known = dict(
        [
            page(1, changes=0),
            page(2, changes=9),
            page(3, lastmod="2026-09-01T08:00:00Z"),
            page(4, changes=3),
        ]
    )
    listed: list[tuple[int, str | None]] = [(1, None), (2, None), (3, OLD), (4, None), (5, None)]
    assert numbers(plan(known, listed)) == [5, 3, 2, 4, 1]


def test_a_budget_takes_the_most_urgent_and_keeps_the_sample() -> None:
    known = dict([page(1, changes=0), page(2, changes=9)] + [page(number) for number in range(10, 20)])
    listed: list[tuple[int, str | None]] = [(1, None), (2, None), (3, None)]
    listed += [(number, OLD) for number in range(10, 20)]
    found = plan(known, listed, budget=5)
    assert numbers(found, sample=False) == [3, 2]
    assert len(numbers(found, sample=True)) == 3
    assert found.postponed == 1
    assert plan(known, listed, budget=0).visits == []


def test_the_longer_a_page_waits_the_more_urgent_it_gets() -> None:
    known = dict([page(1, changes=2), page(2, changes=0, checked_at=NOW - timedelta(days=13), lastmod=None)])
    assert numbers(plan(known, [(1, None), (2, None)]))[0] == 2


def test_what_is_no_longer_listed_is_told() -> None:
    known = dict([page(1), page(2), page(3, is_listed=False)])
    assert [row.url[-1] for row in plan(known, [(1, OLD)]).unlisted] == ["2"]


def test_an_unchanged_sitemap_lists_what_it_listed() -> None:
    known = dict([page(1), page(2), page(3, listed_in=address_key("https://shop.example/b.xml"))])
    planner = PagePlanner(known, now=NOW, seed="run")
    planner.keep_sitemap(KnownSitemap(MAP))
    found = planner.finish()
    assert (found.listed, [row.url[-1] for row in found.unlisted]) == (2, ["3"])


@pytest.mark.parametrize(
    ("lastmod", "tells"),
    [
        ("2026-10-01T08:00:00Z", True),
        ("2026-10-01T08:00:00+02:00", True),
        ("2026-11-20T11:59:00Z", True),
        ("2026-11-17", True),
        ("2026-11-19", False),  # a day may go on after the page was fetched
        ("2026-11-20", False),
        ("2027-11-20", False),
        ("yesterday", False),
        ("2026-13-40", False),
        ("", False),
    ],
)
def test_what_a_lastmod_is_worth(lastmod: str, tells: bool) -> None:
    assert is_telling(lastmod, NOW - timedelta(hours=6)) is tells
