"""Fresh offers and what of an index stands around them, as one prepared catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np

from matcher.index import CatalogueIndex
from matcher.offer_columns import OfferColumns
from matcher.preparation import Integers, PreparedCatalogue, prepared
from matcher.records import OfferRecord
from matcher.rivals import KeptClaims
from matcher.segment import ScoredPairs
from matcher.standing import KeptRanks


@dataclass(frozen=True, slots=True)
class Beside:
    """Fresh offers and some rows of the index as one catalogue.

    Offers go by numbers: those of the index by their rows, fresh ones by the rows they are going to have. `place`
    leads from numbers to positions, -1 where an offer is not among them; `numbers` leads back.
    """

    catalogue: PreparedCatalogue
    place: Integers
    numbers: Integers

    @classmethod
    def of(cls, index: CatalogueIndex, fresh: PreparedCatalogue, rows: Integers) -> Beside:
        """`rows` are in rising order."""
        numbers = np.concatenate([rows, index.count + np.arange(len(fresh))])
        ids = [*index.offer_ids_of(rows), *fresh.offer_ids]
        order = np.array(sorted(range(len(ids)), key=ids.__getitem__), dtype=np.int64)
        columns = OfferColumns.joined([*index.columns_of(rows), fresh.columns]).take(order)
        numbers = numbers[order]
        place = np.full(index.count + len(fresh), -1, dtype=np.int64)
        place[numbers] = np.arange(len(order))
        records = _Records(index, fresh.records, numbers)
        ids = [ids[one] for one in order.tolist()]
        return cls(prepared(ids, records, columns, index.statistics), place, numbers)

    def ordered(self, one: Integers, other: Integers) -> tuple[Integers, Integers]:
        """Positions of pairs of numbers, left before right."""
        return np.minimum(self.place[one], self.place[other]), np.maximum(self.place[one], self.place[other])

    def kept(self, index: CatalogueIndex, pairs: ScoredPairs) -> tuple[KeptRanks, KeptClaims]:
        """Pairs of numbers as pairs of positions: how they rank, and what they claim by their log-odds."""
        is_stranger = np.zeros(len(self.place), dtype=bool)
        is_stranger[pairs.left] = is_stranger[pairs.right] = True
        strangers = np.flatnonzero(is_stranger & (self.place < 0))
        place = self.place.copy()
        place[strangers] = len(self.catalogue) + np.arange(len(strangers))
        placed = pairs.placed(place)
        claims, by_score = (
            KeptClaims.of(placed.left, placed.right, scores, *taken)
            for scores, taken in (
                (placed.ranks, (placed.rank_taken_left, placed.rank_taken_right)),
                (placed.scores, (placed.taken_left, placed.taken_right)),
            )
        )
        stores = self._stores_of(index, strangers)
        return KeptRanks(stores, placed.left, placed.right, placed.ranks.astype(np.float64), claims), by_score

    def _stores_of(self, index: CatalogueIndex, strangers: Integers) -> Integers:
        """The numbers of strangers' stores; stores that no offer of the catalogue is of are counted on."""
        own = [name for name in self.catalogue.columns.stores.names if name]
        number_of = {name: number for number, name in enumerate(own)}
        row_store, names = index.store_numbers()
        number = np.array(
            [number_of.setdefault(name, len(number_of)) for name in names] + [-1], dtype=np.int64
        )
        return number[row_store[strangers]]


class _Records(Sequence[OfferRecord]):
    """Records by position, read from the index when they are first asked for."""

    def __init__(self, index: CatalogueIndex, fresh: Sequence[OfferRecord], numbers: Integers) -> None:
        self._index, self._fresh, self._numbers = index, fresh, numbers
        self._read: dict[int, OfferRecord] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, position: int) -> OfferRecord: ...

    @overload
    def __getitem__(self, position: slice) -> _Records: ...

    def __getitem__(self, position: int | slice) -> OfferRecord | _Records:
        if isinstance(position, slice):
            return _Records(self._index, self._fresh, self._numbers[position])
        number = int(self._numbers[position])
        if number >= self._index.count:
            return self._fresh[number - self._index.count]
        if number not in self._read:
            self._read[number] = self._index.record(number)
        return self._read[number]
