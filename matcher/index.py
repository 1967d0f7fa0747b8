"""The catalogue as an incremental run needs it, kept on disk: what neighbours are sought by, records, scored pairs.

Everything here is derived and can be made anew by a full run. A folder holds one segment for the full run and one
for each increment, and a manifest that is replaced in one step and names them all: whoever reads sees the index
before or after a change, never between.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from aggregator.domain.errors import InvalidInput
from matcher.blocking import SearchFeatures, search_features, targets_of
from matcher.codes import CodeParts
from matcher.columns import ValueLists
from matcher.context import Scores
from matcher.preparation import Integers, PreparedCatalogue
from matcher.reading import ReadTitles, list_columns, plain_columns
from matcher.records import OfferRecord, identifiers_of, record_from_json, record_to_json
from matcher.standing import ScoreSpread
from matcher.statistics import CatalogueStatistics

FORMAT = 2
_MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class ScoredPairs:
    """Pairs of rows of the index, or of positions in a catalogue, with their ranking scores and log-odds."""

    left: Integers
    right: Integers
    ranks: npt.NDArray[np.floating]
    scores: npt.NDArray[np.floating]
    cautious: npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Segment:
    """Offers that were indexed together; their rows in the index begin at `first`.

    Matrices are features x offers and read from disk as they are used; those of words and grams come in parts
    that stand side by side. `own_grams` has a row an offer.
    """

    first: int
    offer_ids: Sequence[str]
    stores: npt.NDArray[np.int32]
    store_names: Sequence[str]
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
    titles: ReadTitles
    record_ends: Integers
    records: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.offer_ids)

    def record(self, row: int) -> OfferRecord:
        """The record of a row of the index."""
        local = row - self.first
        start = int(self.record_ends[local - 1]) if local else 0
        return record_from_json(json.loads(self.records[start : int(self.record_ends[local])].tobytes()))


@dataclass(slots=True)
class CatalogueIndex:
    """An open index; `statistics` and `spread` are those of the full run.

    `keys` holds the cluster of each row, None where the offer was replaced or is gone.
    """

    folder: Path
    model_version: str
    statistics: CatalogueStatistics
    spread: ScoreSpread
    segments: list[Segment]
    keys: list[str | None]
    _manifest: dict[str, Any]
    rows: dict[str, int] = field(default_factory=dict)
    """The row of each offer that is not replaced or gone."""

    @classmethod
    def build(
        cls,
        folder: Path,
        model_version: str,
        catalogue: PreparedCatalogue,
        keys: Mapping[str, str],
        pairs: ScoredPairs,
        spread: ScoreSpread,
        look_alike: Scores,
    ) -> Self:
        """Write the index of a full run, in place of any that is there; `keys` are offer id -> cluster."""
        folder.mkdir(parents=True, exist_ok=True)
        name = f"statistics-{uuid.uuid4().hex}.json"
        whole = {"statistics": catalogue.statistics.to_json(), "spread": spread.to_json()}
        _write_json(folder / name, whole)
        manifest = {"format": FORMAT, "model": model_version, "statistics": name, "segments": [], "files": {}}
        index = cls(folder, model_version, catalogue.statistics, spread, [], [], manifest)
        index.append(catalogue, keys, pairs, look_alike)
        return index

    @classmethod
    def open(cls, folder: Path, model_version: str) -> Self:
        """Read an index. Raises InvalidInput where there is none, or one that is damaged or of another model."""
        try:
            manifest = json.loads((folder / _MANIFEST).read_bytes())
            if (manifest["format"], manifest["model"]) != (FORMAT, model_version):
                raise ValueError("it was made by another model or version")
            for file, size in manifest["files"].items():
                if (folder / file).stat().st_size != size:
                    raise ValueError(f"{file} is not whole")
            whole = _read_json(folder / manifest["statistics"])
            statistics = CatalogueStatistics.from_json(whole["statistics"])
            spread = ScoreSpread.from_json(whole["spread"])
            keys = _read_json(folder / manifest["keys"])
            index = cls(folder, model_version, statistics, spread, [], keys, manifest)
            for name in manifest["segments"]:
                index.segments.append(_read_segment(folder / name, index.count))
            if index.count != len(keys):
                raise ValueError("its parts do not belong together")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InvalidInput(
                f"the index cannot be used ({error})", place=str(folder), remedy="a full run makes it anew"
            ) from error
        for segment in index.segments:
            for row, offer_id in enumerate(segment.offer_ids, start=segment.first):
                if keys[row] is not None:
                    index.rows[offer_id] = row
        return index

    @property
    def count(self) -> int:
        """Rows, those of replaced offers included."""
        return self.segments[-1].first + len(self.segments[-1]) if self.segments else 0

    def record(self, row: int) -> OfferRecord:
        segment = next(one for one in reversed(self.segments) if one.first <= row)
        return segment.record(row)

    def titles_of(self, rows: Integers) -> ReadTitles:
        """What the titles of rows (in rising order) say, as it was read when they came."""
        return ReadTitles.joined(
            [
                segment.titles.take(
                    rows[(rows >= segment.first) & (rows < segment.first + len(segment))] - segment.first
                )
                for segment in self.segments
            ]
        )

    def stubs(self, rows: Integers) -> list[OfferRecord]:
        """The rows' offers with nothing but their stores."""
        found = []
        for segment in self.segments:
            names = [*segment.store_names, ""]
            here = rows[(rows >= segment.first) & (rows < segment.first + len(segment))] - segment.first
            found += [
                OfferRecord(offer_id=segment.offer_ids[row], title="", store=names[store])
                for row, store in zip(here.tolist(), segment.stores[here].tolist(), strict=True)
            ]
        return found

    def store_numbers(self) -> tuple[Integers, dict[str, int]]:
        """The number of each row's store (-1 unknown), and the numbers by name."""
        numbers: dict[str, int] = {}
        rows = []
        for segment in self.segments:
            own = [numbers.setdefault(name, len(numbers)) for name in segment.store_names]
            rows.append(np.array([*own, -1], dtype=np.int64)[segment.stores])
        return np.concatenate([np.empty(0, dtype=np.int64), *rows]), numbers

    def pairs_of(self, rows: Integers) -> ScoredPairs:
        """The scored pairs that any of the rows is in, without replaced offers."""
        wanted = np.zeros(self.count, dtype=bool)
        wanted[rows] = True
        alive = np.array([key is not None for key in self.keys], dtype=bool)
        found = []
        for pairs in (segment.pairs for segment in self.segments):
            chosen = np.flatnonzero(wanted[pairs.left] | wanted[pairs.right])
            left, right = pairs.left[chosen].astype(np.int64), pairs.right[chosen].astype(np.int64)
            both = alive[left] & alive[right]
            kept = (column[chosen][both] for column in (pairs.ranks, pairs.scores, pairs.cautious))
            found.append((left[both], right[both], *kept))
        return ScoredPairs(*(np.concatenate(column) for column in zip(*found, strict=True)))

    def look_alike_of(self, rows: Integers) -> npt.NDArray[np.float64]:
        """The ranking score of each row's best look-alike in its own store, -inf where it has none."""
        found = np.full(len(rows), -np.inf)
        for segment in self.segments:
            here = (rows >= segment.first) & (rows < segment.first + len(segment))
            found[here] = segment.look_alike[rows[here] - segment.first]
        return found

    def append(
        self,
        catalogue: PreparedCatalogue,
        keys: Mapping[str, str],
        pairs: ScoredPairs,
        look_alike: npt.NDArray[np.floating],
        moved: Mapping[str, str] | None = None,
    ) -> None:
        """Add a catalogue's offers with their scored pairs (rows of the index, the new ones counted on).

        Offers that the index holds already are replaced; `moved` maps keys of clusters to those they joined.
        """
        ids = [record.offer_id for record in catalogue.records]
        first, name = self.count, uuid.uuid4().hex
        _write_segment(self.folder / name, catalogue, pairs, look_alike)
        for row, offer_id in enumerate(ids, start=first):
            if (old := self.rows.get(offer_id)) is not None:
                self.keys[old] = None
            self.rows[offer_id] = row
        if moved:
            self.keys = [moved.get(key, key) if key is not None else None for key in self.keys]
        self.keys += [keys[offer_id] for offer_id in ids]
        self.segments.append(_read_segment(self.folder / name, first))
        self._publish(name)

    def take_out(self, offer_ids: Iterable[str]) -> None:
        """Leave offers out from now on; ids that the index does not hold are passed over. Not written by itself."""
        for offer_id in offer_ids:
            if (row := self.rows.pop(offer_id, None)) is not None:
                self.keys[row] = None

    def forget(self, offer_ids: Iterable[str]) -> None:
        """Leave out offers that are gone, for good."""
        self.take_out(offer_ids)
        self._publish()

    def _publish(self, segment: str | None = None) -> None:
        keys = f"keys-{uuid.uuid4().hex}.json"
        _write_json(self.folder / keys, self.keys)
        segments = [*self._manifest["segments"], *([segment] if segment else [])]
        names = [self._manifest["statistics"], keys]
        names += [f"{one}/{file.name}" for one in segments for file in sorted((self.folder / one).iterdir())]
        files = {name: (self.folder / name).stat().st_size for name in names}
        self._manifest = {**self._manifest, "segments": segments, "keys": keys, "files": files}
        waiting = self.folder / f"{_MANIFEST}.{uuid.uuid4().hex}"
        _write_json(waiting, self._manifest)
        os.replace(waiting, self.folder / _MANIFEST)
        kept = {_MANIFEST, keys, self._manifest["statistics"], *segments}
        for path in self.folder.iterdir():
            if path.name not in kept:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def is_kept(folder: Path) -> bool:
    """Whether an index was ever written to the folder, whatever its state."""
    return (folder / _MANIFEST).exists()


