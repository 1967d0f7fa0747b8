"""How often and how long an address is asked again that gave no usable answer."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from aggregator.domain.errors import FetchFailed, Throttled

_THROTTLED = frozenset({429, 430, 503})
_FAILED = frozenset({408, 500, 502, 504, 520, 521, 522, 523, 524})
# A store that asks for a longer rest than this gets it between two runs.
LONGEST_PAUSE = 60.0


def failure_of(url: str, status: int, headers: Mapping[str, str]) -> FetchFailed | None:
    """Why an answer of this status is none to go on with, `headers` by their names in lower case; None where it is."""
    if status not in _THROTTLED | _FAILED:
        return None
    asked = retry_after_seconds(headers.get("retry-after"))
    if status in _THROTTLED and not (status == 503 and asked is None):
        return Throttled(url, status=status, retry_after=asked)
    return FetchFailed(url, f"answered HTTP {status}", status=status, retry_after=asked)


class Patience:
    """What is left of attempts and pauses for one address."""

    def __init__(self, attempts: int) -> None:
        self._attempts = attempts
        self._left = LONGEST_PAUSE
        self._failures = 0

    def pause_after(self, failure: FetchFailed) -> float:
        """Seconds to rest before it is asked again; raises `failure` where patience is used up.

        Never less than our own growing pause: a store that asks to be asked again at once, for ever, gets that too.
        """
        self._failures += 1
        own = 0.5 * 2.0**self._failures * random.uniform(0.8, 1.2)
        asked = failure.retry_after
        pause = own if asked is None else max(asked, own)
        self._left -= pause
        # Being asked to wait is no failure: that ends with our patience, not with the attempts.
        if self._left < 0 or (self._failures >= self._attempts and asked is None):
            raise failure
        return pause


def repeat_words(failure: FetchFailed) -> str:
    """Why there was no usable answer, in a word or two."""
    return f"HTTP {failure.status}" if failure.status is not None else "no answer"


def retry_after_seconds(text: str | None) -> float | None:
    """Seconds that a Retry-After header asks for, given as seconds or as a date; None for none or nonsense."""
    if not text:
        return None
    if text.strip().isdecimal():
        return float(text.strip()[:9])
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max((at - datetime.now(UTC)).total_seconds(), 0.0)
