"""Titles of a whole catalogue read into columns, and read again one by one where a person wants to know why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
import numpy.typing as npt

from matcher.columns import Columns, ValueLists
from matcher.parallel import over_parts
from matcher.titles import TitleReading, read_title

_PART = 5_000
_SETS_AND_LISTS = ("words", "pieces", "codes", "measures", "numbers", "colours", "editions", "contrasts")


@dataclass(frozen=True, slots=True)
class ReadTitles(Columns):
    """What titles say, column by column; row i is what `read_title` says of title i.

    `words` and `pieces` keep their order and may repeat, `regions` hold one each, the others are sets.
    """

    words: ValueLists
    pieces: ValueLists
    codes: ValueLists
    measures: ValueLists
    numbers: ValueLists
    colours: ValueLists
    editions: ValueLists
    regions: ValueLists
    contrasts: ValueLists
    accessory: npt.NDArray[np.bool_]
    refurbished: npt.NDArray[np.bool_]
    bundle: npt.NDArray[np.int8]
    pack: npt.NDArray[np.int64]

    @classmethod
    def of(cls, titles: Sequence[str]) -> Self:
        readings = [read_title(title) for title in titles]
        lists = {
            name: ValueLists.of([getattr(reading, name) for reading in readings]) for name in _SETS_AND_LISTS
        }
        return cls(
            **lists,
            regions=ValueLists.one_each(reading.region for reading in readings),
            accessory=np.array([reading.accessory for reading in readings], dtype=bool),
            refurbished=np.array([reading.refurbished for reading in readings], dtype=bool),
            bundle=np.array([reading.bundle for reading in readings], dtype=np.int8),
            pack=np.array([reading.pack for reading in readings], dtype=np.int64),
        )


def read_titles(titles: Sequence[str], processes: int = 1) -> ReadTitles:
    """Read every title once; several processes give the same as one."""

    def part(start: int, end: int) -> ReadTitles:
        return ReadTitles.of(titles[start:end])

    parts = list(over_parts(part, len(titles), _PART, processes))
    return ReadTitles.joined(parts) if len(parts) > 1 else parts[0] if parts else ReadTitles.of([])


@lru_cache(maxsize=2048)
def read_again(title: str) -> TitleReading:
    """As `read_title`, for the evidence of a pair, which asks for its two titles many times."""
    return read_title(title)
