"""The worker keeps the promises that actors declare."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import dramatiq
from dramatiq.middleware import TimeLimitExceeded

from aggregator.settings import Settings
from workers.broker import CRAWLING, taking_jobs
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
        with taking_jobs(1):
            job.send()
            assert is_broken_off.wait(30)


def test_crawls_of_slow_stores_keep_nothing_else_waiting(settings: Settings) -> None:
    is_crawling, is_told = threading.Event(), threading.Event()

    def crawl_slowly() -> None:
        is_crawling.set()
        assert is_told.wait(30)

    with working(settings):
        crawl = dramatiq.actor(crawl_slowly, max_retries=0, queue_name=CRAWLING)
        notice = dramatiq.actor(is_told.set, actor_name="tell", max_retries=0, queue_name="notices")
        with taking_jobs(1):
            crawl.send()
            crawl.send()
            assert is_crawling.wait(30)
            notice.send()
            assert is_told.wait(30)
