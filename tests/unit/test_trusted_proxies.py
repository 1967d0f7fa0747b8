"""Whose address counts behind proxies."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from web.proxies import TrustedProxies, client_network

NAMED = [ipaddress.ip_network(text) for text in ("10.0.0.0/8", "192.0.2.7", "fd00::/8")]


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        # Nobody's word counts but that of the named proxies.
        ("198.51.100.9", "203.0.113.5", "198.51.100.9"),
        ("10.0.0.1", "203.0.113.5", "203.0.113.5"),
        ("10.0.0.1", "", "10.0.0.1"),
        # What the client wrote itself stands before what the proxy added.
        ("10.0.0.1", "127.0.0.1, 203.0.113.5", "203.0.113.5"),
        ("10.0.0.1", "6.6.6.6, 203.0.113.5, 192.0.2.7", "203.0.113.5"),
        ("10.0.0.1", "203.0.113.5, 198.51.100.9, 10.1.2.3", "198.51.100.9"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        # With ports, in brackets, IPv4 in IPv6's clothes.
        ("::ffff:10.0.0.1", "203.0.113.5:4711", "203.0.113.5"),
        ("fd00::1", "[2001:db8::5]:443", "2001:db8::5"),
        # What is no address is not believed: the proxy that passed it on answers for it.
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.5, ' or 1=1", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.5" + ", 10.0.0.2" * 5_000, "10.0.0.2"),
        ("", "203.0.113.5", ""),
    ],
)
def test_the_client_is_the_first_that_no_named_proxy_is(peer: str, forwarded_for: str, client: str) -> None:
    seen: dict[str, Any] = {}
    application = TrustedProxies(lambda environ, start: seen.update(environ), NAMED)
    application({"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": forwarded_for}, None)
    assert seen["REMOTE_ADDR"] == client


def test_without_named_proxies_the_header_is_nobodys_word() -> None:
    assert TrustedProxies(lambda environ, start: None, []).client("10.0.0.1", "203.0.113.5") == "10.0.0.1"


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.5", "203.0.113.5"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        (None, None),
        ("@", "@"),
    ],
)
def test_an_ipv6_client_is_counted_by_the_network_that_it_has(
    address: str | None, network: str | None
) -> None:
    assert client_network(address) == network
