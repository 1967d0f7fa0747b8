"""Lists of values, one an offer, kept as numbers into one list of names: a million titles in a few arrays."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import chain
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

Integers = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.integer]


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

    @classmethod
    def one_each(cls, texts: Iterable[str]) -> Self:
        """One text a row, an empty one where it is unknown."""
        return cls.of([(text,) for text in texts])

    def take(self, rows: Integers) -> Self:
        """These rows alone, in this order."""
        first = self.starts[rows]
        lengths = self.starts[rows + 1] - first
        starts = _starts(lengths)
        numbers = self.numbers[np.repeat(first - starts[:-1], lengths) + np.arange(starts[-1])]
        is_used = np.zeros(len(self.names), dtype=bool)
        is_used[numbers] = True
        number_of = np.cumsum(is_used, dtype=np.int32) - np.int32(1)
        used = np.flatnonzero(is_used).tolist()
        return type(self)(starts, number_of[numbers], [self.names[number] for number in used])

    def known(self) -> Integers:
        """Of rows that hold one text each its number, in the order of the texts, -1 for an empty one."""
        has_empty = bool(self.names) and self.names[0] == ""
        return self.numbers.astype(np.int64) - int(has_empty)

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


@dataclass(frozen=True, slots=True)
class Columns:
    """What rows say, column by column: several values a row in ValueLists, one a row in arrays."""

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """All rows of the parts, one part after the other."""
        return cls(
            **{
                field.name: (ValueLists.joined if field.type == "ValueLists" else np.concatenate)(
                    [getattr(part, field.name) for part in parts]
                )
                for field in fields(cls)
            }
        )

    def take(self, rows: Integers) -> Self:
        """These rows alone, in this order."""
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        return type(self)(
            **{
                name: column.take(rows) if isinstance(column, ValueLists) else column[rows]
                for name, column in columns.items()
            }
        )


def _starts(lengths: Sequence[int] | npt.NDArray[Any]) -> Integers:
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths, dtype=np.int64)])


def places(known: Numbers, wanted: Numbers) -> tuple[Integers, npt.NDArray[np.bool_]]:
    """Where each wanted number is among the sorted known ones, and whether it is there."""
    place = np.minimum(np.searchsorted(known, wanted), max(len(known) - 1, 0))
    found = known[place] == wanted if len(known) else np.zeros(len(wanted), dtype=bool)
    return place, found


def grouped(group: Numbers, count: int) -> tuple[Numbers, Numbers]:
    """What is of each group (0 to before `count`; what is of others is left out), in order: the places one group after
    the other, and where each group begins and the last one ends."""
    all_in = not len(group) or (group.min() >= 0 and group.max() < count)
    here = np.arange(len(group)) if all_in else np.flatnonzero((group >= 0) & (group < count))
    table = sparse.csr_matrix(
        (np.ones(len(here), dtype=np.int8), (group[here], here)), shape=(count, len(group))
    )
    return table.indices, table.indptr
