"""The memory of processes over time, and whether it is flat."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import psutil

_SAMPLE_SECONDS = 5.0
# What a process may gain in an hour, the first half of its samples being its warming up.
FLAT_MEGABYTES_AN_HOUR = 40.0
_MEGABYTE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """The resident memory of one process in MB; `slope` in MB an hour by least squares, after it has warmed up."""

    samples: int
    first: float
    last: float
    highest: float
    slope: float | None

    @property
    def is_flat(self) -> bool:
        """Whether it does not grow; one that lived too short to tell counts as flat."""
        return self.slope is None or self.slope < FLAT_MEGABYTES_AN_HOUR


class MemoryWatch:
    """Samples processes by name while it is open; `pids` says which they are just now.

    A process that is started anew is a new series; of each name the longest is told. The children of the worker
    are crawls that come and go: they are told together as "crawl", without a slope.
    """

    def __init__(self, pids: Callable[[], Mapping[str, int]]) -> None:
        self._pids = pids
        self._series: dict[tuple[str, int], list[tuple[float, float]]] = {}
        self._crawls: list[float] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="memory", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join()

    def result(self) -> dict[str, Memory]:
        """What was measured so far, by name."""
        longest: dict[str, list[tuple[float, float]]] = {}
        for (name, _), samples in list(self._series.items()):
            if len(samples) > len(longest.get(name, [])):
                longest[name] = list(samples)
        told = {name: memory_of(samples) for name, samples in longest.items()}
        if self._crawls:
            sizes = list(self._crawls)
            told["crawl"] = Memory(
                samples=len(sizes), first=sizes[0], last=sizes[-1], highest=max(sizes), slope=None
            )
        return told

    def _watch(self) -> None:
        while not self._is_over.wait(_SAMPLE_SECONDS):
            for name, pid in self._pids().items():
                with suppress(psutil.Error):
                    process = psutil.Process(pid)
                    size = process.memory_info().rss / _MEGABYTE
                    self._series.setdefault((name, pid), []).append((time.monotonic(), size))
                    for child in process.children(recursive=True):
                        with suppress(psutil.Error):
                            self._crawls.append(child.memory_info().rss / _MEGABYTE)


def memory_of(samples: list[tuple[float, float]]) -> Memory:
    """What samples of (seconds, megabytes) come to."""
    sizes = [size for _, size in samples]
    return Memory(
        samples=len(sizes),
        first=round(sizes[0], 1),
        last=round(sizes[-1], 1),
        highest=round(max(sizes), 1),
        slope=_slope(samples[len(samples) // 2 :]),
    )


def _slope(samples: list[tuple[float, float]]) -> float | None:
    """Megabytes an hour; None for less than two minutes."""
    if len(samples) < 2 or samples[-1][0] - samples[0][0] < 120:
        return None
    mean_time = sum(at for at, _ in samples) / len(samples)
    mean_size = sum(size for _, size in samples) / len(samples)
    spread = sum((at - mean_time) ** 2 for at, _ in samples)
    together = sum((at - mean_time) * (size - mean_size) for at, size in samples)
    return round(3600 * together / spread, 2)
