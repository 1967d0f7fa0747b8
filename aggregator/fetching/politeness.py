"""What a store asks of crawlers: its robots.txt (RFC 9309), and the pause between two requests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from protego import Protego

from aggregator.domain.web_addresses import WebAddress

# The product token that robots.txt groups are matched with; the user agent begins with it.
AGENT = "Click2Cart"
ROBOTS_MAX_BYTES = 512_000
_KEPT_SECONDS = 24 * 3600.0
_KEPT_UNREACHABLE_SECONDS = 300.0
_LONGEST_CRAWL_DELAY = 30.0
_MINIMAL_GAP = 0.5


@dataclass(frozen=True, slots=True)
class RobotsRules:
    """One origin's rules. `state` tells where they come from: RFC 9309's three cases; `text` is the file."""

    state: Literal["read", "none", "unreachable"]
    parsed: Protego
    text: str = ""

    def allows(self, url: str) -> bool:
        """Whether Click2Cart may fetch `url`; nothing may be while robots.txt is unreachable."""
        if self.state == "unreachable":
            return False
        return self.state == "none" or bool(self.parsed.can_fetch(url, AGENT))

    @property
    def crawl_delay(self) -> float:
        """Seconds between requests that the store asks for, 30 at most; 0 where it asks for none."""
        delay = self.parsed.crawl_delay(AGENT)
        return min(max(float(delay), 0.0), _LONGEST_CRAWL_DELAY) if delay is not None else 0.0

    @property
    def sitemaps(self) -> list[str]:
        """The sitemaps that robots.txt names."""
        return [str(url) for url in self.parsed.sitemaps]


def read_robots(status: int | None, body: str) -> RobotsRules:
    """RFC 9309, 2.3.1: 4xx means no rules, an error of server or network (None) closes the whole site.

    429 counts with the errors: a store that is overwhelmed already is left alone.
    """
    if status is not None and 200 <= status < 300:
        return RobotsRules("read", Protego.parse(body[:ROBOTS_MAX_BYTES]), body[:ROBOTS_MAX_BYTES])
    if status is not None and 400 <= status < 500 and status != 429:
        return RobotsRules("none", Protego.parse(""))
    return RobotsRules("unreachable", Protego.parse(""))


class Politeness:
    """Robots rules by origin (kept for 24 hours) and the time of each host's next turn. Threads may share it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._rules: dict[str, tuple[float, RobotsRules]] = {}
        self._next_turn: dict[str, float] = {}

    def kept_rules(self, origin: str) -> RobotsRules | None:
        """The rules of that origin, unless they are unknown or too old."""
        with self._lock:
            read_at, rules = self._rules.get(origin, (0.0, None))
        if rules is None:
            return None
        kept = _KEPT_UNREACHABLE_SECONDS if rules.state == "unreachable" else _KEPT_SECONDS
        return rules if self._clock() - read_at < kept else None

    def keep_rules(self, origin: str, rules: RobotsRules) -> None:
        """Remember the rules of that origin."""
        with self._lock:
            self._rules[origin] = (self._clock(), rules)

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
        return at - now

    def pause(self, address: WebAddress, seconds: float) -> None:
        """Let the host rest for so long, whoever asks."""
        with self._lock:
            until = self._clock() + seconds
            self._next_turn[address.authority] = max(until, self._next_turn.get(address.authority, 0.0))


SHARED_POLITENESS = Politeness()
