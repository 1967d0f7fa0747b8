"""A part of the index on disk: offers that were indexed together, what they are sought by, and their scored pairs."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from scipy import sparse

from matcher.blocking import SearchFeatures, search_features, targets_of
from matcher.codes import CodeParts
from matcher.columns import Columns, ValueLists
from matcher.offer_columns import OfferColumns
from matcher.preparation import Integers, PreparedCatalogue
from matcher.records import OfferRecord, identifiers_of, record_from_json, record_to_json

_Kind = TypeVar("_Kind", bound=Columns)
_Scores = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class ScoredPairs(Columns):
    """Pairs of rows of the index, left before right: how they rank without context, their log-odds and those that
    merging without a person goes by, and what rivals take of the pair at either end (`matcher.rivals`), by the
    ranking scores and by the log-odds."""

    left: Integers
    right: Integers
    ranks: _Scores
    rank_taken_left: _Scores
    rank_taken_right: _Scores
    scores: _Scores
    taken_left: _Scores
    taken_right: _Scores
    cautious: _Scores

    def placed(self, place: Integers) -> ScoredPairs:
        """The same pairs by what `place` holds for their numbers, left before right again."""
        left, right = place[self.left], place[self.right]
        turned = left > right

        def ends(one: _Scores, other: _Scores) -> tuple[_Scores, _Scores]:
            return np.where(turned, other, one), np.where(turned, one, other)

        rank_taken = ends(self.rank_taken_left, self.rank_taken_right)
        taken = ends(self.taken_left, self.taken_right)
        left, right = np.minimum(left, right), np.maximum(left, right)
        return ScoredPairs(left, right, self.ranks, *rank_taken, self.scores, *taken, self.cautious)

    def in_four_bytes(self) -> ScoredPairs:
        """The same with four bytes a value."""
        return ScoredPairs(
            **{
                field.name: getattr(self, field.name).astype(
                    np.int32 if field.type == "Integers" else np.float32
                )
                for field in fields(self)
            }
        )


@dataclass(frozen=True, slots=True)
class Segment:
    """Offers that were indexed together; their rows in the index begin at `first`.

    Matrices are features x offers and read from disk as they are used; those of words and grams come in parts
    that stand side by side. `own_grams` has a row an offer.
    """

    first: int
    offer_ids: Sequence[str]
    words: Sequence[sparse.csr_matrix]
    word_columns: Mapping[str, int]
    grams: Sequence[sparse.csr_matrix]
    own_grams: sparse.csr_matrix
    codes: sparse.csr_matrix
    code_columns: Mapping[str, int]
    code_parts: CodeParts
    identifiers: sparse.csr_matrix
    identifier_columns: Mapping[str, int]
    pairs: ScoredPairs
    look_alike: npt.NDArray[np.float32]
    columns: OfferColumns
    record_ends: Integers
    records: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.offer_ids)

    def record(self, row: int) -> OfferRecord:
        """The record of a row of the index."""
        local = row - self.first
        start = int(self.record_ends[local - 1]) if local else 0
        return record_from_json(json.loads(self.records[start : int(self.record_ends[local])].tobytes()))


def write_segment(
    folder: Path, catalogue: PreparedCatalogue, pairs: ScoredPairs, look_alike: npt.NDArray[np.floating]
) -> None:
    """Write a segment of these offers to a new folder; `pairs` are rows of the whole index."""
    folder.mkdir()
    sought_by: SearchFeatures = search_features(catalogue)
    codes, code_names = _held(sought_by.codes, catalogue.code_names)
    words, word_names = _held(sought_by.words, catalogue.word_names)
    held = [identifiers_of(record) for record in catalogue.records]
    identifier_names = sorted({one for row in held for one in row})
    column = {one: number for number, one in enumerate(identifier_names)}
    identifiers = sparse.csr_matrix(
        (
            np.ones(sum(map(len, held)), dtype=np.float32),
            np.array([column[one] for row in held for one in row], dtype=np.int32),
            np.concatenate([[0], np.cumsum([len(row) for row in held])]),
        ),
        shape=(len(catalogue), len(identifier_names)),
    )
    for name, matrix in (("words", words), ("grams", sought_by.grams)):
        for number, part in enumerate(targets_of(matrix)):
            _write_matrix(folder, f"{name}-{number}", part)
    _write_matrix(folder, "codes", codes.T.tocsr())
    _write_matrix(folder, "identifiers", identifiers.T.tocsr())
    _write_matrix(folder, "own_grams", sought_by.grams)
    CodeParts.of(code_names).save(folder)
    _write_columns(folder, "offer", catalogue.columns)
    _write_columns(folder, "pair", pairs.in_four_bytes())
    lines = [
        json.dumps(record_to_json(record), ensure_ascii=False, separators=(",", ":")).encode()
        for record in catalogue.records
    ]
    arrays: dict[str, npt.NDArray[Any]] = {
        "look_alike": look_alike.astype(np.float32),
        "record_ends": np.cumsum([len(line) for line in lines], dtype=np.int64),
        "records": np.frombuffer(b"".join(lines), dtype=np.uint8),
    }
    for name, values in arrays.items():
        np.save(folder / f"{name}.npy", values)
    names = {
        "offer_ids": list(catalogue.offer_ids),
        "word_names": word_names,
        "code_names": code_names,
        "identifier_names": identifier_names,
    }
    for name, texts in names.items():
        write_json(folder / f"{name}.json", texts)


def read_segment(folder: Path, first: int) -> Segment:
    """The segment in a folder, whose rows begin at `first`. Raises OSError or ValueError if damaged."""

    def array(name: str) -> Any:
        return np.load(folder / f"{name}.npy", mmap_mode="c")

    def columns(name: str) -> dict[str, int]:
        return {text: number for number, text in enumerate(read_json(folder / f"{name}.json"))}

    offer_ids = read_json(folder / "offer_ids.json")
    code_columns = columns("code_names")
    return Segment(
        first=first,
        offer_ids=offer_ids,
        word_columns=columns("word_names"),
        code_columns=code_columns,
        code_parts=CodeParts.open(folder, list(code_columns)),
        identifier_columns=columns("identifier_names"),
        pairs=_read_columns(folder, "pair", ScoredPairs),
        look_alike=array("look_alike"),
        columns=_read_columns(folder, "offer", OfferColumns),
        record_ends=array("record_ends"),
        records=array("records"),
        words=_read_parts(folder, "words"),
        grams=_read_parts(folder, "grams"),
        own_grams=_read_matrix(folder, "own_grams"),
        codes=_read_matrix(folder, "codes"),
        identifiers=_read_matrix(folder, "identifiers"),
    )


def _write_columns(folder: Path, prefix: str, columns: Columns) -> None:
    for field in fields(columns):
        column, name = getattr(columns, field.name), f"{prefix}_{field.name}"
        if isinstance(column, ValueLists):
            np.save(folder / f"{name}-starts.npy", column.starts)
            np.save(folder / f"{name}-numbers.npy", column.numbers)
            write_json(folder / f"{name}-names.json", column.names)
        else:
            np.save(folder / f"{name}.npy", column)


def _read_columns(folder: Path, prefix: str, kind: type[_Kind]) -> _Kind:
    def array(name: str) -> Any:
        return np.load(folder / f"{prefix}_{name}.npy", mmap_mode="c")

    def lists(name: str) -> ValueLists:
        names = read_json(folder / f"{prefix}_{name}-names.json")
        names = [tuple(one) if isinstance(one, list) else one for one in names]
        return ValueLists(array(f"{name}-starts"), array(f"{name}-numbers"), names)

    return kind(
        **{field.name: (lists if field.type == "ValueLists" else array)(field.name) for field in fields(kind)}
    )


def _held(matrix: sparse.csr_matrix, names: Sequence[str]) -> tuple[sparse.csr_matrix, list[str]]:
    """The columns that any row holds, and their names."""
    used = np.unique(matrix.indices)
    number = np.zeros(matrix.shape[1], dtype=np.int32)
    number[used] = np.arange(len(used), dtype=np.int32)
    held = sparse.csr_matrix(
        (matrix.data, number[matrix.indices], matrix.indptr), shape=(matrix.shape[0], len(used))
    )
    return held, [names[column] for column in used.tolist()]


def _write_matrix(folder: Path, name: str, matrix: sparse.csr_matrix) -> None:
    matrix.sort_indices()
    np.save(folder / f"{name}-data.npy", matrix.data.astype(np.float32))
    np.save(folder / f"{name}-indices.npy", matrix.indices.astype(np.int32))
    np.save(folder / f"{name}-indptr.npy", matrix.indptr.astype(np.int32))
    np.save(folder / f"{name}-shape.npy", np.array(matrix.shape))


def _read_parts(folder: Path, name: str) -> list[sparse.csr_matrix]:
    count = len(list(folder.glob(f"{name}-*-shape.npy")))
    return [_read_matrix(folder, f"{name}-{number}") for number in range(count)]


def _read_matrix(folder: Path, name: str) -> sparse.csr_matrix:
    parts = [np.load(folder / f"{name}-{part}.npy", mmap_mode="c") for part in ("data", "indices", "indptr")]
    rows, columns = np.load(folder / f"{name}-shape.npy").tolist()
    return sparse.csr_matrix(tuple(parts), shape=(rows, columns), copy=False)


def write_json(path: Path, value: Any) -> None:
    """JSON with a checksum in front, so that a damaged file is noticed."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    path.write_bytes(b"%08x" % zlib.crc32(body) + body)


def read_json(path: Path) -> Any:
    content = path.read_bytes()
    if content[:8] != b"%08x" % zlib.crc32(content[8:]):
        raise ValueError(f"{path.name} is damaged")
    return json.loads(content[8:])
