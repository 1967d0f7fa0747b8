"""How often a newly found store should be read: proposed to its operator, never decided for him."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aggregator.domain.stores import Detection
from aggregator.platforms import StorePlatform

_HOUR = 3600
_STEPS = (6 * _HOUR, 12 * _HOUR, 24 * _HOUR, 48 * _HOUR, 168 * _HOUR)
# A reading may take this share of the time between two readings.
_SHARE = 0.25
_LEAST_GAP = 0.5
# Offers a request of these kinds of sources brings, by the page sizes that the platforms allow.
_OFFERS_A_REQUEST = {"products_json": 250, "store_api": 100, "graphql": 50, "feed": 1_000_000}


@dataclass(frozen=True, slots=True)
class Schedule:
    """A proposal: `interval` in seconds, `requests` of one reading (None where nothing tells), and why."""

    interval: int
    requests: int | None
    why: str

    def to_json(self) -> dict[str, Any]:
        """As `probe --json` prints it."""
        return {"interval_seconds": self.interval, "requests_per_run": self.requests, "why": self.why}


def propose_schedule(
    platform: StorePlatform, found: Detection, *, usual_interval: int, crawl_delay: float
) -> Schedule:
    """The usual interval, or a longer one where reading the store politely takes too long for it."""
    requests = _requests(platform, found)
    if requests is None:
        return Schedule(usual_interval, None, "the store does not say how much it lists")
    seconds = requests * max(crawl_delay, _LEAST_GAP)
    longer = [step for step in _STEPS if step > usual_interval]
    interval = next((step for step in (usual_interval, *longer) if seconds <= step * _SHARE), _STEPS[-1])
    if requests == 1:
        return Schedule(interval, 1, "one request reads it all")
    gap = max(crawl_delay, _LEAST_GAP)
    return Schedule(
        interval,
        requests,
        f"a reading takes about {requests:,} requests, {gap:g} s apart: {_duration(seconds)}",
    )


def _requests(platform: StorePlatform, found: Detection) -> int | None:
    if any(source.kind == "feed" for source in found.sources):
        return 1
    if found.listed is None:
        return None
    if platform.spider is not None:
        return found.listed + 1
    sizes = [_OFFERS_A_REQUEST.get(source.kind, 50) for source in found.sources]
    return max(1, -(-found.listed // max(sizes, default=50)))


def _duration(seconds: float) -> str:
    if seconds < 90:
        return "about a minute" if seconds > 45 else f"{max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return f"{seconds / _HOUR:.1f} h"
