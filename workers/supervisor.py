"""The supervisor of a data directory: starts servers and processes, keeps them up, stops them in order."""

from __future__ import annotations

import contextlib
import errno
import http.client
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import click

from aggregator.db.embedded import Services, embedded_services, restart_what_fell
from aggregator.db.embedded.layout import DataLayout
from aggregator.db.embedded.locks import sole_supervisor
from aggregator.domain.errors import Click2CartError, EnvironmentProblem
from aggregator.settings import Settings
from workers.children import Child, Program, end_leftovers, record_children, start_child

LONGEST_BACK_OFF = 60.0
STEADY_AFTER = 30.0  # a child that stood this long starts with a short back-off again
ENDINGS_BEFORE_GIVING_UP = 3  # while starting; later the back-off goes on for ever
LOOK_AT_SERVERS_EVERY = 2.0


def tell(text: str) -> None:
    """Say something to the person at the terminal."""
    click.echo(text, err=True)


class StopSignals:
    """Ctrl-C, SIGTERM and a closed terminal: the first asks to stop, a second one to hurry."""

    def __init__(self) -> None:
        self.stopping = False
        self.hurry = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopSignals:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # Under nohup a hang-up is ignored and stays so; an ignored SIGINT is a shell's habit for "&".
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self.stopping:
            self.hurry = True
            return
        self.stopping = True
        raise KeyboardInterrupt


@dataclass(slots=True)
class _Post:
    """One program that shall run, with its child or the time of the next attempt."""

    program: Program
    child: Child | None
    started_at: float
    endings: int = 0
    next_start_at: float = 0.0


class Children:
    """The programs that shall run. All calls come from the supervisor's only thread."""

    def __init__(self, settings: Settings, services: Services, signals: StopSignals) -> None:
        self.services = services
        self._settings = settings
        self._layout = DataLayout.at(settings.data_dir)
        self._signals = signals
        self._posts: list[_Post] = []
        self._looked_at_servers_at = time.monotonic()
        self._record()

    def start(self, program: Program) -> None:
        """Start a program and keep it running from now on."""
        self._posts.append(_Post(program, None, 0.0))
        self._fill(self._posts[-1])

    def run_to_end(self, program: Program) -> None:
        """Run a step whose output the person sees, looking after the others meanwhile.

        A step that fails has said why: it ends the supervisor with its exit code.
        """
        child = start_child(program, output=None)
        try:
            while child.process.poll() is None:
                self.look_after()
                time.sleep(0.05)
        finally:
            child.end(in_a_hurry=lambda: self._signals.hurry)
        if child.process.returncode:
            raise SystemExit(child.process.returncode if child.process.returncode > 0 else 1)

    def wait_until(self, ready: Callable[[], bool], *, what: str, patience: float) -> None:
        """Wait for a condition; raises EnvironmentProblem when a child keeps ending or the time is over."""
        give_up_at = time.monotonic() + patience
        while not ready():
            self.look_after(starting=True)
            if time.monotonic() > give_up_at:
                logs = self._layout.root / "logs"
                raise EnvironmentProblem(f"{what} is not ready after {patience:.0f} s; see {logs}")
            time.sleep(0.05)

    def look_after(self, *, starting: bool = False) -> None:
        """Notice what has ended, start again what is due, and raise the servers when they fell."""
        now = time.monotonic()
        for post in self._posts:
            if post.child is not None and post.child.process.poll() is not None:
                self._note_ending(post, now, starting=starting)
            elif post.child is None and now >= post.next_start_at:
                self._fill(post)
        if now - self._looked_at_servers_at > LOOK_AT_SERVERS_EVERY:
            self._looked_at_servers_at = now
            try:
                if restart_what_fell(self._settings, with_broker=True):
                    tell("the database or the broker had ended and was started again")
            except Click2CartError as error:
                tell(f"{error}; trying again")

    def stop_all(self) -> None:
        """End every program, the last started first."""
        self._signals.stopping = True
        for post in reversed(self._posts):
            if post.child is not None:
                post.child.end(in_a_hurry=lambda: self._signals.hurry)
        self._posts.clear()
        self._layout.supervisor_record.unlink(missing_ok=True)

    def _fill(self, post: _Post) -> None:
        post.child = start_child(post.program, output=self._layout.log(post.program.name))
        post.started_at = time.monotonic()
        self._record()

    def _note_ending(self, post: _Post, now: float, *, starting: bool) -> None:
        assert post.child is not None
        code = post.child.process.returncode
        post.child.end(in_a_hurry=lambda: True)
        post.child = None
        post.endings = 1 if now - post.started_at > STEADY_AFTER else post.endings + 1
        log = self._layout.log(post.program.name)
        # Exit code 2 says that the call or this machine must be changed first: trying again is in vain.
        if starting and (code == 2 or post.endings >= ENDINGS_BEFORE_GIVING_UP):
            lines = log.read_text(errors="replace").split("\n") if log.exists() else []
            reason = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
            reason = reason.removeprefix("click2cart: ")
            raise EnvironmentProblem(f"{post.program.name} cannot start: {reason}; more in {log}")
        wait = min(0.5 * 2 ** (post.endings - 1), LONGEST_BACK_OFF)
        post.next_start_at = now + wait
        tell(f"{post.program.name} ended (exit code {code}), starting it again in {wait:g} s; see {log}")

    def _record(self) -> None:
        children = [post.child for post in self._posts if post.child]
        record_children(self._layout, site_url(self._settings), children)


