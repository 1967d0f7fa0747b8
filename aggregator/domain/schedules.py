"""When a store is to be read: by interval or by cron in a time zone, with jitter and quiet hours."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property
from itertools import islice, pairwise
from typing import Any
from zoneinfo import ZoneInfo

from aggregator.domain.cron import CronExpression, wall_instants
from aggregator.domain.errors import InvalidInput

LONGEST_INTERVAL = 31_536_000
LONGEST_JITTER = 21_600
_KEYS = ("interval", "cron", "timezone", "jitter", "quiet_from", "quiet_until")


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """`interval` seconds between two readings, or `cron`: one of both.

    Each reading comes up to `jitter` seconds later, always the same for the same store and time, so that many stores
    do not begin at once. None begins in quiet hours: it waits for their end.
    """

    interval: int | None = None
    cron: str | None = None
    timezone: str = "UTC"
    jitter: int = 0
    quiet_from: time | None = None
    quiet_until: time | None = None

    def __post_init__(self) -> None:
        if (self.interval is None) == (self.cron is None):
            raise InvalidInput(
                "a schedule has an interval or a cron expression",
                place="schedule",
                remedy="give one of both",
            )
        if self.interval is not None and not 1 <= self.interval <= LONGEST_INTERVAL:
            raise InvalidInput(
                f"{self.interval} seconds cannot be an interval",
                place="interval",
                remedy="from a second to a year",
            )
        if not 0 <= self.jitter <= LONGEST_JITTER:
            raise InvalidInput(
                f"{self.jitter} seconds cannot be the jitter", place="jitter", remedy="0 to 6 hours"
            )
        if (self.quiet_from is None) != (self.quiet_until is None) or (
            self.quiet_from is not None and self.quiet_from == self.quiet_until
        ):
            raise InvalidInput(
                "quiet hours have a beginning and another end",
                place="quiet hours",
                remedy="such as 22:00 to 06:00",
            )
        _ = self.zone
        if self.cron is not None:
            _ = self._expression

    @cached_property
    def _expression(self) -> CronExpression:
        assert self.cron is not None, "only asked for where there is one"
        return CronExpression.parse(self.cron)

    @cached_property
    def zone(self) -> ZoneInfo:
        """The time zone that cron and quiet hours are meant in."""
        try:
            return ZoneInfo(self.timezone)
        except (KeyError, ValueError, OSError) as error:
            raise InvalidInput(
                f"{self.timezone[:60]!r} is no time zone",
                place="timezone",
                remedy="use a name such as Europe/Berlin",
            ) from error

    def next_time(self, after: datetime, seed: str = "") -> datetime:
        """The first planned instant after that one, in UTC; `seed` names the store for its jitter."""
        return next(self.times(after, seed))

    def times(self, after: datetime, seed: str = "") -> Iterator[datetime]:
        """The planned instants after that one, in order, in UTC, without end."""
        if self.interval is not None:
            while True:
                after = self._planned(after + timedelta(seconds=self.interval), seed)
                yield after
        waiting = timedelta(seconds=self.jitter) + (timedelta(days=1) if self.quiet_from else timedelta(0))
        planned: set[datetime] = set()
        for base in self._expression.instants(after - waiting, self.zone):
            # Nothing that comes later is planned before its own time.
            ready = sorted(at for at in planned if at < base)
            yield from ready
            planned.difference_update(ready)
            at = self._planned(base, seed)
            if at > after:
                planned.add(at)

    def upcoming(self, after: datetime, seed: str = "", *, count: int = 5) -> list[datetime]:
        """The next planned instants."""
        return list(islice(self.times(after, seed), count))

    def longest_gap(self, after: datetime) -> int:
        """Seconds that pass at most between two of the next readings: by it a store is late."""
        if self.interval is not None:
            return self.interval
        times = self.upcoming(after, count=12)
        return max(int((late - early).total_seconds()) for early, late in pairwise(times))

    def _planned(self, base: datetime, seed: str) -> datetime:
        jitter = timedelta(seconds=self._jitter_of(base, seed))
        end = self._quiet_end(base + jitter)
        if end is None:
            return base + jitter
        return end if self._quiet_end(end + jitter) else end + jitter

    def _jitter_of(self, base: datetime, seed: str) -> int:
        if not self.jitter:
            return 0
        digest = hashlib.sha256(f"{seed} {base.isoformat(timespec='minutes')}".encode()).digest()
        return int.from_bytes(digest[:4], "big") % (self.jitter + 1)

    def _quiet_end(self, at: datetime) -> datetime | None:
        """When the quiet hours end that this instant lies in; None where it lies in none."""
        if self.quiet_from is None or self.quiet_until is None:
            return None
        local = at.astimezone(self.zone)
        now = local.time().replace(tzinfo=None)
        wraps = self.quiet_from > self.quiet_until
        is_quiet = (
            now >= self.quiet_from or now < self.quiet_until
            if wraps
            else self.quiet_from <= now < self.quiet_until
        )
        if not is_quiet:
            return None
        days: list[date] = [local.date(), local.date() + timedelta(days=1)]
        ends = [
            end
            for day in days
            for end in wall_instants(datetime.combine(day, self.quiet_until), self.zone)[0]
        ]
        return min(end for end in ends if end > at)

    def to_json(self) -> dict[str, Any]:
        """The form that is stored and exported; what is not set is left out."""
        values = {
            "interval": self.interval,
            "cron": self.cron,
            "timezone": self.timezone,
            "jitter": self.jitter or None,
            "quiet_from": self.quiet_from and self.quiet_from.strftime("%H:%M"),
            "quiet_until": self.quiet_until and self.quiet_until.strftime("%H:%M"),
        }
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Schedule:
        """Read the form that `to_json` writes, texts for numbers too; raises InvalidInput for anything else."""
        if not isinstance(document, Mapping) or set(document) - set(_KEYS):
            raise InvalidInput(
                "not a schedule", place="schedule", remedy=f"an object with {', '.join(_KEYS)}"
            )
        return cls(
            interval=_whole(document, "interval"),
            cron=_text(document, "cron"),
            timezone=_text(document, "timezone") or "UTC",
            jitter=_whole(document, "jitter") or 0,
            quiet_from=_clock(document, "quiet_from"),
            quiet_until=_clock(document, "quiet_until"),
        )


def _text(document: Mapping[str, Any], name: str) -> str | None:
    value = document.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidInput(f"{name} is no text", place=name, remedy="write it in quotes")
    return (value or "").strip()[:200] or None


def _whole(document: Mapping[str, Any], name: str) -> int | None:
    value = document.get(name)
    if value is None or value == "":
        return None
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InvalidInput(f"{text[:20]!r} is no number of seconds", place=name, remedy="a whole number")
    return int(text)


def _clock(document: Mapping[str, Any], name: str) -> time | None:
    text = _text(document, name)
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%H:%M").time()  # noqa: DTZ007  # a time of day has no zone of its own
    except ValueError as error:
        raise InvalidInput(
            f"{text[:20]!r} is no time of day", place=name, remedy="write it as 22:00"
        ) from error
