"""Which web addresses may be used: reading URLs, public IP addresses, one site or two."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

from aggregator.domain.errors import InvalidInput

_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_-]*)(?:\.[a-z0-9_-]+)*\.?")
_UNUSABLE = re.compile(r"[\x00-\x20\x7f\\]")
# Whole and without anything that joining would change: most addresses on a page.
_JOINED_ALREADY = re.compile(
    r"(https?://[a-z0-9.:-]{1,260}/)[\w!$&'()*+,=:@%./~-]*(?:\?[\w!$&'()*+,;=:@%./?~-]+)?", re.ASCII
)

# `ipaddress` answers differently between patch releases for some of these, and the last ones are public
# addresses of another kind: behind them an IPv4 address of any kind can hide.
_NEVER_IPV4 = [
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
        "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
        "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
    )
]  # fmt: skip
_GLOBAL_UNICAST_IPV6 = ipaddress.IPv6Network("2000::/3")
# Protocol assignments with Teredo and ORCHID, documentation (two), 6to4. Mapped addresses and NAT64 lie
# outside of 2000::/3 already.
_NEVER_IPV6 = [
    ipaddress.IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
]


@dataclass(frozen=True, slots=True)
class WebAddress:
    """Where an http or https URL leads. `host` is lower-case ASCII, an IPv6 host has no brackets."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """The exact "host:port" pair, as the allow list writes it."""
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    @property
    def origin(self) -> str:
        """ "scheme://host", with the port only where it is not the scheme's own."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{shown}{'' if self.port == _DEFAULT_PORTS[self.scheme] else f':{self.port}'}"


def read_web_address(url: str) -> WebAddress:
    """Where `url` leads. Raises InvalidInput unless it is a plain http(s) URL without credentials."""
    parts = _split(url)
    try:
        port = parts.port
    except ValueError:
        raise _unusable(url, "its port cannot be read") from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise _unusable(url, "only http and https addresses are fetched")
    if parts.username is not None or parts.password is not None:
        raise _unusable(url, "it carries credentials")
    return WebAddress(parts.scheme, _host(url, parts.hostname), port or _DEFAULT_PORTS[parts.scheme])


def is_public_ip(text: str) -> bool:
    """Whether this IP address is a machine of the open internet, reached without any translation."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _NEVER_IPV4)
    if address.scope_id is not None or address not in _GLOBAL_UNICAST_IPV6:
        return False
    return not any(address in network for network in _NEVER_IPV6)


def is_on_site(url: str, site: str) -> bool:
    """Whether `url` lies on the site that `site` belongs to: its host, with or without "www.", or below it."""
    try:
        inner, outer = read_web_address(url), read_web_address(site)
    except InvalidInput:
        return False
    host, home = inner.host.removeprefix("www."), outer.host.removeprefix("www.")
    if host == home:
        # Default ports of either scheme are the same place; other ports are other servers.
        default = set(_DEFAULT_PORTS.values())
        return inner.port == outer.port or {inner.port, outer.port} <= default
    return host.endswith(f".{home}") and {inner.port, outer.port} <= set(_DEFAULT_PORTS.values())


@lru_cache(maxsize=512)  # a page names its own address several times
def join_web_address(base: str, reference: str) -> str | None:
    """`reference` as a page at `base` means it, without fragment; None where that is no http(s) URL.

    Blanks inside of it, which browsers repair, become %20.
    """
    if len(reference) < 2000 and (whole := _JOINED_ALREADY.fullmatch(reference)) and _is_usable(whole[1]):
        return reference
    try:
        joined = urljoin(base, reference.strip().replace(" ", "%20"))
        read_web_address(joined)
    except (InvalidInput, ValueError):
        return None
    return joined.partition("#")[0]


@lru_cache(maxsize=512)  # a shop's addresses lie on few hosts
def _is_usable(origin: str) -> bool:
    try:
        read_web_address(origin)
    except InvalidInput:
        return False
    return True


def comparable_address(url: str) -> str:
    """A URL reduced to what tells pages apart: host without "www.", path without its last slash.

    Scheme, query and fragment do not count: only use it to compare spellings of one page's own address.
    """
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").removeprefix("www.")
    except ValueError:
        return url
    return f"{host}{parts.path.rstrip('/')}".lower()


def with_query(url: str, query: str) -> str:
    """`url` with `query` added to its own; its fragment is dropped."""
    parts = _split(url)
    both = "&".join(part for part in (parts.query, query) if part)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, both, ""))


def _split(url: str) -> SplitResult:
    if not url or len(url) > 4000 or _UNUSABLE.search(url):
        raise _unusable(url, "it has blanks or characters that no address has" if url else "it is empty")
    try:
        return urlsplit(url)
    except ValueError:
        raise _unusable(url, "it cannot be read as an address") from None


def _host(url: str, host: str | None) -> str:
    if not host:
        raise _unusable(url, "it names no host")
    if ":" in host:
        try:
            return str(ipaddress.IPv6Address(host))
        except ValueError:
            raise _unusable(url, "its IPv6 address cannot be read") from None
    try:
        name = host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise _unusable(url, "its host name cannot be read") from None
    if not _HOST_NAME.fullmatch(name):
        raise _unusable(url, "its host name cannot be read")
    return name


def _unusable(url: str, problem: str) -> InvalidInput:
    shown = re.sub(r"//[^/?#]*@", "//***@", _UNUSABLE.sub(" ", url[:200]))
    return InvalidInput(
        problem, place=shown or "address", remedy="use an address such as https://shop.example/"
    )
