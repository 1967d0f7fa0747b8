"""The guard on real connections: what is checked is what is connected to."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from aggregator.domain.errors import FetchFailed, FetchRefused
from aggregator.fetching import Fetcher
from aggregator.settings import Settings


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = f"{self.headers['Host']} {self.path}".encode()
        if self.path == "/drip":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            try:
                while not self.server.is_over.wait(0.02):
                    self.wfile.write(b"x")
            except OSError:
                return
            return
        self.send_response(200)
        if self.path == "/headers":
            self.send_header("X-Long", "y" * 300_000)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        return


@contextmanager
def server() -> Iterator[int]:
    listening = HTTPServer(("127.0.0.1", 0), _Handler)
    listening.is_over = threading.Event()
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield listening.server_port
    finally:
        listening.is_over.set()
        listening.shutdown()
        thread.join()
        listening.server_close()


def allowing(*authorities: str) -> Settings:
    return Settings(allow_private_hosts=frozenset(authorities))


def test_fetches_the_exact_pair_that_is_allowed_and_no_other() -> None:
    with server() as port:
        settings = allowing(f"127.0.0.1:{port}")
        with Fetcher(settings, obey_robots=False) as fetcher:
            assert fetcher.get(f"http://127.0.0.1:{port}/a").text == f"127.0.0.1:{port} /a"
            for url in (f"http://localhost:{port}/", f"http://127.0.0.2:{port}/", "http://127.0.0.1:9/"):
                with pytest.raises(FetchRefused, match="CLICK2CART_ALLOW_PRIVATE_HOSTS"):
                    fetcher.get(url)


def test_a_name_that_resolves_to_a_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with server() as port:
        answers = iter(["127.0.0.1", "93.184.216.34"])

        def resolve(host: str, wanted: int, **options: object) -> list[Any]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, wanted)) for address in answers]

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        with (
            Fetcher(Settings(), obey_robots=False) as fetcher,
            pytest.raises(FetchRefused, match=r"127\.0\.0\.1 is no"),
        ):
            fetcher.get(f"http://shop.example:{port}/")


def test_connects_to_the_address_that_was_checked_and_keeps_the_host_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with server() as port:
        asked = []

        def resolve(host: str, wanted: int, **options: object) -> list[Any]:
            asked.append(host)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", wanted))]

        with (
            monkeypatch.context() as patch,
            Fetcher(allowing(f"shop.example:{port}"), obey_robots=False) as fetcher,
        ):
            original = socket.create_connection

            def connect(address: tuple[str, int], *rest: Any, **options: Any) -> socket.socket:
                assert address == ("127.0.0.1", port)
                patch.undo()
                return original(address, *rest, **options)

            patch.setattr(socket, "getaddrinfo", resolve)
            patch.setattr(socket, "create_connection", connect)
            assert fetcher.get(f"http://shop.example:{port}/b").text == f"shop.example:{port} /b"
        assert asked == ["shop.example"]


def test_a_dripping_server_meets_the_deadline() -> None:
    with server() as port, Fetcher(allowing(f"127.0.0.1:{port}"), obey_robots=False) as fetcher:
        began = time.monotonic()
        with pytest.raises(FetchFailed, match=r"took too long|timed out"):
            fetcher.get(f"http://127.0.0.1:{port}/drip", max_seconds=0.3)
        assert time.monotonic() - began < 5


def test_oversized_headers_fail() -> None:
    with server() as port:
        fetcher = Fetcher(allowing(f"127.0.0.1:{port}"), obey_robots=False, sleep=lambda seconds: None)
        with fetcher, pytest.raises(FetchFailed):
            fetcher.get(f"http://127.0.0.1:{port}/headers")
