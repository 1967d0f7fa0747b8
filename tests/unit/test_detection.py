"""Probing the sites of fixtures/probes: the right platform, no wrong one, and never more than eight requests."""

from __future__ import annotations

from collections import Counter

import httpx
import pytest

from aggregator.domain.stores import Detection, Source
from aggregator.platforms import installed_platforms
from aggregator.settings import Settings
from fixtures.probes import ADDRESS, ProbeCase, read_cases
from spiders.detection import ProbeResult, probe
from spiders.probe_evidence import MOST_REQUESTS, RememberingFetcher
from spiders.schedules import propose_schedule

CASES = list(read_cases())


def probed(case: ProbeCase, asked: list[str] | None = None) -> ProbeResult:
    def answer(request: httpx.Request) -> httpx.Response:
        if asked is not None:
            question = request.content.decode()
            asked.append(f"{request.method} {request.url.raw_path.decode()} {question}".strip())
        return case.answer(request)

    fetcher = RememberingFetcher(
        Settings(),
        transport=httpx.MockTransport(answer),
        budget=MOST_REQUESTS,
        sleep=lambda seconds: None,
    )
    return probe(ADDRESS, Settings(), fetcher=fetcher)


@pytest.fixture(scope="module")
def results() -> dict[str, tuple[ProbeResult, list[str]]]:
    found = {}
    for case in CASES:
        asked: list[str] = []
        found[case.name] = (probed(case, asked), asked)
    return found


def is_right(case: ProbeCase, result: ProbeResult) -> bool:
    return result.platform == case.platform


@pytest.mark.parametrize("case", [case for case in CASES if case.is_decoy], ids=lambda case: case.name)
def test_what_is_no_shop_is_never_named_one(
    case: ProbeCase, results: dict[str, tuple[ProbeResult, list[str]]]
) -> None:
    result, _asked = results[case.name]
    assert (result.platform, result.hand_off, result.sample) == ("unknown", None, ())
    assert result.problem


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_probe_is_polite_and_names_the_software_it_saw(
    case: ProbeCase, results: dict[str, tuple[ProbeResult, list[str]]]
) -> None:
    result, asked = results[case.name]
    assert result.requests == len(asked) <= MOST_REQUESTS
    is_failing = case.answers["/"]["status"] >= 500
    assert is_failing or len(set(asked)) == len(asked), "nothing is asked for twice"
    assert set(case.technologies) <= set(result.technologies)
    assert all(signal.what and signal.where for signal in result.detection.signals)


def test_nine_of_ten_stores_are_recognised_and_no_other_platform_is_named(
    results: dict[str, tuple[ProbeResult, list[str]]],
) -> None:
    stores = [
        case for case in CASES if not case.is_decoy and case.platform in {*installed_platforms(), "unknown"}
    ]
    named = {case.name: results[case.name][0].platform for case in stores}
    right = Counter(case.basis for case in stores if named[case.name] == case.platform)
    wrong = [
        f"{case.name}: {named[case.name]}"
        for case in stores
        if named[case.name] not in {case.platform, "unknown", "generic"}
    ]
    assert wrong == []
    assert right.total() >= 0.9 * len(stores), sorted(
        f"{case.name}: {named[case.name]}" for case in stores if named[case.name] != case.platform
    )
    assert len([case for case in CASES if case.is_decoy]) >= 15


def test_a_check_for_browsers_ends_the_probe_at_once(
    results: dict[str, tuple[ProbeResult, list[str]]],
) -> None:
    for name in ("decoy-cdn-challenge", "decoy-cdn-challenge-200", "decoy-cdn-denied"):
        result, asked = results[name]
        assert asked == ["GET /robots.txt", "GET /"]
        assert "CDN" in (result.problem or "")


def test_what_is_missing_is_said_in_words(results: dict[str, tuple[ProbeResult, list[str]]]) -> None:
    said = {name: results[name][0].problem or "" for name in results}
    assert "asks to sign in" in said["decoy-login-wall"]
    assert "needs a browser" in said["decoy-spa-shell"]
    assert "Shopify Buy Button" in said["decoy-buy-button"]


def test_a_commerce_profile_is_told_among_the_signals(
    results: dict[str, tuple[ProbeResult, list[str]]],
) -> None:
    found = results["shopify-with-ucp"][0].detection
    assert any("Universal Commerce Protocol" in signal.what for signal in found.signals)
    assert any(source.kind == "ucp" for source in found.sources)


@pytest.mark.parametrize(
    "name", ["shopify-online-store", "magento-luma", "prestashop-classic", "schema-org-json-ld"]
)
def test_a_redirect_to_www_leaves_enough_requests(name: str) -> None:
    case = next(case for case in CASES if case.name == name)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "shop.example":
            moved = str(request.url.copy_with(host="www.shop.example"))
            return httpx.Response(301, headers={"location": moved})
        told = case.answer(request)
        text = told.text.replace("//shop.example", "//www.shop.example")
        return httpx.Response(told.status_code, headers=told.headers, text=text)

    fetcher = RememberingFetcher(
        Settings(),
        transport=httpx.MockTransport(answer),
        budget=MOST_REQUESTS,
        sleep=lambda seconds: None,
    )
    result = probe("shop.example", Settings(), fetcher=fetcher)
    assert (result.platform, result.url) == (case.platform, "https://www.shop.example")
    assert result.requests <= MOST_REQUESTS
    assert result.sample


@pytest.mark.parametrize(
    ("kind", "listed", "delay", "interval", "requests"),
    [
        ("store_api", 250, 0.0, 21_600, 3),
        ("store_api", None, 0.0, 21_600, None),
        ("feed", None, 10.0, 21_600, 1),
        ("pages", 5_000, 0.0, 21_600, 5_001),
        ("pages", 20_000, 0.0, 43_200, 20_001),
        ("pages", 20_000, 1.0, 86_400, 20_001),
        ("pages", 1_000_000, 5.0, 604_800, 1_000_001),
    ],
)
def test_a_big_store_is_proposed_to_be_read_less_often(
    kind: str, listed: int | None, delay: float, interval: int, requests: int | None
) -> None:
    platform = installed_platforms()["generic" if kind == "pages" else "woocommerce"]
    found = Detection(confidence=0.9, sources=(Source(kind=kind, url=ADDRESS),), listed=listed)
    proposed = propose_schedule(platform, found, usual_interval=21_600, crawl_delay=delay)
    assert (proposed.interval, proposed.requests) == (interval, requests)
