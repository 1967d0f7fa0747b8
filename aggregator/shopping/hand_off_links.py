"""The link by which one store's part of a cart reaches it: built by its platform, checked here."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from aggregator.domain.cart_links import (
    LONGEST_LINK,
    fill_cart_template,
    quantities,
    read_affiliate_parameters,
    ucp_permalink,
    with_affiliate_parameters,
)
from aggregator.domain.errors import InvalidInput
from aggregator.domain.hand_off_templates import fill_link_template
from aggregator.domain.store_settings import AFFILIATE_OPTION, CART_OPTION, HAND_OFF_OPTION, PERMALINK_OPTION
from aggregator.domain.stores import HandOff, HandOffLine, Store
from aggregator.domain.web_addresses import is_on_site, read_web_address
from aggregator.platforms import get_platform

log = logging.getLogger(__name__)


def build_hand_off(store: Store, lines: Sequence[HandOffLine]) -> HandOff:
    """The best hand-off there is for a store, if it leads to the store and nowhere else.

    In this order: an operator's own template for the store, the store's UCP permalink, what its platform can do.
    Links are built from what stores say, so one that carries the whole cart must have the scheme, host and
    port of the store's own address, and one for an item may lie on a host below it, as merchants' own add-to-cart
    links do. A way that fails, or gives a link that leads elsewhere or is too long to be opened, is passed over; at
    the end of them stand the lines' own pages.
    """
    for build in (by_template, by_permalink, by_platform):
        try:
            built = build(store, lines)
        except Exception:  # whatever is wrong with one store's plug-in must not cost the shopper the others
            log.exception("no hand-off link for store %s: its platform %s failed", store.slug, store.platform)
            continue
        if built is None:
            continue
        if is_trustworthy(built, store, lines):
            return with_affiliate(built, store)
        log.warning("a hand-off link for store %s does not lead there or is too long", store.slug)
    return with_affiliate(product_links(store, lines), store)


def by_template(store: Store, lines: Sequence[HandOffLine]) -> HandOff | None:
    """By the store's option `cart_link_template`, or one link a line by `checkout_link_template`.

    None without them, or where a line has none.
    """
    whole = fill_cart_template(store.options.get(CART_OPTION, ""), quantities(lines))
    if whole is not None:
        return HandOff(kind="cart_link", url=whole, replaces_cart=None)
    template = store.options.get(HAND_OFF_OPTION, "")
    links = [
        fill_link_template(template, line.external_id, line.quantity, site=store.url, sku=line.sku)
        for line in (lines if template else ())
    ]
    filled = tuple(link for link in links if link is not None)
    return (
        HandOff(kind="item_link", url=None, item_urls=filled, replaces_cart=None)
        if filled and len(filled) == len(lines)
        else None
    )


def by_permalink(store: Store, lines: Sequence[HandOffLine]) -> HandOff | None:
    """By the Universal Commerce Protocol, where the store takes carts so; what becomes of its own cart it decides."""
    link = ucp_permalink(store.options.get(PERMALINK_OPTION, ""), quantities(lines))
    return None if link is None else HandOff(kind="cart_link", url=link, replaces_cart=None)


def by_platform(store: Store, lines: Sequence[HandOffLine]) -> HandOff:
    """As the store's platform does it; raises NotFound where its plug-in is not installed."""
    return get_platform(store.platform).handoff.build(store, lines)


def with_affiliate(built: HandOff, store: Store) -> HandOff:
    """The hand-off with the store's option `affiliate_parameters` in its links, and saying so; without it as it is."""
    try:
        parameters = read_affiliate_parameters(store.options.get(AFFILIATE_OPTION, ""))
    except InvalidInput:
        return built

    def led(link: str) -> str:
        return with_affiliate_parameters(link, parameters) if is_on_site(link, store.url) else link

    return replace(
        built,
        url=None if built.url is None else led(built.url),
        item_urls=tuple(led(link) for link in built.item_urls),
        is_affiliate=True,
    )


def is_trustworthy(built: HandOff, store: Store, lines: Sequence[HandOffLine]) -> bool:
    """Whether every link of a hand-off leads to the store, can be opened, and there are as many as its kind needs."""
    is_enough = built.url is not None if built.kind == "cart_link" else len(built.item_urls) == len(lines)
    # A product's page may lie elsewhere (a shop on its brand's domain) and is linked from our own pages too.
    pages = {line.url for line in lines if _is_web_address(line.url)}
    return (
        is_enough
        and all(len(link) <= LONGEST_LINK for link in (built.url or "", *built.item_urls))
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
