"""Python loads this at its start where it is on the path: the process's wall clock is off by what a file says."""

from __future__ import annotations

import datetime
import os
import time

_FILE = os.environ.get("TEST_CLOCK_SHIFT", "")
_real_time = time.time
_Instant = datetime.datetime


def _shift() -> float:
    try:
        with open(_FILE) as file:
            return float(file.read() or 0)
    except OSError:
        return 0.0


class _Kind(type):
    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, _Instant)


class _Shifted(_Instant, metaclass=_Kind):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:
        return _Instant.now(tz) + datetime.timedelta(seconds=_shift())

    @classmethod
    def utcnow(cls) -> datetime.datetime:
        return _Instant.now(datetime.UTC).replace(tzinfo=None) + datetime.timedelta(seconds=_shift())


if _FILE:
    time.time = lambda: _real_time() + _shift()
    datetime.datetime = _Shifted  # type: ignore[misc]  # it stands in for the class that everybody imports
