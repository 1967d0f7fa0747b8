"""Store platforms as a third party could plug them in: an honest one, a crooked one and a broken one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import EntryPoint

import pytest

from aggregator import platforms
from aggregator.domain.stores import NOT_DETECTED, HandOff, HandOffKind, HandOffLine, Store
from aggregator.platforms import HandOffBuilder, StorePlatform


def _platform(
    name: str, kind: HandOffKind, build: Callable[[Store, Sequence[HandOffLine]], HandOff]
) -> StorePlatform:
    return StorePlatform(
        name=name,
        title=name.title(),
        detect=lambda evidence: NOT_DETECTED,
        spider="nowhere:Nothing",
        check_offers=lambda store, offers, fetcher: [],
        handoff=HandOffBuilder(kind, build),
    )


def _cart_link(store: Store, lines: Sequence[HandOffLine]) -> HandOff:
    articles = ",".join(f"{line.external_id}:{line.quantity}" for line in lines)
    region = store.options.get("region", "")
    return HandOff(kind="cart_link", url=f"{store.url}/fill/{articles}?region={region}", replaces_cart=True)


def _foreign_link(store: Store, lines: Sequence[HandOffLine]) -> HandOff:
    return HandOff(kind="cart_link", url=f"https://{store.slug}.example.evil.example/fill")


def _no_link(store: Store, lines: Sequence[HandOffLine]) -> HandOff:
    raise KeyError("an article without an id")


plugged = _platform("plugged", "cart_link", _cart_link)
crooked = _platform("crooked", "cart_link", _foreign_link)
broken = _platform("broken", "item_link", _no_link)


@contextmanager
def plugged_in() -> Iterator[None]:
    """These three installed beside our own that can fill a cart, and no others."""
    places = {name: f"{__name__}:{name}" for name in ("plugged", "crooked", "broken")}
    for name in ("merchant_feed", "shopify", "woocommerce"):
        places[name] = f"spiders.adapters.{name}:platform"
    found = [EntryPoint(name, place, platforms.ENTRY_POINT_GROUP) for name, place in places.items()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(platforms, "entry_points", lambda group: found)
        platforms.installed_platforms.cache_clear()
        try:
            yield
        finally:
            platforms.installed_platforms.cache_clear()
