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
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from aggregator.domain.errors import InvalidInput
from matcher.context import Scores
from matcher.offer_columns import OfferColumns
from matcher.preparation import Flags, Integers, PreparedCatalogue
from matcher.records import OfferRecord
from matcher.segment import ScoredPairs, Segment, read_json, read_segment, write_json, write_segment
from matcher.standing import ScoreSpread
from matcher.statistics import CatalogueStatistics

FORMAT = 3
_MANIFEST = "manifest.json"


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
        write_json(folder / name, whole)
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
            whole = read_json(folder / manifest["statistics"])
            statistics = CatalogueStatistics.from_json(whole["statistics"])
            spread = ScoreSpread.from_json(whole["spread"])
            keys = read_json(folder / manifest["keys"])
            index = cls(folder, model_version, statistics, spread, [], keys, manifest)
            for name in manifest["segments"]:
                index.segments.append(read_segment(folder / name, index.count))
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

    def alive(self) -> Flags:
        """Whether the offer of each row is neither replaced nor gone."""
        return np.array([key is not None for key in self.keys], dtype=bool)

    def record(self, row: int) -> OfferRecord:
        segment = next(one for one in reversed(self.segments) if one.first <= row)
        return segment.record(row)

    def offer_ids_of(self, rows: Integers) -> list[str]:
        """The offer ids of rows in rising order."""
        return [segment.offer_ids[row] for segment, here in self._by_segment(rows) for row in here.tolist()]

    def columns_of(self, rows: Integers) -> list[OfferColumns]:
        """What the offers of rows (in rising order) say, in parts."""
        return [segment.columns.take(here) for segment, here in self._by_segment(rows)]

    def _by_segment(self, rows: Integers) -> Iterator[tuple[Segment, Integers]]:
        for segment in self.segments:
            start, end = np.searchsorted(rows, [segment.first, segment.first + len(segment)])
            if start < end:
                yield segment, rows[start:end] - segment.first

    def store_numbers(self) -> tuple[Integers, dict[str, int]]:
        """The number of each row's store (-1 unknown), and the numbers by name."""
        numbers: dict[str, int] = {}
        rows = []
        for segment in self.segments:
            stores = segment.columns.stores
            own = [numbers.setdefault(name, len(numbers)) if name else -1 for name in stores.names]
            rows.append(np.array(own, dtype=np.int64)[stores.numbers])
        return np.concatenate([np.empty(0, dtype=np.int64), *rows]), numbers

    def pairs_of(self, rows: Integers, *, within: bool = False) -> ScoredPairs:
        """The scored pairs that any of the rows is in, or only those within the rows, without replaced offers."""
        wanted = np.zeros(self.count, dtype=bool)
        wanted[rows] = True
        alive = self.alive()
        wanted &= alive
        found = []
        for pairs in (segment.pairs for segment in self.segments):
            left, right = wanted[pairs.left], wanted[pairs.right]
            chosen = np.flatnonzero(left & right if within else left | right)
            if not within:
                chosen = chosen[alive[pairs.left[chosen]] & alive[pairs.right[chosen]]]
            found.append(pairs.take(chosen))
        return ScoredPairs.joined(found)

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
        ids = list(catalogue.offer_ids)
        first, name = self.count, uuid.uuid4().hex
        write_segment(self.folder / name, catalogue, pairs, look_alike)
        for row, offer_id in enumerate(ids, start=first):
            if (old := self.rows.get(offer_id)) is not None:
                self.keys[old] = None
            self.rows[offer_id] = row
        if moved:
            self.keys = [moved.get(key, key) if key is not None else None for key in self.keys]
        self.keys += [keys[offer_id] for offer_id in ids]
        self.segments.append(read_segment(self.folder / name, first))
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
        write_json(self.folder / keys, self.keys)
        segments = [*self._manifest["segments"], *([segment] if segment else [])]
        names = [self._manifest["statistics"], keys]
        names += [f"{one}/{file.name}" for one in segments for file in sorted((self.folder / one).iterdir())]
        files = {name: (self.folder / name).stat().st_size for name in names}
        self._manifest = {**self._manifest, "segments": segments, "keys": keys, "files": files}
        waiting = self.folder / f"{_MANIFEST}.{uuid.uuid4().hex}"
        waiting.write_text(json.dumps(self._manifest), encoding="utf-8")
        os.replace(waiting, self.folder / _MANIFEST)
        kept = {_MANIFEST, keys, self._manifest["statistics"], *segments}
        for path in self.folder.iterdir():
            if path.name not in kept:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def is_kept(folder: Path) -> bool:
    """Whether an index was ever written to the folder, whatever its state."""
    return (folder / _MANIFEST).exists()
