"""When a store is read: cron and intervals, on the days when the clocks change too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.domain.cron import CronExpression
from aggregator.domain.errors import InvalidInput
from aggregator.domain.schedules import Schedule


def local_times(schedule: Schedule, after: str, count: int) -> list[str]:
    times = schedule.upcoming(datetime.fromisoformat(after), count=count)
    return [at.astimezone(schedule.zone).isoformat(timespec="minutes") for at in times]


@pytest.mark.parametrize(
    ("zone", "cron", "after", "expected"),
    [
        # 02:30 is skipped: it runs at the change itself, once.
        (
            "Europe/Berlin",
            "30 2 * * *",
            "2026-03-28T12:00+00:00",
            ["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"],
        ),
        # 02:30 comes twice: it runs the first time only.
        (
            "Europe/Berlin",
            "30 2 * * *",
            "2026-10-24T12:00+00:00",
            ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"],
        ),
        (
            "America/New_York",
            "30 2 * * *",
            "2026-03-07T12:00+00:00",
            ["2026-03-08T03:00-04:00", "2026-03-09T02:30-04:00"],
        ),
        (
            "America/New_York",
            "30 1 * * *",
            "2026-10-31T12:00+00:00",
            ["2026-11-01T01:30-04:00", "2026-11-02T01:30-05:00"],
        ),
        # Lord Howe's clocks move by half an hour.
        (
            "Australia/Lord_Howe",
            "15 2 * * *",
            "2026-10-02T18:00+00:00",
            ["2026-10-04T02:30+11:00", "2026-10-05T02:15+11:00"],
        ),
        (
            "Australia/Lord_Howe",
            "45 1 * * *",
            "2026-04-03T18:00+00:00",
            ["2026-04-05T01:45+11:00", "2026-04-06T01:45+10:30"],
        ),
        # Every quarter of a skipped hour is one reading, not four.
        (
            "Europe/Berlin",
            "*/15 2 * * *",
            "2026-03-28T12:00+00:00",
            ["2026-03-29T03:00+02:00", "2026-03-30T02:00+02:00"],
        ),
    ],
)
def test_a_job_that_names_its_hour_runs_exactly_once_on_both_days_of_change(
    zone: str, cron: str, after: str, expected: list[str]
) -> None:
    assert local_times(Schedule(cron=cron, timezone=zone), after, 2) == expected


def test_a_job_for_every_hour_goes_by_the_hours_that_pass() -> None:
    hourly = Schedule(cron="0 * * * *", timezone="Europe/Berlin")
    for change in ("2026-03-28T22:00+00:00", "2026-10-24T22:00+00:00"):
        times = hourly.upcoming(datetime.fromisoformat(change), count=8)
        assert {late - early for early, late in pairwise(times)} == {timedelta(hours=1)}


def test_an_interval_goes_by_time_that_passes_whatever_the_clocks_show() -> None:
    daily = Schedule(interval=86_400, timezone="Europe/Berlin")
    assert local_times(daily, "2026-03-28T11:00+00:00", 1) == ["2026-03-29T13:00+02:00"]


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("@daily", ["2026-11-21T00:00+00:00", "2026-11-22T00:00+00:00"]),
        ("0 9-17/4 * * mon-fri", ["2026-11-20T13:00+00:00", "2026-11-20T17:00+00:00"]),
        ("0 0 29 2 *", ["2028-02-29T00:00+00:00", "2032-02-29T00:00+00:00"]),
        # crontab(5): where both days are restricted, either is enough.
        ("0 0 1 * sun", ["2026-11-22T00:00+00:00", "2026-11-29T00:00+00:00"]),
        ("0 0 1 dec 7", ["2026-12-01T00:00+00:00", "2026-12-06T00:00+00:00"]),
        ("5,50 12 20,21 nov *", ["2026-11-20T12:05+00:00", "2026-11-20T12:50+00:00"]),
    ],
)
def test_fields_mean_what_crontab_says(cron: str, expected: list[str]) -> None:
    assert local_times(Schedule(cron=cron), "2026-11-20T12:00+00:00", 2) == expected


@pytest.mark.parametrize(
    "cron",
    ["", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "*/0 * * * *",
     "5-1 * * * *", "a * * * *", "0 0 31 2 *", "* * * * * *", "1-2-3 * * * *", "*-5 * * * *", "²  * * * *",
     "@reboot", "0 0 30 feb *", "9" * 500],
)  # fmt: skip
def test_what_is_no_cron_expression_is_refused_with_its_remedy(cron: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Schedule(cron=cron or " ")
    assert refused.value.remedy


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"interval": 60, "cron": "@daily"},
        {"interval": 0},
        {"interval": True},
        {"interval": "1e3"},
        {"interval": 60, "timezone": "Mars/Olympus"},
        {"interval": 60, "timezone": "../../etc/passwd"},
        {"interval": 60, "timezone": "Europe"},
        {"interval": 60, "jitter": 90_000},
        {"interval": 60, "quiet_from": "22:00"},
        {"interval": 60, "quiet_from": "22:00", "quiet_until": "22:00"},
        {"interval": 60, "quiet_from": "25:00", "quiet_until": "06:00"},
        {"interval": 60, "often": "yes"},
        [],
    ],
)
def test_a_document_that_is_no_schedule_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        Schedule.from_json(document)


def test_a_schedule_survives_its_json() -> None:
    document = {
        "cron": "30 2 * * mon",
        "timezone": "Europe/Berlin",
        "jitter": 600,
        "quiet_from": "22:00",
        "quiet_until": "06:00",
    }
    assert Schedule.from_json(document).to_json() == document


def test_nothing_begins_in_quiet_hours_and_several_of_them_become_one() -> None:
    schedule = Schedule.from_json(
        {
            "cron": "0 */2 * * *",
            "timezone": "Europe/Berlin",
            "quiet_from": "21:00",
            "quiet_until": "06:00",
        }
    )
    assert local_times(schedule, "2026-11-20T18:30+00:00", 4) == [
        "2026-11-20T20:00+01:00",
        "2026-11-21T06:00+01:00",
        "2026-11-21T08:00+01:00",
        "2026-11-21T10:00+01:00",
    ]
    often = Schedule.from_json({"interval": 3600, "quiet_from": "22:00", "quiet_until": "06:00"})
    assert local_times(often, "2026-11-20T20:30+00:00", 2) == [
        "2026-11-20T21:30+00:00",
        "2026-11-21T06:00+00:00",
    ]


def test_jitter_is_the_same_for_the_same_store_and_differs_between_stores() -> None:
    schedule = Schedule(cron="0 3 * * *", jitter=1800)
    base = datetime(2026, 11, 21, 3, tzinfo=UTC)
    after = datetime(2026, 11, 20, 12, tzinfo=UTC)
    times = {slug: schedule.next_time(after, slug) for slug in ("a", "b", "c", "d")}
    assert times == {slug: schedule.next_time(after, slug) for slug in times}
    assert len(set(times.values())) > 1
    assert all(base <= at <= base + timedelta(minutes=30) for at in times.values())
    # Between its time on the clock and its jitter a reading is still to come.
    assert schedule.next_time(times["a"] - timedelta(seconds=1), "a") == times["a"]


def test_how_long_a_store_may_go_unread_follows_from_the_schedule() -> None:
    friday = datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert Schedule(cron="0 8 * * mon-fri").longest_gap(friday) == 3 * 86_400
    assert Schedule(interval=900).longest_gap(friday) == 900


ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
INSTANTS = st.integers(0, 3 * 365 * 86_400).map(
    lambda seconds: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)


@given(
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
    zone=ZONES,
    after=INSTANTS,
    jitter=st.sampled_from([0, 700]),
)
def test_a_daily_job_runs_on_every_day_once(
    hour: int, minute: int, zone: str, after: datetime, jitter: int
) -> None:
    schedule = Schedule(cron=f"{minute} {hour} * * *", timezone=zone, jitter=jitter)
    times = schedule.upcoming(after, "shop", count=4)
    assert times == sorted(set(times))
    assert times[0] > after
    days = [(at - timedelta(seconds=jitter)).astimezone(schedule.zone).date() for at in times]
    assert all(timedelta(0) <= late - early <= timedelta(days=2) for early, late in pairwise(days))
    assert times[-1] - times[0] <= timedelta(days=3, hours=2)
    assert schedule.next_time(times[0], "shop") == times[1]


def test_an_expression_keeps_its_words() -> None:
    assert CronExpression.parse("  30  2 * * MON ").text == "30 2 * * mon"
