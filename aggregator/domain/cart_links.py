"""Links that fill a cart with many items, whatever the store's platform: the UCP permalink, an operator's template."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from aggregator.domain.errors import InvalidInput
from aggregator.domain.stores import HandOffLine
from aggregator.domain.web_addresses import read_web_address

# Longer links are cut off or refused by one server, proxy or phone or another; UCP asks for no more than its own.
LONGEST_LINK = 4_000
_LONGEST_PERMALINK = 2_048
_RAW_ID = re.compile(r"[A-Za-z0-9._-]+")
_ITEMS = "{items}"


def quantities(lines: Iterable[HandOffLine]) -> dict[str, int]:
    """How many of each external id: a link that names an id twice would count it once."""
    wanted: dict[str, int] = {}
    for line in lines:
        wanted[line.external_id] = wanted.get(line.external_id, 0) + line.quantity
    return wanted


def is_permalink_endpoint(url: str) -> bool:
    """Whether this can be a UCP permalink endpoint: https, no credentials, query, fragment or slash at its end."""
    try:
        address, parts = read_web_address(url), urlsplit(url)
    except (InvalidInput, ValueError):
        return False
    return address.scheme == "https" and not set("?#") & set(url) and not parts.path.endswith("/")


def ucp_permalink(endpoint: str, wanted: Mapping[str, int]) -> str | None:
    """`ENDPOINT/ID:QUANTITY,…` of the Universal Commerce Protocol (dev.ucp.shopping.permalink).

    Ids beyond letters, digits, ".", "_" and "-" are base64url after a "~", never percent-encoded. None where the
    endpoint is none, an id stands for a page instead of an item, or the link gets too long.
    """
    if not wanted or not is_permalink_endpoint(endpoint) or any(map(_is_page, wanted)):
        return None
    items = ",".join(f"{_token(item)}:{quantity}" for item, quantity in wanted.items())
    link = f"{endpoint}/{items}"
    return link if len(link) <= _LONGEST_PERMALINK else None


def fill_cart_template(template: str, wanted: Mapping[str, int]) -> str | None:
    """An operator's template with `{items}` as `ID:QUANTITY,…` (ids percent-encoded); None where they have no place."""
    if not wanted or template.count(_ITEMS) != 1:
        return None
    items = ",".join(f"{quote(item, safe='')}:{quantity}" for item, quantity in wanted.items())
    return template.replace(_ITEMS, items)


def read_affiliate_parameters(text: str) -> list[tuple[str, str]]:
    """The parameters of "tag=shop-21&ref=us"; raises InvalidInput for what is no list of them."""
    pairs = parse_qsl(text.strip().lstrip("?"), keep_blank_values=True)
    if not pairs or any(not name or not value for name, value in pairs) or "#" in text:
        raise InvalidInput("no parameters of a link", remedy="write them as tag=shop-21&ref=us")
    return pairs


def with_affiliate_parameters(link: str, parameters: Iterable[tuple[str, str]]) -> str:
    """The link with these parameters; one that it has already stays, whoever's it is."""
    parts = urlsplit(link)
    present = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    added = urlencode([(name, value) for name, value in parameters if name not in present])
    query = "&".join(part for part in (parts.query, added) if part)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, parts.fragment))


def _token(item: str) -> str:
    if _RAW_ID.fullmatch(item):
        return item
    return "~" + base64.urlsafe_b64encode(item.encode()).decode().rstrip("=")


def _is_page(item: str) -> bool:
    return item.startswith(("http://", "https://"))
