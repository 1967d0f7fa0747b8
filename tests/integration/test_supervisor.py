"""The supervisor with real processes: what it starts, keeps up, refuses, and leaves behind (nothing)."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from aggregator.db.embedded.layout import DataLayout
from aggregator.db.embedded.locks import starting_or_stopping
from aggregator.db.embedded.postgres import postgres_runs, stop_postgres
from aggregator.db.embedded.processes import alive
from aggregator.db.embedded.valkey import stop_valkey, valkey_runs

SITE = Path(__file__).with_name("supervised_site.py")


def wait_for(condition: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.01)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Place:
    """A data directory with the diary of what ran there."""

    def __init__(self, folder: Path) -> None:
        self.data_dir = folder / "data"
        self.layout = DataLayout.at(self.data_dir)
        self.folder = folder

    def command(self, port: int, *programs: str) -> list[str]:
        return [sys.executable, str(SITE), str(self.data_dir), str(port), *programs]

    def run(self, port: int, *programs: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(port, *programs),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @contextmanager
    def supervisor(self, port: int, *programs: str) -> Iterator[subprocess.Popen[str]]:
        with subprocess.Popen(
            self.command(port, *programs),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process

    def diary(self) -> list[tuple[str, int]]:
        lines = (self.folder / "diary").read_text().splitlines() if (self.folder / "diary").exists() else []
        return [(line.rsplit(" ", 1)[0], int(line.rsplit(" ", 1)[1])) for line in lines]

    def pids(self, what: str) -> list[int]:
        return [pid for said, pid in self.diary() if said == what]

    def is_quiet(self) -> bool:
        """No program, no server, no lock and no record is left."""
        return (
            not any(alive(pid) for _, pid in self.diary())
            and not postgres_runs(self.layout)
            and not valkey_runs(self.layout)
            and not any(self.data_dir.glob("*.lock"))
            and not self.layout.users_lock.exists()
            and not self.layout.supervisor_record.exists()
        )


@pytest.fixture(scope="module")
def used_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("supervised")


@pytest.fixture
def place(used_folder: Path) -> Iterator[Place]:
    place = Place(used_folder)
    (used_folder / "diary").unlink(missing_ok=True)
    yield place
    for _, pid in place.diary():
        if alive(pid):
            os.kill(pid, signal.SIGKILL)
    if place.data_dir.exists():
        with starting_or_stopping(place.layout):
            stop_valkey(place.layout)
            stop_postgres(place.layout)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stops_everything_in_the_reverse_order_and_leaves_nothing(
    place: Place, number: signal.Signals
) -> None:
    with place.supervisor(free_port(), "worker", "clock", "web") as process:
        wait_for(lambda: bool(place.pids("worker started")) and bool(place.pids("clock started")))
        assert postgres_runs(place.layout)
        assert valkey_runs(place.layout)
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "stopping ...\n")
    assert [said for said, _ in place.diary()][-2:] == ["clock ended", "worker ended"]
    assert place.is_quiet()


def test_ctrl_c_in_the_terminal_reaches_the_supervisor_only(place: Place) -> None:
    with place.supervisor(free_port(), "worker", "web") as process:
        wait_for(lambda: bool(place.pids("worker started")))
        assert os.getpgid(place.pids("worker started")[0]) != os.getpgid(process.pid)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert place.is_quiet()


def test_a_second_start_says_who_runs_here(place: Place) -> None:
    port = free_port()
    with place.supervisor(port, "web") as process:
        second = place.run(port, "web")
        assert (second.returncode, second.stderr) == (
            2,
            f"Click2Cart already runs here (pid {process.pid}, http://127.0.0.1:{port}); stop it first or use it\n",
        )
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert place.is_quiet()


def test_a_taken_port_is_refused_before_anything_starts(tmp_path: Path) -> None:
    place = Place(tmp_path)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        refused = place.run(port, "web")
    assert (refused.returncode, refused.stderr) == (2, f"Port {port} is taken; set PORT=... to another\n")
    assert list(place.data_dir.iterdir()) == []


def test_the_programs_of_a_killed_supervisor_end_with_it(place: Place) -> None:
    with place.supervisor(free_port(), "worker", "web") as process:
        wait_for(lambda: bool(place.pids("worker started")))
        process.kill()
    wait_for(lambda: not alive(place.pids("worker started")[0]))
    assert place.pids("worker ended") == place.pids("worker started")


def test_the_next_start_ends_what_a_killed_supervisor_left_and_adopts_its_servers(place: Place) -> None:
    port = free_port()
    with place.supervisor(port, "stubborn", "web") as process:
        wait_for(lambda: bool(place.pids("helper started")))
        postmaster = (place.layout.cluster / "postmaster.pid").read_text().split("\n", 1)[0]
        process.kill()
    stubborn, helper = place.pids("stubborn started")[0], place.pids("helper started")[0]
    assert alive(stubborn)
    assert alive(helper)
    with place.supervisor(port, "worker", "web") as process:
        assert not alive(stubborn)
        assert not alive(helper)
        assert (place.layout.cluster / "postmaster.pid").read_text().split("\n", 1)[0] == postmaster
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert errors.splitlines()[0].startswith("ended what a killed supervisor had left: stubborn")
    assert place.is_quiet()


def test_a_recorded_number_that_a_stranger_has_now_is_left_alone(place: Place) -> None:
    place.data_dir.mkdir(exist_ok=True)
    with subprocess.Popen(["sleep", "600"], process_group=0) as stranger:
        left = {
            "name": "worker",
            "pid": stranger.pid,
            "created": psutil.Process(stranger.pid).create_time() - 60,
        }
        place.layout.supervisor_record.write_text(json.dumps({"pid": 1, "url": "", "children": [left]}))
        with place.supervisor(free_port(), "web") as process:
            assert alive(stranger.pid)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)
        stranger.kill()


def test_a_program_that_crashes_is_started_again(place: Place) -> None:
    with place.supervisor(free_port(), "worker", "web") as process:
        wait_for(lambda: len(place.pids("worker started")) == 1)
        os.kill(place.pids("worker started")[0], signal.SIGKILL)
        wait_for(lambda: len(place.pids("worker started")) == 2)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert errors.splitlines() == [
        f"worker ended (exit code -9), starting it again in 0.5 s; see {place.data_dir}/logs/worker.log",
        "stopping ...",
    ]
    assert place.is_quiet()


def test_a_database_that_dies_is_started_again(place: Place) -> None:
    with place.supervisor(free_port(), "web") as process:
        os.kill(int((place.layout.cluster / "postmaster.pid").read_text().split("\n", 1)[0]), signal.SIGKILL)
        assert process.stderr is not None
        assert process.stderr.readline() == "the database or the broker had ended and was started again\n"
        assert postgres_runs(place.layout)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert place.is_quiet()


def test_a_program_that_cannot_start_is_one_clear_line(place: Place) -> None:
    failed = place.run(free_port(), "failing")
    assert failed.returncode == 2
    assert failed.stderr.splitlines()[-1] == (
        f"failing cannot start: cannot find my spectacles; more in {place.data_dir}/logs/failing.log"
    )
    assert place.is_quiet()


def test_a_program_that_refuses_the_call_is_not_tried_again(place: Place) -> None:
    refused = place.run(free_port(), "mistaken")
    assert (refused.returncode, refused.stderr) == (
        2,
        f"mistaken cannot start: the key is too short; more in {place.data_dir}/logs/mistaken.log\n",
    )
    assert place.is_quiet()


def test_a_step_that_fails_ends_the_start_with_its_exit_code(place: Place) -> None:
    failed = place.run(free_port(), "worker", "step", "web")
    assert (failed.returncode, failed.stderr) == (3, "the step cannot go on\n")
    assert place.is_quiet()


@pytest.mark.parametrize("delay", [0.3, 0.6, 0.9])
def test_ctrl_c_while_starting_leaves_nothing(tmp_path: Path, delay: float) -> None:
    place = Place(tmp_path)
    with subprocess.Popen(
        place.command(free_port(), "worker", "web"),
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        wait_for(lambda: place.layout.supervisor_lock.exists())
        time.sleep(delay)  # anywhere between making the data and the site being ready
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    assert place.is_quiet()
    assert not list(place.layout.postgresql.glob("data.unfinished"))


def test_a_stubborn_program_is_killed_with_its_group(place: Place) -> None:
    with place.supervisor(free_port(), "stubborn", "web") as process:
        wait_for(lambda: bool(place.pids("helper started")))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 0
    assert place.is_quiet()
