"""One function over parts of a whole, in this process or in several that share its memory."""

from __future__ import annotations

import ctypes
import gc
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

Result = TypeVar("Result")

# Does every part and gives the results in order; see `spread_by`.
Spread = Callable[[Callable[[int, int], Any], list[tuple[int, int]]], Iterable[Any]]
_spread: ContextVar[Spread | None] = ContextVar("spread", default=None)

# What the forked processes are to do: they inherit it, so neither it nor what it holds is ever copied or pickled.
_work: Callable[[int, int], Any] | None = None


# Fewer offers than this are matched faster than processes are started.
_FEW_OFFERS = 50_000


def processes_for(offers: int) -> int:
    """How many processes so many offers are worth: one, or all processors that this one may use."""
    if offers < _FEW_OFFERS or sys.platform != "linux":
        return 1
    return len(os.sched_getaffinity(0))


def parts_of(count: int, size: int) -> list[tuple[int, int]]:
    """Half-open ranges of at most `size` that cover 0 to `count`, in order."""
    return [(start, min(start + size, count)) for start in range(0, count, max(size, 1))]


def over_parts(
    work: Callable[[int, int], Result], count: int, size: int, processes: int = 1
) -> Iterator[Result]:
    """`work(start, end)` for each part of at most `size`, results in order.

    With several processes the parts are done side by side by forks of this one; the results have to be
    picklable and are the same as with one. Where the system cannot fork safely there is one process.
    """
    parts = parts_of(count, size)
    if (spread := _spread.get()) is not None:
        yield from spread(work, parts)
        return
    if processes < 2 or len(parts) < 2 or sys.platform != "linux":
        for start, end in parts:
            yield work(start, end)
        return
    global _work
    _work = work
    try:
        with _unmoved_memory(), multiprocessing.get_context("fork").Pool(min(processes, len(parts))) as pool:
            yield from pool.imap(_one_part, parts)
    finally:
        _work = None


@contextmanager
def spread_by(spread: Spread) -> Iterator[None]:
    """As long as this lasts, `spread` does the parts in place of this machine's processes.

    `work` and its results have to be picklable. Parts are the same wherever they are done, and so are results.
    """
    before = _spread.set(spread)
    try:
        yield
    finally:
        _spread.reset(before)


def _one_part(part: tuple[int, int]) -> Any:
    assert _work is not None
    return _work(*part)


@contextmanager
def _unmoved_memory() -> Iterator[None]:
    """Keep the garbage collector from touching, and so copying, what the forks share; what was freed before them goes
    back to the system, for what they write there would be theirs alone."""
    _give_back()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _give_back() -> None:
    """Free memory inside the heap is kept by glibc for later: a quarter of all in a run over a million offers."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
