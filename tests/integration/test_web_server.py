"""The production server as its own process: it serves, says so, and ends when told."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from aggregator.settings import Settings


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def environment(site_settings: Settings, free_port: int, tmp_path: Path) -> dict[str, str]:
    assert site_settings.database_url
    return {
        **os.environ,
        "CLICK2CART_DATA_DIR": str(tmp_path),
        "DATABASE_URL": site_settings.database_url,
        "PORT": str(free_port),
    }


def start(environment: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", "from aggregator.cli import main; main()", "web"]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def server(environment: dict[str, str], engine: object) -> Iterator[subprocess.Popen[str]]:
    process = start(environment)
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate()


def answer_within(url: str, seconds: float) -> httpx.Response:
    deadline = time.monotonic() + seconds
    while True:
        try:
            return httpx.get(url)
        except httpx.TransportError:
            assert time.monotonic() < deadline, f"{url} does not answer"
            time.sleep(0.1)


def test_it_serves_until_it_is_told_to_stop(server: subprocess.Popen[str], free_port: int) -> None:
    site = f"http://127.0.0.1:{free_port}"
    assert answer_within(f"{site}/readyz", 30).json() == {"status": "ok"}
    assert "Click2Cart" in httpx.get(site).text
    assert httpx.get(site, headers={"Host": "evil.example"}).status_code == 400
    server.send_signal(signal.SIGTERM)
    _out, said = server.communicate(timeout=15)
    assert server.returncode == 0
    assert f"the site is at {site}" in said
    with pytest.raises(httpx.ConnectError):
        httpx.get(site)


def test_a_taken_port_is_one_clear_line(environment: dict[str, str], free_port: int) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", free_port))
        holder.listen(1)
        process = start(environment)
        _out, said = process.communicate(timeout=30)
    assert process.returncode == 2
    assert said == (
        f"click2cart: port {free_port} on 127.0.0.1 is taken; stop what listens there or set PORT to another\n"
    )


def test_an_unusable_key_is_one_clear_line(environment: dict[str, str]) -> None:
    process = start({**environment, "CLICK2CART_SECRET_KEY": "short"})
    _out, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (
        2,
        "click2cart: CLICK2CART_SECRET_KEY: shorter than 16 characters; "
        "set a long random text, or unset it to have one generated\n",
    )
