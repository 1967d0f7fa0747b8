"""Damaged sites: a probe raises nothing, hangs on nothing, and never names a decoy."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from typing import Any

import pytest

from aggregator.domain.stores import Page
from fixtures.probes import ProbeCase, read_cases
from spiders.fingerprints import asks_to_sign_in, find_obstacle, recognise
from spiders.probe_evidence import MOST_REQUESTS
from spiders.technologies import TECHNOLOGIES
from tests.unit.test_detection import probed

CASES = list(read_cases())


def damaged(text: str, chance: random.Random) -> str:
    """The text cut off, repeated, with a piece taken out or with nonsense put in."""
    start, end = sorted(chance.randrange(len(text) + 1) for _ in range(2))
    nonsense = chance.choice(("\x00", "<", '"', "\ud800", "{" * 50, "9" * 400, "<div>" * 100, "&#x110000;"))
    return (
        chance.choice(
            (text[:start], text[:start] + text[end:], text[:end] * 2, text[:start] + nonsense + text[start:])
        )
        .encode("utf-8", "replace")
        .decode()
    )


def damaged_site(case: ProbeCase, chance: random.Random) -> ProbeCase:
    answers: dict[str, Any] = {}
    for path, answer in case.answers.items():
        kept = dict(answer)
        if "body" in kept and chance.random() < 0.7:
            kept["body"] = damaged(kept["body"], chance)
        elif "json" in kept and chance.random() < 0.5:
            kept = {
                "status": kept["status"],
                "headers": kept["headers"],
                "body": damaged(str(kept["json"]), chance),
            }
        if chance.random() < 0.1:
            kept["status"] = chance.choice((200, 204, 301, 403, 404, 418))
        answers[path] = kept
    return replace(case, answers=answers)


def some_sites(count: int) -> None:
    chance = random.Random(count)
    for number in range(count):
        case = CASES[number % len(CASES)]
        result = probed(damaged_site(case, chance))
        assert result.requests <= MOST_REQUESTS, case.name
        assert not (case.is_decoy and result.is_known), case.name


def test_damaged_sites_do_no_harm() -> None:
    some_sites(2 * len(CASES))


@pytest.mark.prove
def test_many_damaged_sites_do_no_harm() -> None:
    some_sites(20_000)


@pytest.mark.parametrize(
    "text",
    [
        "<div>" * 300_000,
        "<script>" + "Shopify.theme " * 100_000,
        '<meta name="generator" content="' + "x" * 2_000_000,
        "<a href=" * 200_000,
        "<title>access denied</title>" + "reference" * 6_000,
    ],
    ids=["deep", "script", "meta", "links", "obstacle"],
)
def test_a_monstrous_page_is_looked_through_in_time(text: str) -> None:
    page = Page("https://shop.example/", 200, {"set-cookie": "a=" * 50_000}, text)
    started = time.process_time()
    recognise(page, TECHNOLOGIES)
    find_obstacle(page)
    asks_to_sign_in(page)
    assert time.process_time() - started < 5
