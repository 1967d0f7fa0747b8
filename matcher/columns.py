"""Lists of values, one an offer, kept as numbers into one list of names: a million titles in a few arrays."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

Integers = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.signedinteger]


@dataclass(frozen=True, slots=True)
class ValueLists:
    """Row i holds `names[number]` for each number in `numbers[starts[i]:starts[i + 1]]`, in order.

    `names` are sorted and each is used, so equal rows give equal arrays whatever they were made from.
    """

    starts: Integers
    numbers: npt.NDArray[np.int32]
    names: list[Any]

    @classmethod
    def of(cls, rows: Sequence[Collection[Any]]) -> Self:
        names = sorted(set(chain.from_iterable(rows)))
        number_of = {name: number for number, name in enumerate(names)}
        numbers = np.fromiter(map(number_of.__getitem__, chain.from_iterable(rows)), dtype=np.int32)
        return cls(_starts([len(row) for row in rows]), numbers, names)

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """All rows of the parts, one part after the other."""
        names = sorted(set(chain.from_iterable(part.names for part in parts)))
        number_of = {name: number for number, name in enumerate(names)}
        numbers = [
            np.array([number_of[name] for name in part.names], dtype=np.int32)[part.numbers]
            for part in parts
            if part.names
        ]
        lengths = [np.diff(part.starts) for part in parts]
        return cls(
            _starts(np.concatenate(lengths) if lengths else []),
            np.concatenate(numbers) if numbers else np.empty(0, np.int32),
            names,
        )

    @classmethod
    def of_pairs(cls, count: int, owners: Integers, numbers: Integers, names: Sequence[Any]) -> Self:
        """Sets from (owner, number of a name) pairs in any order; pairs given twice count once."""
        keys = np.unique(owners * max(len(names), 1) + numbers)
        owners, numbers = np.divmod(keys, max(len(names), 1))
        used = np.unique(numbers)
        in_order = sorted(used.tolist(), key=names.__getitem__)
        number_of = np.zeros(len(names), dtype=np.int64)
        number_of[in_order] = np.arange(len(in_order))
        numbers = number_of[numbers]
        order = np.lexsort((numbers, owners))
        lengths = np.bincount(owners, minlength=count)
        return cls(_starts(lengths), numbers[order].astype(np.int32), [names[number] for number in in_order])

    def take(self, rows: Integers) -> Self:
        """These rows alone, in this order."""
        lengths = np.diff(self.starts)[rows]
        starts = _starts(lengths)
        numbers = self.numbers[np.repeat(self.starts[rows] - starts[:-1], lengths) + np.arange(starts[-1])]
        used, numbers = np.unique(numbers, return_inverse=True)
        return type(self)(starts, numbers.astype(np.int32), [self.names[number] for number in used.tolist()])

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def owners(self) -> Integers:
        """The row of each number."""
        return np.repeat(np.arange(len(self), dtype=np.int64), np.diff(self.starts))

    def membership(self) -> sparse.csr_matrix:
        """Rows x names, 1 where the row holds the name; float32, sorted, each once."""
        ones = np.ones(len(self.numbers), dtype=np.float32)
        starts = self.starts.astype(np.int32) if len(self.numbers) < 2**31 else self.starts
        matrix = sparse.csr_matrix((ones, self.numbers.copy(), starts), shape=(len(self), len(self.names)))
        matrix.sum_duplicates()
        matrix.data[:] = 1
        return matrix


def _starts(lengths: Iterable[int] | npt.NDArray[Any]) -> Integers:
    sizes = np.fromiter(lengths, dtype=np.int64)
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)])


def numbered(values: Iterable[str]) -> Integers:
    """Equal texts get equal numbers in the order of the texts, an empty one -1."""
    texts = list(values)
    number_of = {text: number for number, text in enumerate(sorted(set(texts) - {""}))}
    number_of[""] = -1
    return np.fromiter(map(number_of.__getitem__, texts), dtype=np.int64)


def places(known: Numbers, wanted: Numbers) -> tuple[Integers, npt.NDArray[np.bool_]]:
    """Where each wanted number is among the sorted known ones, and whether it is there."""
    place = np.minimum(np.searchsorted(known, wanted), max(len(known) - 1, 0))
    found = known[place] == wanted if len(known) else np.zeros(len(wanted), dtype=bool)
    return place, found