def _write_segment(
    folder: Path, catalogue: PreparedCatalogue, pairs: ScoredPairs, look_alike: npt.NDArray[np.floating]
) -> None:
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
    store_names = sorted({record.store for record in catalogue.records} - {""})
    number_of = {name: number for number, name in enumerate(store_names)}
    number_of[""] = len(store_names)
    for name, matrix in (("words", words), ("grams", sought_by.grams)):
        for number, part in enumerate(targets_of(matrix)):
            _write_matrix(folder, f"{name}-{number}", part)
    _write_matrix(folder, "codes", codes.T.tocsr())
    _write_matrix(folder, "identifiers", identifiers.T.tocsr())
    _write_matrix(folder, "own_grams", sought_by.grams)
    CodeParts.of(code_names).save(folder)
    _write_titles(folder, catalogue.titles)
    lines = [
        json.dumps(record_to_json(record), ensure_ascii=False, separators=(",", ":")).encode()
        for record in catalogue.records
    ]
    arrays: dict[str, npt.NDArray[Any]] = {
        "stores": np.array([number_of[record.store] for record in catalogue.records], dtype=np.int32),
        "left": pairs.left.astype(np.int32),
        "right": pairs.right.astype(np.int32),
        "ranks": pairs.ranks.astype(np.float32),
        "scores": pairs.scores.astype(np.float32),
        "cautious": pairs.cautious.astype(np.float32),
        "look_alike": look_alike.astype(np.float32),
        "record_ends": np.cumsum([len(line) for line in lines], dtype=np.int64),
        "records": np.frombuffer(b"".join(lines), dtype=np.uint8),
    }
    for name, values in arrays.items():
        np.save(folder / f"{name}.npy", values)
    names = {
        "offer_ids": [record.offer_id for record in catalogue.records],
        "store_names": store_names,
        "word_names": word_names,
        "code_names": code_names,
        "identifier_names": identifier_names,
    }
    for name, texts in names.items():
        _write_json(folder / f"{name}.json", texts)


