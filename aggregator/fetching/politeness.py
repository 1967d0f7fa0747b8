"""What a store asks of crawlers: its robots.txt (RFC 9309), and the pause between two requests."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

from protego import Protego

from aggregator.domain.errors import FetchRefused
from aggregator.domain.web_addresses import WebAddress

log = logging.getLogger(__name__)

# The product token that robots.txt groups are matched with; the user agent begins with it.
AGENT = "Click2Cart"
ROBOTS_MAX_BYTES = 512_000
KEPT_SECONDS = 24 * 3600.0
_KEPT_UNREACHABLE_SECONDS = 300.0
LONGEST_CRAWL_DELAY = 30.0
_MINIMAL_GAP = 0.5


@dataclass(frozen=True, slots=True)
class RobotsRules:
    """One origin's rules. `state` tells where they come from: RFC 9309's three cases; `text` is the file.

    `problem` is why it is unreachable, where this process found that out itself.
    """

    state: Literal["read", "none", "unreachable"]
    parsed: Protego
    text: str = ""
    problem: str = ""

    def allows(self, url: str) -> bool:
        """Whether Click2Cart may fetch `url`; nothing may be while robots.txt is unreachable."""
        if self.state == "unreachable":
            return False
        return self.state == "none" or bool(self.parsed.can_fetch(url, AGENT))

    def refusal(self, url: str) -> FetchRefused:
        """Why `url` may not be fetched, where these rules do not allow it."""
        if self.state == "unreachable":
            because = f" ({self.problem})" if self.problem else ""
            return FetchRefused(
                url, f"robots.txt of this site cannot be read{because}, so nothing is fetched"
            )
        return FetchRefused(url, f"robots.txt forbids it for {AGENT}")

    @property
    def crawl_delay(self) -> float:
        """Seconds between requests that the store asks for, 30 at most; 0 where it asks for none."""
        delay = self.parsed.crawl_delay(AGENT)
        return min(max(float(delay), 0.0), LONGEST_CRAWL_DELAY) if delay is not None else 0.0

    @property
    def sitemaps(self) -> list[str]:
        """The sitemaps that robots.txt names."""
        return [str(url) for url in self.parsed.sitemaps]


def read_robots(status: int | None, body: str, problem: str = "") -> RobotsRules:
    """RFC 9309, 2.3.1: 4xx means no rules, an error of server or network (None) closes the whole site.

    429 counts with the errors: a store that is overwhelmed already is left alone.
    """
    if status is not None and 200 <= status < 300:
        return RobotsRules("read", Protego.parse(body[:ROBOTS_MAX_BYTES]), body[:ROBOTS_MAX_BYTES])
    if status is not None and 400 <= status < 500 and status != 429:
        return RobotsRules("none", Protego.parse(""))
    return RobotsRules("unreachable", Protego.parse(""), problem=problem[:200])


def read_kept_robots(state: Literal["read", "none", "unreachable"], text: str) -> RobotsRules:
    """Rules that another process read."""
    return RobotsRules(state, Protego.parse(text if state == "read" else ""), text)


class AutoThrottle:
    """A rest between requests that follows how long the store takes to answer: a slow store gets as much rest as work.

    Only ever adds to the gap that is kept anyway. Own hosts (`is_own`) are not spared.
    """

    def __init__(self, *, is_own: bool) -> None:
        self._is_own = is_own
        self._usual: float | None = None

    @property
    def gap(self) -> float:
        """Seconds to rest before the next request."""
        return 0.0 if self._is_own or self._usual is None else min(self._usual, LONGEST_CRAWL_DELAY)

    def note(self, seconds: float) -> None:
        """An answer, or the wait for one that did not come, took so long."""
        self._usual = seconds if self._usual is None else 0.7 * self._usual + 0.3 * seconds


@dataclass(frozen=True, slots=True)
class KeptRobots:
    """A robots file as it is shared between processes; `age` in seconds."""

    state: Literal["read", "none", "unreachable"]
    body: str
    age: float = 0.0


class SharedPlace(Protocol):
    """Where processes share what they know of hosts; any call may fail with an exception of its own."""

    def turn(self, host: str, gap: float) -> float:
        """Book the host's next turn; returns the seconds to wait for it."""

    def pause(self, host: str, seconds: float) -> None:
        """Let the host rest for so long, whoever asks."""

    def find_robots(self, origin: str) -> KeptRobots | None:
        """The robots file of that origin, if it is known and fresh."""

    def keep_robots(self, origin: str, robots: KeptRobots) -> None:
        """A robots file that was fetched just now."""


