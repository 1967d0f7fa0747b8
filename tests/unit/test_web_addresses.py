"""Which web addresses are usable, public, on one site."""

from __future__ import annotations

import pytest

from aggregator.domain.errors import InvalidInput
from aggregator.domain.web_addresses import (
    comparable_address,
    is_on_site,
    is_public_ip,
    join_web_address,
    read_web_address,
)


@pytest.mark.parametrize(
    ("url", "authority", "origin"),
    [
        ("https://Shop.Example/a?b#c", "shop.example:443", "https://shop.example"),
        ("http://shop.example:8080", "shop.example:8080", "http://shop.example:8080"),
        ("http://127.0.0.1:5101/", "127.0.0.1:5101", "http://127.0.0.1:5101"),
        ("https://bücher.example/", "xn--bcher-kva.example:443", "https://xn--bcher-kva.example"),
        ("http://[2001:DB8:0::1]:81/", "[2001:db8::1]:81", "http://[2001:db8::1]:81"),
    ],
)
def test_reads_where_an_address_leads(url: str, authority: str, origin: str) -> None:
    address = read_web_address(url)
    assert (address.authority, address.origin) == (authority, origin)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "shop.example",
        "ftp://shop.example/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://user:secret@shop.example/",
        "http://user@shop.example/",
        "http:///nothing",
        "http://shop.example:99999/",
        "http://shop.example:x/",
        "http://[::1/",
        "http://[zz::]/",
        "http://a b/",
        "http://shop.example/a\nb",
        "http://good.example\\@evil.example/",
        "http://" + "a" * 300 + ".example/",
    ],
)
def test_refuses_an_address_that_cannot_be_used(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_web_address(url)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ip", ["93.184.216.34", "8.8.8.8", "1.1.1.1", "2606:2800:220:1::1", "2a00:1450::5"])
def test_open_internet_is_public(ip: str) -> None:
    assert is_public_ip(ip)


@pytest.mark.parametrize(
    "ip",
    [
        "0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.255.0.1", "169.254.169.254", "172.16.0.1",
        "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.7",
        "203.0.113.9", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
        "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::7f00:1", "64:ff9b:1::1",
        "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::1", "3fff::1", "fc00::1", "fd12::1", "fe80::1",
        "fe80::1%eth0", "2606:2800::1%1", "fec0::1", "ff02::1", "not an ip",
    ],
)  # fmt: skip
def test_everything_else_is_not_public(ip: str) -> None:
    assert not is_public_ip(ip)


@pytest.mark.parametrize(
    ("url", "is_on"),
    [
        ("https://shop.example/a", True),
        ("http://www.shop.example/a", True),
        ("https://checkout.shop.example/", True),
        ("https://evilshop.example/", False),
        ("https://shop.example.evil.test/", False),
        ("https://shop.example:8443/", False),
        ("https://shop.example@evil.test/", False),
        ("javascript:alert(1)//shop.example", False),
    ],
)
def test_knows_what_lies_on_a_site(url: str, is_on: bool) -> None:
    assert is_on_site(url, "https://www.shop.example/") is is_on


def test_ports_of_loopback_are_different_sites() -> None:
    assert is_on_site("http://127.0.0.1:5101/x", "http://127.0.0.1:5101")
    assert not is_on_site("http://127.0.0.1:5102/x", "http://127.0.0.1:5101")


def test_joins_and_compares_addresses() -> None:
    assert join_web_address("https://shop.example/a/b", "../c d#e") == "https://shop.example/c%20d"
    assert join_web_address("https://shop.example/", "mailto:a@b.example") is None
    assert join_web_address("https://shop.example/", "//[") is None
    assert comparable_address("http://www.shop.example/A/?x=1#y") == comparable_address(
        "https://shop.example/a"
    )