def supervise(settings: Settings, start: Callable[[Children], None]) -> None:
    """Hold the site up until Ctrl-C or SIGTERM.

    `start` starts the programs and returns when the site is ready. Raises EnvironmentProblem when another
    supervisor runs here, when the port is taken and when something does not come up; what was started is
    stopped again.
    """
    layout = DataLayout.at(settings.data_dir)
    layout.prepare()
    with contextlib.suppress(KeyboardInterrupt), StopSignals() as signals, contextlib.ExitStack() as stack:
        stack.enter_context(sole_supervisor(layout))
        if left := end_leftovers(layout):
            tell(f"ended what a killed supervisor had left: {', '.join(left)}")
        require_free_port(settings)
        stack.callback(layout.supervisor_record.unlink, missing_ok=True)
        services = stack.enter_context(embedded_services(settings, with_broker=True))
        children = Children(settings, services, signals)
        stack.callback(children.stop_all)
        try:
            start(children)
            while True:
                children.look_after()
                time.sleep(0.2)
        except KeyboardInterrupt:
            tell("stopping ...")
            raise


def site_url(settings: Settings) -> str:
    """The address a browser on this machine opens."""
    host = "127.0.0.1" if settings.host in ("", "0.0.0.0", "::", "localhost") else settings.host  # noqa: S104  # compared, not bound
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def require_free_port(settings: Settings) -> None:
    """Raise EnvironmentProblem when the site's port cannot be listened on."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except PermissionError as error:
            raise EnvironmentProblem(f"Port {settings.port} needs root; set PORT=... above 1023") from error
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise EnvironmentProblem(f"Port {settings.port} is taken; set PORT=... to another") from error
            raise EnvironmentProblem(
                f"cannot listen on {settings.host}:{settings.port} ({error.strerror}); check HOST and PORT"
            ) from error
        except OverflowError as error:
            raise EnvironmentProblem(
                f"Port {settings.port} does not exist; set PORT=... to another"
            ) from error


def site_is_ready(settings: Settings, path: str = "/readyz") -> bool:
    """Whether the site answers `path` with 200."""
    address = site_url(settings).removeprefix("http://")
    connection = http.client.HTTPConnection(address, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def own_command(*arguments: str) -> tuple[str, ...]:
    """The command line of one of our own commands, from the environment that this process runs in."""
    return (str(Path(sys.executable).with_name("click2cart")), *arguments)
