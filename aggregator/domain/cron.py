"""Cron expressions in a time zone: at which instants they fall, on the days when the clocks change too.

The five fields are those of crontab(5): minute, hour, day of the month, month, day of the week, with lists, ranges,
steps and English names. Where both days are given, either is enough.

When the clocks change, a job that names its hours runs once all the same: a time that is skipped runs at the moment
of the change, a time that comes twice runs the first time. A job for every hour goes by the hours that really pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from aggregator.domain.errors import InvalidInput

_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_DAYS = "sun mon tue wed thu fri sat".split()
_SHORTHANDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
# Past the eight years that may lie between two 29ths of February.
_FARTHEST = timedelta(days=9 * 366)


@dataclass(frozen=True, slots=True)
class CronExpression:
    """What a cron expression asks for; build it with `parse`. Days of the week count from 0, Sunday."""

    text: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool

    @classmethod
    def parse(cls, text: str) -> CronExpression:
        """Read an expression; raises InvalidInput naming the field, also for one that never comes (31 February)."""
        words = " ".join(text.split()).lower()
        fields = _SHORTHANDS.get(words, words).split(" ")
        if len(fields) != 5:
            raise InvalidInput(
                f"{text[:60]!r} is no cron expression",
                place="cron",
                remedy="five fields: minute hour day month weekday, such as 30 2 * * *",
            )
        minutes = _values(fields[0], "minute", 0, 59)
        hours = _values(fields[1], "hour", 0, 23)
        days = _values(fields[2], "day", 1, 31)
        months = _values(fields[3], "month", 1, 12, _MONTHS)
        weekdays = {day % 7 for day in _values(fields[4], "weekday", 0, 7, _DAYS)}
        expression = cls(
            text=words,
            minutes=tuple(sorted(minutes)),
            hours=tuple(sorted(hours)),
            days=frozenset(days),
            months=frozenset(months),
            weekdays=frozenset(weekdays),
            either_day=not fields[2].startswith("*") and not fields[4].startswith("*"),
        )
        if not any(expression._falls_on(date(2000, 1, 1) + timedelta(days=day)) for day in range(9 * 366)):
            raise InvalidInput(f"{text[:60]!r} never comes", place="cron", remedy="check day and month")
        return expression

    @property
    def is_hourly(self) -> bool:
        """Whether it asks for every hour of the day."""
        return len(self.hours) == 24

    def instants(self, after: datetime, timezone: tzinfo) -> Iterator[datetime]:
        """Every instant after that one, in order, in UTC."""
        day = after.astimezone(timezone).date() - timedelta(days=1)
        last = day + _FARTHEST
        while day <= last:
            if self._falls_on(day):
                for instant in self._instants_of(day, timezone):
                    if instant > after:
                        yield instant
                        last = day + _FARTHEST
            day += timedelta(days=1)

    def _falls_on(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        of_month, of_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return of_month or of_week if self.either_day else of_month and of_week

    def _instants_of(self, day: date, timezone: tzinfo) -> list[datetime]:
        found: set[datetime] = set()
        for hour in self.hours:
            for minute in self.minutes:
                instants, is_skipped = wall_instants(datetime.combine(day, time(hour, minute)), timezone)
                if self.is_hourly:
                    found.update(() if is_skipped else instants)
                else:
                    found.add(instants[0])
        return sorted(found)


def wall_instants(wall: datetime, timezone: tzinfo) -> tuple[list[datetime], bool]:
    """The instants, in UTC, at which clocks of that zone show a time; and whether they skip it.

    One on most days, two where the hour comes twice; a time that is skipped gives the moment of the change.
    """
    first, second = (wall.replace(tzinfo=timezone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first == second:
        return [first], False
    if first < second:
        return [first, second], False
    # Skipped: the change lies between what the offsets after and before it make of the time.
    offset = second.astimezone(timezone).utcoffset()
    before, changed = 0, int((first - second).total_seconds())
    while changed - before > 1:
        middle = (before + changed) // 2
        if (second + timedelta(seconds=middle)).astimezone(timezone).utcoffset() == offset:
            before = middle
        else:
            changed = middle
    return [second + timedelta(seconds=changed)], True


def _values(field: str, name: str, least: int, most: int, names: list[str] | None = None) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        matched = re.fullmatch(r"(\*|[a-z0-9]+)(?:-([a-z0-9]+))?(?:/([0-9]{1,2}))?", part, re.ASCII)
        if not matched or (matched[1] == "*" and matched[2]):
            raise _refused(part, name, least, most)
        step = int(matched[3] or 1)
        if matched[1] == "*":
            first, last = least, most
        else:
            first = _value(matched[1], name, least, most, names)
            last = _value(matched[2], name, least, most, names) if matched[2] else first
            if matched[3] and not matched[2]:
                last = most
        if first > last or step == 0:
            raise _refused(part, name, least, most)
        found.update(range(first, last + 1, step))
    return found


def _value(text: str, name: str, least: int, most: int, names: list[str] | None) -> int:
    if names and text in names:
        return names.index(text) + (1 if least else 0)
    if not text.isdigit() or not least <= int(text[:4]) <= most:
        raise _refused(text, name, least, most)
    return int(text)


def _refused(part: str, name: str, least: int, most: int) -> InvalidInput:
    return InvalidInput(
        f"{part[:20]!r} is no {name}", place="cron", remedy=f"{least} to {most}, lists, ranges, steps, or *"
    )
