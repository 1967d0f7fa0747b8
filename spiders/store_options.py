"""What an operator sets for a store: keys that an API wants, addresses, how product pages are named."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from aggregator.domain.errors import FetchRefused
from aggregator.domain.stores import Store
from aggregator.domain.web_addresses import join_web_address
from aggregator.fetching import AddressGuard, Politeness
from spiders.handoffs import origin

MOST_CONCURRENCY = 16
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def needed_key(store: Store, name: str, what: str) -> str:
    """The value of an option that the platform cannot do without. Raises FetchRefused saying how to set it."""
    value = store.options.get(name, "").strip()
    if not value:
        raise FetchRefused(store.url, f"needs a key: --set {name}=… ({what})")
    return value


def header_value(store: Store, name: str, value: str) -> str:
    """A key as it can stand in a request's header. Raises FetchRefused where no header can carry it."""
    if not value.isascii() or not value.isprintable():
        raise FetchRefused(store.url, f"the value of {name} cannot be a key; set it anew with --set {name}=…")
    return value


def api_address(store: Store, path: str) -> str:
    """The API's address: the option `api_url` where it is set, else `path` on the store's own site."""
    url = store.options.get("api_url", "").strip()
    return url or f"{origin(store)}{path}"


def names(value: str | None) -> list[str]:
    """The parts of an option that lists several: "a, b c" with commas, blanks or lines between."""
    return list(dict.fromkeys(re.findall(r"[^\s,;]+", value or "")))


def is_rendered(store: Store) -> bool:
    """Whether pages made by scripts are opened in a browser. Raises FetchRefused for neither yes nor no."""
    value = store.options.get("render", "").strip().lower()
    if value not in {"", "no", "yes"}:
        raise FetchRefused(store.url, f"render is {value[:20]!r}; set it with --set render=yes or render=no")
    return value == "yes"


@dataclass(frozen=True, slots=True)
class CrawlPace:
    """How a store is asked: seconds between two requests, and requests at the same time."""

    gap: float
    concurrency: int
    is_own: bool


def crawl_pace(store: Store, guard: AddressGuard, politeness: Politeness) -> CrawlPace:
    """What its robots.txt (read by now) asks for, or more where an operator set `crawl_delay` or `concurrency`.

    An own (allow-listed) host is not spared unless asked to be. Raises FetchRefused for an unusable address.
    """
    address = guard.check(store.url)
    is_own = guard.is_allowed_private(address)
    gap = max(politeness.gap(address, is_own=is_own), _number(store, "crawl_delay"))
    concurrency = int(_number(store, "concurrency")) or (8 if is_own else 1)
    return CrawlPace(gap, min(max(concurrency, 1), MOST_CONCURRENCY), is_own and gap == 0)


def _number(store: Store, name: str) -> float:
    try:
        value = float(store.options.get(name) or 0)
    except ValueError:
        raise FetchRefused(store.url, f"{name} is no number; set it with --set {name}=…") from None
    return value if 0 <= value < 1e9 else 0.0


def product_page(store: Store, usual: str, values: Mapping[str, str | None]) -> str | None:
    """Where shoppers find a product, by the option `product_url_template` or else the `usual` template.

    A template is absolute, or a path on the store's site, with {placeholders} named in `values`. None where
    a value that it needs is missing; raises FetchRefused for a placeholder that the platform does not know.
    """
    template = store.options.get("product_url_template", "").strip() or usual
    needed = set(_PLACEHOLDER.findall(template))
    unknown = sorted(needed - set(values))
    if unknown:
        known = ", ".join(f"{{{name}}}" for name in values)
        raise FetchRefused(
            store.url,
            f"product_url_template names {{{unknown[0]}}}; it can hold {known}",
        )
    if any(not values[name] for name in needed):
        return None
    filled = _PLACEHOLDER.sub(lambda found: quote(values[found[1]] or "", safe="-._~"), template)
    return join_web_address(f"{origin(store)}/", filled)
