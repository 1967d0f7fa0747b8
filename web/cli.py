"""`click2cart web`: the site on its production server."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import ExitStack
from tempfile import TemporaryDirectory

import click

from aggregator.domain.errors import EnvironmentProblem
from aggregator.settings import INBOX_OF_THE_DEMO, Settings
from web.db import database, database_address
from web.security import secret_key

_THREADS = 4


@click.command()
def web() -> None:
    """Serve the site until it is told to stop (SIGTERM, Ctrl-C)."""
    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    settings = Settings.from_env()
    refuse_taken_port(settings.host, settings.port)
    # A key that cannot be used ends this process with one line, not the serving ones in a circle.
    secret_key(settings)
    with ExitStack() as stack:
        sessions = stack.enter_context(database(settings))
        # The serving processes are fresh interpreters: they meet this database through their environment.
        os.environ["CLICK2CART_INBOX"] = INBOX_OF_THE_DEMO if shows_mail(settings) else ""
        os.environ["DATABASE_URL"] = database_address(sessions)
        if settings.web_workers > 1:
            # prometheus-client's way to sum up what several processes measure.
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = stack.enter_context(TemporaryDirectory())
        click.echo(f"the site is at {site_address(settings)}", err=True)
        Granian(
            "web.serving:application",
            address=settings.host,
            port=settings.port,
            interface=Interfaces.WSGI,
            factory=True,
            workers=settings.web_workers,
            blocking_threads=_THREADS,
            respawn_failed_workers=True,
            workers_kill_timeout=5,
            log_level=LogLevels.warning,
        ).serve()


def shows_mail(settings: Settings) -> bool:
    """Whether this site is the demo's, whose mail stays on this machine: never with a database of the operator's."""
    return settings.has_inbox and settings.is_demo and settings.database_url is None


def site_address(settings: Settings) -> str:
    """Where a browser on this machine finds the site."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)  # noqa: S104  # only compared
    return f"http://{host}:{settings.port}"


def refuse_taken_port(host: str, port: int) -> None:
    """Raise EnvironmentProblem with the remedy where nothing can listen there."""
    try:
        family, kind, protocol, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise EnvironmentProblem(
                f"port {port} on {host} is taken; stop what listens there or set PORT to another"
            ) from error
        raise EnvironmentProblem(
            f"cannot listen on {host}:{port}: {error.strerror}; set HOST and PORT"
        ) from error
