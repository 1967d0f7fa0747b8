"""The lines that a crawl process writes: offers, counts, and how it ended. JSON, one object a line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from typing import IO, Any

from aggregator.domain.offers import InvalidOffer, RawOffer


@dataclass(frozen=True, slots=True)
class Counts:
    """What was fetched so far."""

    requests: int
    bytes_received: int


@dataclass(frozen=True, slots=True)
class Ending:
    """How the crawl ended; `problem` is None only where the store was read completely."""

    problem: str | None


Line = RawOffer | InvalidOffer | Counts | Ending
_KINDS: Mapping[str, type[Line]] = {kind.__name__: kind for kind in (RawOffer, InvalidOffer, Counts, Ending)}
_AMOUNTS = ("price", "list_price", "shipping_cost")


class LineWriter:
    """Writes lines to a pipe and hands each on at once."""

    def __init__(self, output: IO[str]) -> None:
        self._output = output

    def write(self, value: Line) -> None:
        """One line; raises BrokenPipeError where nobody reads any more."""
        self._output.write(to_line(value))
        self._output.flush()


def to_line(value: Line) -> str:
    """The value as its line. Decimals in the amounts of an offer stay told apart from text."""
    document = asdict(value)
    for name in _AMOUNTS:
        if isinstance(document.get(name), Decimal):
            document[name] = {"decimal": str(document[name])}
    return json.dumps({type(value).__name__: document}, default=str) + "\n"


def from_line(line: str) -> Line:
    """The value of a line. Raises ValueError for anything that no LineWriter wrote."""
    wrapped = json.loads(line)
    name, document = next(iter(wrapped.items()), ("", None)) if isinstance(wrapped, dict) else ("", None)
    kind = _KINDS.get(name)
    if kind is None or not isinstance(document, dict):
        raise ValueError(f"no line of a crawl: {line[:80]!r}")
    for amount in _AMOUNTS:
        if isinstance(document.get(amount), dict):
            document[amount] = Decimal(document[amount]["decimal"])
    known = {field.name for field in fields(kind)}
    values: dict[str, Any] = {key: value for key, value in document.items() if key in known}
    return kind(**values)
