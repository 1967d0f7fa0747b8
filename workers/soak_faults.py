"""What goes wrong in a soak: each fault knows how it is made, undone, and by which words it must be found again."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from fixtures.demo.stores import DemoStore

Make = Callable[[DemoStore], None]


@dataclass(frozen=True, slots=True)
class StoreFault:
    """A way in which a store goes wrong.

    `is_lasting` ones change the goods until they are undone; the others use themselves up.
    """

    name: str
    make: Make
    is_lasting: bool = False


@dataclass(slots=True)
class InjectedFault:
    """One fault as it was made: where, when, and what was found of it afterwards."""

    name: str
    subject: str
    at: datetime
    is_met: bool = False
    evidence: list[str] = field(default_factory=list)


def _prices_times_hundred(demo: DemoStore) -> None:
    for sku in demo.store.skus:
        found = demo.store.find_by_sku(sku)
        if found is not None:
            demo.control.set_price(sku, found[1].price * Decimal(100))


def _most_vanish(demo: DemoStore) -> None:
    for number, sku in enumerate(demo.store.skus):
        if number % 5:
            demo.control.vanish(sku)


def _all_sold_out(demo: DemoStore) -> None:
    for sku in demo.store.skus:
        demo.control.set_stock(sku, 0)


STORE_FAULTS = (
    StoreFault("server errors", lambda demo: demo.control.fail(times=2, status=500)),
    StoreFault("many server errors", lambda demo: demo.control.fail(times=12, status=502)),
    StoreFault("forbidden", lambda demo: demo.control.fail(times=4, status=403)),
    StoreFault("asks for patience", lambda demo: demo.control.rate_limit(times=2)),
    StoreFault("bodies cut off", lambda demo: demo.control.truncate(times=2)),
    StoreFault("connections broken off", lambda demo: demo.control.break_off(times=2)),
    StoreFault("prices times 100", _prices_times_hundred, is_lasting=True),
    StoreFault("most goods vanish", _most_vanish, is_lasting=True),
    StoreFault("all sold out", _all_sold_out, is_lasting=True),
)
SERVER_FAULTS = ("broker killed", "database killed")
PROCESS_FAULTS = ("worker killed", "clock killed", *SERVER_FAULTS)


class Plan:
    """Which fault comes when: the same for the same seed."""

    def __init__(self, seed: int, subjects: int) -> None:
        self._random = random.Random(seed)
        self._subjects = subjects
        self._store_faults: list[StoreFault] = []
        self._process_faults: list[str] = []

    def next_store_fault(self) -> tuple[int, StoreFault]:
        """A store's number and a fault; every kind comes before one comes again."""
        if not self._store_faults:
            self._store_faults = self._random.sample(STORE_FAULTS, len(STORE_FAULTS))
        return self._random.randrange(self._subjects), self._store_faults.pop()

    def next_process_fault(self, *, is_early: bool) -> str:
        """A process or server to kill, each kind before one comes again.

        Worker and clock are killed early on only: after that they run long enough to tell whether they grow.
        """
        kinds = PROCESS_FAULTS if is_early else SERVER_FAULTS
        self._process_faults = [name for name in self._process_faults if name in kinds]
        if not self._process_faults:
            self._process_faults = self._random.sample(kinds, len(kinds))
        return self._process_faults.pop()

    def pause(self, mean: float) -> float:
        """Seconds until the next fault, about `mean`."""
        return mean * self._random.uniform(0.5, 1.5)
