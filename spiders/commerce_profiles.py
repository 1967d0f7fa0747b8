"""The Universal Commerce Protocol's profile of a store, at /.well-known/ucp."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aggregator.domain.cart_links import is_permalink_endpoint
from aggregator.domain.store_settings import PERMALINK_OPTION
from aggregator.domain.stores import Detection, Page, Signal, Source
from aggregator.fetching import Fetcher
from spiders.json_pages import page_json
from spiders.probe_evidence import Turn
from spiders.untrusted import mapping, rows, text

PLACE = "/.well-known/ucp"
_PERMALINK = "dev.ucp.shopping.permalink"


def with_commerce_profile(found: Detection, fetcher: Fetcher, home: Page) -> Detection:
    """The detection with what the store's profile adds to it; costs one request, if one is left."""
    page = Turn(fetcher, home, allowance=1).get(PLACE)
    profile = mapping(mapping(page_json(page)).get("ucp"))
    version, services = text(profile.get("version"), 40), mapping(profile.get("services"))
    if page is None or version is None or not services:
        return found
    capabilities = sorted(str(name)[:80] for name in mapping(profile.get("capabilities")))
    offers = f", offers {', '.join(capabilities[:6])}" if capabilities else ""
    signal = Signal(f"a Universal Commerce Protocol profile, version {version}{offers}", PLACE)
    endpoint = _permalink_endpoint(profile)
    return replace(
        found,
        signals=(*found.signals, signal),
        options={**({PERMALINK_OPTION: endpoint} if endpoint else {}), **found.options},
        sources=(*found.sources, Source(kind="ucp", url=page.url)),
    )


def _permalink_endpoint(profile: Mapping[str, Any]) -> str | None:
    """Where the store takes whole carts by a link, if its profile says so."""
    for declared in rows(mapping(profile.get("capabilities")).get(_PERMALINK)):
        endpoint = text(mapping(mapping(declared).get("config")).get("endpoint"), 1000)
        if endpoint and is_permalink_endpoint(endpoint):
            return endpoint
    return None
