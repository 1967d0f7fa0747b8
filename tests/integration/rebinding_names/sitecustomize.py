"""Python loads this where it is on the path: a name is public when first asked for, and this machine later.

Nothing leaves this machine: a connection to the public address is noted and refused.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

_NAME = os.environ.get("TEST_REBINDING_NAME", "")
_LOG = os.environ.get("TEST_REBINDING_LOG", "")
_PUBLIC = "93.184.215.14"
_resolve = socket.getaddrinfo
_asked: list[str] = []


def _getaddrinfo(host: Any, port: Any, *arguments: Any, **options: Any) -> Any:
    name = host.decode() if isinstance(host, bytes) else host
    if name != _NAME:
        return _resolve(host, port, *arguments, **options)
    _asked.append(name)
    return _resolve(_PUBLIC if len(_asked) == 1 else "127.0.0.1", port, *arguments, **options)


class _Socket(socket.socket):
    def connect(self, address: Any) -> None:
        _note(address)
        super().connect(address)

    def connect_ex(self, address: Any) -> int:
        try:
            _note(address)
        except OSError as error:
            return error.errno or errno.ENETUNREACH
        return super().connect_ex(address)


def _note(address: Any) -> None:
    if isinstance(address, tuple) and address[0] == _PUBLIC:
        with open(_LOG, "a") as log:
            log.write(f"{address[0]}\n")
        raise OSError(errno.ENETUNREACH, "no way out of a test")


if _NAME:
    socket.getaddrinfo = _getaddrinfo
    socket.socket = _Socket  # type: ignore[misc]  # it stands in for the class that everybody uses
