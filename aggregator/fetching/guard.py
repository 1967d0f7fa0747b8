"""Which machines may be connected to, checked on the very address that is connected to."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterable, Iterator

import httpcore
import httpx

from aggregator.domain.errors import FetchRefused, InvalidInput
from aggregator.domain.web_addresses import WebAddress, is_public_ip, read_web_address
from aggregator.settings import Settings

SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


class AddressGuard:
    """Lets through the open internet, and the private `host:port` pairs that the settings name."""

    def __init__(self, settings: Settings) -> None:
        self._allowed = settings.allow_private_hosts
        self._never = settings.never_fetch

    @staticmethod
    def read(url: str) -> WebAddress:
        """Where `url` leads, whether it may be fetched or not; raises FetchRefused for what is no address."""
        try:
            return read_web_address(url)
        except InvalidInput as error:
            raise FetchRefused(error.place, error.problem) from error

    def check(self, url: str) -> WebAddress:
        """Where `url` leads; raises FetchRefused for an unusable address. Names are not resolved here."""
        address = self.read(url)
        if self._never and self.is_opted_out(address.host):
            raise FetchRefused(address.host, "its owner does not want to be read, so it is never fetched")
        if not self.is_allowed_private(address) and _is_ip(address.host) and not is_public_ip(address.host):
            raise _private(address.authority, address.host)
        return address

    def is_opted_out(self, host: str) -> bool:
        """Whether this host, or one that it lies below, is on the list of those never fetched."""
        labels = host.split(".")
        return any(".".join(labels[start:]) in self._never for start in range(len(labels)))

    def is_allowed_private(self, address: WebAddress) -> bool:
        """Whether the operator named this exact pair in CLICK2CART_ALLOW_PRIVATE_HOSTS."""
        return address.authority in self._allowed

    def resolve(self, host: str, port: int) -> list[str]:
        """The IP addresses that may be connected to for this host. Raises FetchRefused or OSError.

        One private address among public ones refuses the host: nobody says which of them answers.
        """
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
        authority = WebAddress("http", host.lower(), port).authority
        if authority not in self._allowed:
            for address in addresses:
                if not is_public_ip(address):
                    raise _private(authority, address)
        return addresses


def _is_ip(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()


def _private(authority: str, address: str) -> FetchRefused:
    return FetchRefused(
        authority,
        f"{address} is no address of the open internet; name {authority} in "
        "CLICK2CART_ALLOW_PRIVATE_HOSTS if it may be fetched",
    )


class Deadline:
    """When the exchange under way must be over; a server that drips one byte at a time meets it too."""

    def __init__(self) -> None:
        self._at = float("inf")

    def start(self, seconds: float) -> None:
        """Give the next exchange so many seconds."""
        self._at = time.monotonic() + seconds

    def limit(self, timeout: float | None) -> float:
        """The shorter of `timeout` and what is left. Raises httpcore.ReadTimeout where nothing is."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("took too long")
        return left if timeout is None else min(timeout, left)


class _TimedStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.limit(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.limit(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        inner = self._stream.start_tls(ssl_context, server_hostname, self._deadline.limit(timeout))
        return _TimedStream(inner, self._deadline)

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


class _GuardedNetwork(httpcore.NetworkBackend):
    """Resolves names itself and connects to the checked addresses, so that no second answer counts."""

    def __init__(self, guard: AddressGuard, deadline: Deadline) -> None:
        self._guard = guard
        self._deadline = deadline
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            addresses = self._guard.resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"the name {host} cannot be resolved ({error})") from error
        problem: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for address in addresses:
            try:
                stream = self._sockets.connect_tcp(
                    address, port, self._deadline.limit(timeout), local_address, socket_options or ()
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                problem = error
            else:
                return _TimedStream(stream, self._deadline)
        raise problem or httpcore.ConnectError(f"the name {host} has no address")


class _Body(httpx.SyncByteStream):
    def __init__(self, stream: Iterable[bytes]) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        with _httpx_errors():
            yield from self._stream

    def close(self) -> None:
        close = getattr(self._stream, "close", None)
        if close is not None:
            close()


class _httpx_errors:  # reads as the context manager that it is
    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, httpcore.TimeoutException):
            raise httpx.ReadTimeout(str(error) or "took too long") from error
        if isinstance(error, httpcore.NetworkError | httpcore.ProtocolError | httpcore.UnsupportedProtocol):
            raise httpx.TransportError(str(error) or type(error).__name__) from error


class GuardedTransport(httpx.BaseTransport):
    """Carries httpx's requests over guarded connections. TLS names and Host headers stay the URL's own."""

    def __init__(self, guard: AddressGuard, deadline: Deadline) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(trust_env=False),
            max_connections=4,
            keepalive_expiry=15.0,
            network_backend=_GuardedNetwork(guard, deadline),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One exchange, its body not yet read."""
        with _httpx_errors():
            answer = self._pool.handle_request(
                httpcore.Request(
                    method=request.method,
                    url=httpcore.URL(
                        scheme=request.url.raw_scheme,
                        host=request.url.raw_host,
                        port=request.url.port,
                        target=request.url.raw_path,
                    ),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        assert isinstance(answer.stream, Iterable)
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_Body(answer.stream), extensions=answer.extensions
        )

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()
