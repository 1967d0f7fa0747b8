"""The link by which one store's part of a cart reaches it: built by its platform, checked here."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from aggregator.domain.errors import InvalidInput
from aggregator.domain.hand_off_templates import fill_link_template
from aggregator.domain.store_settings import HAND_OFF_OPTION
from aggregator.domain.stores import HandOff, HandOffLine, Store
from aggregator.domain.web_addresses import is_on_site, read_web_address
from aggregator.platforms import get_platform

log = logging.getLogger(__name__)


def build_hand_off(store: Store, lines: Sequence[HandOffLine]) -> HandOff:
    """The best hand-off that the store's platform can build, if it leads to the store and nowhere else.

    Links are built from what stores say, so one that carries the whole cart must have the scheme, host and
    port of the store's own address, and one for an item may lie on a host below it, as merchants' own add-to-cart
    links do. An operator's own template for the store goes before what its platform does. Otherwise, and where the
    platform is missing or fails, the shopper gets the lines' own pages.
    """
    try:
        built = by_template(store, lines) or get_platform(store.platform).handoff.build(store, lines)
    except Exception:  # one store's plug-in, whatever is wrong with it, must not cost the shopper the others
        log.exception("no hand-off link for store %s: its platform %s failed", store.slug, store.platform)
        return product_links(store, lines)
    if not is_trustworthy(built, store, lines):
        log.warning("the hand-off link for store %s does not lead there; product links instead", store.slug)
        return product_links(store, lines)
    return built


def by_template(store: Store, lines: Sequence[HandOffLine]) -> HandOff | None:
    """One link a line by the store's option `checkout_link_template`; None without one, or where a line has none."""
    template = store.options.get(HAND_OFF_OPTION, "")
    links = [
        fill_link_template(template, line.external_id, line.quantity, site=store.url)
        for line in (lines if template else ())
    ]
    filled = tuple(link for link in links if link is not None)
    return (
        HandOff(kind="item_link", url=None, item_urls=filled)
        if filled and len(filled) == len(lines)
        else None
    )


def is_trustworthy(built: HandOff, store: Store, lines: Sequence[HandOffLine]) -> bool:
    """Whether every link of a hand-off leads to the store, and there are as many as its kind needs."""
    is_enough = built.url is not None if built.kind == "cart_link" else len(built.item_urls) == len(lines)
    # A product's page may lie elsewhere (a shop on its brand's domain) and is linked from our own pages too.
    pages = {line.url for line in lines if _is_web_address(line.url)}
    return (
        is_enough
        and (built.url is None or _same_origin(built.url, store.url))
        and all(link in pages or _same_site(link, store.url) for link in built.item_urls)
    )


def product_links(store: Store, lines: Sequence[HandOffLine]) -> HandOff:
    """Each line's own page, for the shopper to add it there; the store's front page where it has none."""
    pages = tuple(line.url if _is_web_address(line.url) else store.url for line in lines)
    return HandOff(kind="product_link", url=None, item_urls=pages)


def _same_origin(link: str, site: str) -> bool:
    try:
        return read_web_address(link) == read_web_address(site)
    except InvalidInput:
        return False


def _same_site(link: str, site: str) -> bool:
    return is_on_site(link, site) and link.partition(":")[0].lower() == site.partition(":")[0].lower()


def _is_web_address(url: str) -> bool:
    try:
        read_web_address(url)
    except InvalidInput:
        return False
    return True
