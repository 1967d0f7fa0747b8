"""Whose request it is behind proxies: their word counts only where the setting names them."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from typing import Any

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_MOST_HOPS = 20


class TrustedProxies:
    """WSGI: puts the client's own address into REMOTE_ADDR where the peer is a proxy that is named.

    `X-Forwarded-For` is read from its end, which the nearest proxy wrote, as far as the hops are named ones; what
    stands before the first stranger could be made up by anybody.
    """

    def __init__(self, application: Callable[..., Any], networks: Iterable[Network]) -> None:
        self._application = application
        self._networks = tuple(networks)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """As WSGI calls it."""
        environ["REMOTE_ADDR"] = self.client(
            environ.get("REMOTE_ADDR", ""), environ.get("HTTP_X_FORWARDED_FOR", "")
        )
        return self._application(environ, start_response)

    def client(self, peer: str, forwarded_for: str) -> str:
        """The client's address: the first, from the end, that no named proxy has."""
        hops = [part.strip() for part in forwarded_for.split(",") if part.strip()][-_MOST_HOPS:]
        current = peer
        while hops:
            address = read_address(current)
            if address is None or not any(address in network for network in self._networks):
                return current
            said = read_address(hops.pop())
            if said is None:
                # The proxy itself said nothing usable: it answers for this request.
                return current
            current = str(said)
        return current


def read_address(text: str) -> Address | None:
    """An IP address, with or without a port, IPv4 in IPv6's clothes undressed; None for anything else."""
    bare = text.strip()
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def client_network(remote_address: str | None) -> str | None:
    """What attempts are counted by: an IPv4 address, or the /64 that an IPv6 client has all addresses of."""
    address = read_address(remote_address or "")
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return remote_address if address is None else str(address)
