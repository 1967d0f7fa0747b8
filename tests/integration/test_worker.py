"""The worker keeps the promises that actors declare."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import dramatiq
from dramatiq.middleware import TimeLimitExceeded

from aggregator.settings import Settings
from workers.broker import start_worker
from workers.context import working


def test_a_job_that_outlasts_its_time_limit_is_broken_off(settings: Settings, tmp_path: Path) -> None:
    is_broken_off = threading.Event()

    def outlast() -> None:
        try:
            give_up_at = time.monotonic() + 60
            while time.monotonic() < give_up_at:
                is_broken_off.wait(0.01)
        except TimeLimitExceeded:
            is_broken_off.set()

    with working(settings):
        job = dramatiq.actor(outlast, max_retries=0, time_limit=100, queue_name="time-limits")
        worker = start_worker(1)
        try:
            job.send()
            assert is_broken_off.wait(30)
        finally:
            worker.stop()