def _read_segment(folder: Path, first: int) -> Segment:
    def array(name: str) -> Any:
        return np.load(folder / f"{name}.npy", mmap_mode="c")

    def columns(name: str) -> dict[str, int]:
        return {text: number for number, text in enumerate(_read_json(folder / f"{name}.json"))}

    offer_ids = _read_json(folder / "offer_ids.json")
    code_columns = columns("code_names")
    return Segment(
        first=first,
        offer_ids=offer_ids,
        stores=array("stores"),
        store_names=_read_json(folder / "store_names.json"),
        word_columns=columns("word_names"),
        code_columns=code_columns,
        code_parts=CodeParts.open(folder, list(code_columns)),
        identifier_columns=columns("identifier_names"),
        pairs=ScoredPairs(array("left"), array("right"), array("ranks"), array("scores"), array("cautious")),
        look_alike=array("look_alike"),
        titles=_read_titles(folder),
        record_ends=array("record_ends"),
        records=array("records"),
        words=_read_parts(folder, "words"),
        grams=_read_parts(folder, "grams"),
        own_grams=_read_matrix(folder, "own_grams"),
        codes=_read_matrix(folder, "codes"),
        identifiers=_read_matrix(folder, "identifiers"),
    )


def _write_titles(folder: Path, titles: ReadTitles) -> None:
    for name in list_columns():
        lists = getattr(titles, name)
        np.save(folder / f"title_{name}-starts.npy", lists.starts)
        np.save(folder / f"title_{name}-numbers.npy", lists.numbers)
        _write_json(folder / f"title_{name}-names.json", lists.names)
    for name in plain_columns():
        np.save(folder / f"title_{name}.npy", getattr(titles, name))


def _read_titles(folder: Path) -> ReadTitles:
    def lists(name: str) -> ValueLists:
        starts, numbers = (
            np.load(folder / f"title_{name}-{part}.npy", mmap_mode="c") for part in ("starts", "numbers")
        )
        names = _read_json(folder / f"title_{name}-names.json")
        return ValueLists(starts, numbers, [tuple(one) if isinstance(one, list) else one for one in names])

    columns: dict[str, Any] = {name: lists(name) for name in list_columns()}
    columns |= {name: np.load(folder / f"title_{name}.npy", mmap_mode="c") for name in plain_columns()}
    return ReadTitles(**columns)


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


def _write_json(path: Path, value: Any) -> None:
    """JSON with a checksum in front, so that a damaged file is noticed."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    if path.name.startswith(_MANIFEST):
        path.write_bytes(body)
    else:
        path.write_bytes(b"%08x" % zlib.crc32(body) + body)


def _read_json(path: Path) -> Any:
    content = path.read_bytes()
    if content[:8] != b"%08x" % zlib.crc32(content[8:]):
        raise ValueError(f"{path.name} is damaged")
    return json.loads(content[8:])
