"""Which model codes are a part of which others, found by groups of five signs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from matcher.columns import Integers

_SHORTEST = 5


@dataclass(frozen=True, slots=True)
class CodeParts:
    """Every group of five signs of the named codes (as one sorted number each), and whose it is."""

    names: Sequence[str]
    groups: Integers
    owners: Integers

    @classmethod
    def of(cls, names: Sequence[str]) -> Self:
        groups, owners = _groups(names)
        order = np.lexsort((owners, groups))
        return cls(names, groups[order], owners[order])

    @classmethod
    def open(cls, folder: Path, names: Sequence[str]) -> Self:
        return cls(
            names,
            np.load(folder / "code_groups.npy", mmap_mode="c"),
            np.load(folder / "code_group_owners.npy", mmap_mode="c"),
        )

    def save(self, folder: Path) -> None:
        np.save(folder / "code_groups.npy", self.groups)
        np.save(folder / "code_group_owners.npy", self.owners)

    def containing(self, part: str) -> list[int]:
        """The named codes that `part` (5 signs or more) is a part of, itself left out."""
        if len(part) < _SHORTEST:
            return []
        groups, _ = _groups([part])
        spans = [np.searchsorted(self.groups, (group, group + 1)) for group in groups.tolist()]
        start, end = min(spans, key=lambda span: int(span[1] - span[0]))
        found = np.unique(self.owners[start:end]).tolist()
        return [owner for owner in found if part in self.names[owner] and part != self.names[owner]]


def _groups(names: Sequence[str]) -> tuple[Integers, Integers]:
    long = [(number, name) for number, name in enumerate(names) if len(name) >= _SHORTEST]
    signs = np.frombuffer("".join(name for _, name in long).encode("utf-32-le"), dtype=np.uint32)
    owner = np.repeat([number for number, _ in long], [len(name) for _, name in long]).astype(np.int64)
    count = max(len(signs) - _SHORTEST + 1, 0)
    group = np.zeros(count, dtype=np.int64)
    for ahead in range(_SHORTEST):
        # Codes hold ASCII letters and digits alone.
        group = group * 128 + signs[ahead : ahead + count].astype(np.int64) % 128
    inside = owner[:count] == owner[_SHORTEST - 1 :][:count]
    return group[inside], owner[:count][inside]
