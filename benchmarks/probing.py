"""Probing: how many of the sites in fixtures/probes get the right verdict, by where their answers come from."""

from __future__ import annotations

import sys
import time
from collections import Counter

import httpx

from aggregator.platforms import installed_platforms
from aggregator.settings import Settings
from fixtures.probes import ADDRESS, ProbeCase, read_cases
from spiders.detection import ProbeResult, probe
from spiders.probe_evidence import MOST_REQUESTS, RememberingFetcher


def probed(case: ProbeCase) -> ProbeResult:
    """The verdict on one site, without a network."""
    transport = httpx.MockTransport(case.answer)
    settings = Settings()
    fetcher = RememberingFetcher(
        settings, transport=transport, budget=MOST_REQUESTS, sleep=lambda seconds: None
    )
    return probe(ADDRESS, settings, fetcher=fetcher)


def main() -> int:
    """Print the table; 1 where a decoy is named a platform."""
    right: Counter[tuple[str, str]] = Counter()
    wrong: list[str] = []
    counted: Counter[tuple[str, str]] = Counter()
    requests, platforms = 0, set()
    started = time.process_time()
    for case in read_cases():
        result = probed(case)
        kind = ("decoys" if case.is_decoy else "stores", case.basis)
        counted[kind] += 1
        right[kind] += result.platform == case.platform
        requests += result.requests
        if not case.is_decoy:
            platforms.add(case.platform)
        if result.platform != case.platform:
            wrong.append(f"{case.name}: {result.platform} instead of {case.platform}")
    seconds = time.process_time() - started
    print("| sites | answers | right | of |\n|---|---|---|---|")
    for kind, count in sorted(counted.items(), reverse=True):
        print(f"| {kind[0]} | {kind[1]} | {right[kind]} | {count} |")
    print(
        f"{len(installed_platforms())} platforms installed, {len(platforms - {'unknown'})} of them to be found; "
        f"{requests / counted.total():.1f} requests a probe, {1000 * seconds / counted.total():.0f} ms of CPU"
    )
    print("\n".join(wrong), end="\n" if wrong else "")
    return 1 if any(line.startswith("decoy") for line in wrong) else 0


if __name__ == "__main__":
    sys.exit(main())
