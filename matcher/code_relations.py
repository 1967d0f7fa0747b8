"""What model codes are to one another: parts, sisters, one model with another ending, and how rare each is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

_ENDING = re.compile(r"([a-z0-9]*\d)[a-z]{0,4}")
_LEAST_PART = 5
_LEAST_BASE = 4


@dataclass(frozen=True, slots=True)
class CodeRelations:
    """The codes of a catalogue, one row each; matrices are float32 CSR, codes x codes where nothing else is said.

    `contains`: one is a part of the other, of 5 signs or more ("nu7100" of "ue49nu7100"). `parts`: the column's is a
    part of the row's. `stems` (codes x beginnings): they begin alike. `bases` (codes x bases): they are the same up to
    the letters after the last digit ("du1055bk", "du1055xtsb"). `shapes` (codes x shapes): they differ in digits alone.
    `one_sign_longer`: one is the other and one sign more, and several offers carry each: makers part their sister
    products so, while a code that one offer alone writes longer is usually the same one. `kinds` (codes x 2): digits
    alone, or letters too. `rare` is 1 where few offers carry the code, `established` where several do; `rarity` is the
    natural logarithm of offers for each offer that carries it.
    """

    contains: sparse.csr_matrix
    parts: sparse.csr_matrix
    stems: sparse.csr_matrix
    bases: sparse.csr_matrix
    shapes: sparse.csr_matrix
    one_sign_longer: sparse.csr_matrix
    kinds: sparse.csr_matrix
    rare: npt.NDArray[np.float32]
    established: npt.NDArray[np.float32]
    rarity: npt.NDArray[np.float32]

    @classmethod
    def of(cls, names: Sequence[str], counts: Mapping[str, int], offers: int) -> Self:
        """Relations of the named codes, of which `counts` tells how many of the `offers` carry each."""
        count = np.array([counts.get(name, 0) for name in names], dtype=np.int64)
        established = (count > 1).astype(np.float32)
        contains = _containment(names)
        lengths = np.array([len(name) for name in names], dtype=np.int64)
        pairs = contains.tocoo()
        longer_by = lengths[pairs.row] - lengths[pairs.col] if pairs.nnz else np.zeros(0, dtype=np.int64)
        sisters = (np.abs(longer_by) == 1) & (established[pairs.row] > 0) & (established[pairs.col] > 0)
        return cls(
            contains=contains,
            parts=_kept(pairs, longer_by > 0),
            stems=_one_each([name[: max(4, round(0.6 * len(name)))] for name in names]),
            bases=_one_each([base_of(name) for name in names]),
            shapes=_one_each(["".join("#" if sign.isdigit() else sign for sign in name) for name in names]),
            one_sign_longer=_kept(pairs, sisters),
            kinds=_one_each(["digits" if name.isdigit() else "letters" for name in names]),
            rare=(count <= max(40, offers // 20_000)).astype(np.float32),
            established=established,
            rarity=np.maximum(np.log((offers + 1) / (1 + count)), 0).astype(np.float32),
        )


def most_specific(codes: sparse.csr_matrix, relations: CodeRelations) -> sparse.csr_matrix:
    """Offers x codes without those that are a part of another code of the same offer."""
    general = codes.multiply(codes @ relations.parts).tocsr()
    general.data = np.ones_like(general.data)
    specific = sparse.csr_matrix(codes - general)
    specific.eliminate_zeros()
    specific.sort_indices()
    return specific


def base_of(name: str) -> str:
    """The code up to its last digit where that says enough, else the whole of it."""
    found = _ENDING.fullmatch(name)
    base = found[1] if found else name
    return base if len(base) >= _LEAST_BASE and sum(sign.isdigit() for sign in base) > 1 else name


def _one_each(values: Sequence[str]) -> sparse.csr_matrix:
    """Rows x distinct values, one of them in each row."""
    number_of = {value: number for number, value in enumerate(sorted(set(values)))}
    columns = [number_of[value] for value in values]
    ones = np.ones(len(columns), dtype=np.float32)
    return sparse.csr_matrix(
        (ones, columns, np.arange(len(columns) + 1)), shape=(len(columns), len(number_of))
    )


def _kept(pairs: sparse.coo_matrix, kept: npt.NDArray[np.bool_]) -> sparse.csr_matrix:
    ones = np.ones(int(kept.sum()), dtype=np.float32)
    return sparse.csr_matrix((ones, (pairs.row[kept], pairs.col[kept])), shape=pairs.shape)


def _containment(names: Sequence[str]) -> sparse.csr_matrix:
    position = {name: index for index, name in enumerate(names) if len(name) >= _LEAST_PART}
    pairs: list[int] = []
    for index, name in enumerate(names):
        for start in range(len(name) - _LEAST_PART + 1):
            for end in range(start + _LEAST_PART, len(name) + 1):
                other = position.get(name[start:end])
                if other is not None and other != index:
                    pairs += (index, other)
    whole, part = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    keys = np.unique(np.concatenate([whole * len(names) + part, part * len(names) + whole]))
    rows, columns = np.divmod(keys, max(len(names), 1))
    ones = np.ones(len(rows), dtype=np.float32)
    return sparse.csr_matrix((ones, (rows, columns)), shape=(len(names), len(names)))
