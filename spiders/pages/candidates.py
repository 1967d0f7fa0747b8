"""What a source says of one field, and how far it is believed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Candidate:
    """One value for one field. `weight` is how sure the source is alone (0 to 1); `where` is for people."""

    field: str
    value: Any
    source: str
    where: str
    weight: float

    def shown(self) -> dict[str, str]:
        """As it is kept for a person."""
        return {
            "field": self.field,
            "value": str(self.value)[:200],
            "source": self.source,
            "where": self.where,
        }


def best(
    candidates: Iterable[Candidate], same: Callable[[Any], Any], rule: str | None = None
) -> Candidate | None:
    """The candidate whose value is believed most; sources that agree (`same` value) raise each other.

    A `rule` names the source that a person chose to believe for this field: it wins where it says anything.
    """
    known = list(candidates)
    if rule is not None:
        for candidate in known:
            if candidate.source == rule:
                return candidate
    doubt: dict[Any, float] = {}
    for candidate in known:
        key = same(candidate.value)
        doubt[key] = doubt.get(key, 1.0) * (1.0 - candidate.weight)
    return min(known, key=lambda candidate: (doubt[same(candidate.value)], -candidate.weight), default=None)


def as_reading(
    candidates: Mapping[str, list[Candidate]], fields: Iterable[str]
) -> dict[str, list[list[str]]]:
    """The kept form: by field what each source said, the surest first."""
    return {
        name: [
            [candidate.source, str(candidate.value)[:200]]
            for candidate in sorted(candidates[name], key=lambda c: -c.weight)
        ]
        for name in fields
        if candidates.get(name)
    }