class Politeness:
    """Robots rules by origin (kept for 24 hours) and the time of each host's next turn. Threads may share it.

    Other processes share it too once it has a `place` for that; without the place, each process is polite for itself.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._rules: dict[str, tuple[float, RobotsRules]] = {}
        self._next_turn: dict[str, float] = {}
        self._place: SharedPlace | None = None

    def share(self, place: SharedPlace | None) -> None:
        """Share with other processes from now on, at this place."""
        self._place = place

    def kept_rules(self, origin: str) -> RobotsRules | None:
        """The rules of that origin, unless they are unknown or too old."""
        return self._own_rules(origin) or self._shared_rules(origin)

    def keep_rules(self, origin: str, rules: RobotsRules) -> None:
        """Remember the rules of that origin."""
        with self._lock:
            self._rules[origin] = (self._clock(), rules)
        with self._shared() as place:
            if place is not None:
                place.keep_robots(origin, KeptRobots(rules.state, rules.text))

    def _own_rules(self, origin: str) -> RobotsRules | None:
        with self._lock:
            read_at, rules = self._rules.get(origin, (0.0, None))
        if rules is None:
            return None
        return rules if self._clock() - read_at < _kept_for(rules.state) else None

    def _shared_rules(self, origin: str) -> RobotsRules | None:
        found = None
        with self._shared() as place:
            found = place.find_robots(origin) if place is not None else None
        if found is None or found.age >= _kept_for(found.state):
            return None
        rules = read_kept_robots(found.state, found.body)
        with self._lock:
            self._rules[origin] = (self._clock() - found.age, rules)
        return rules

    @contextmanager
    def _shared(self) -> Iterator[SharedPlace | None]:
        """The shared place; one that fails is done without for this once."""
        try:
            yield self._place
        except Exception:  # the place is another's: whatever fails there must not stop a crawl
            log.warning("hosts are not shared with other processes just now", exc_info=True)

    def gap(self, address: WebAddress, *, is_own: bool) -> float:
        """Seconds between two requests to that host; an own (allow-listed) host needs no minimum."""
        rules = self.kept_rules(address.origin)
        asked = rules.crawl_delay if rules else 0.0
        return max(asked, 0.0 if is_own else _MINIMAL_GAP)

    def turn(self, address: WebAddress, gap: float) -> float:
        """Book the host's next turn; returns the seconds to wait for it."""
        with self._lock:
            now = self._clock()
            at = max(now, self._next_turn.get(address.authority, now))
            self._next_turn[address.authority] = at + gap
            if len(self._next_turn) > 10_000:
                self._next_turn = {host: turn for host, turn in self._next_turn.items() if turn > now}
        wait = at - now
        if gap > 0:
            with self._shared() as place:
                wait = max(wait, place.turn(address.authority, gap) if place is not None else 0.0)
        return wait

    def pause(self, address: WebAddress, seconds: float) -> None:
        """Let the host rest for so long, whoever asks."""
        with self._lock:
            until = self._clock() + seconds
            self._next_turn[address.authority] = max(until, self._next_turn.get(address.authority, 0.0))
        with self._shared() as place:
            if place is not None:
                place.pause(address.authority, seconds)


def _kept_for(state: str) -> float:
    return _KEPT_UNREACHABLE_SECONDS if state == "unreachable" else KEPT_SECONDS


SHARED_POLITENESS = Politeness()
