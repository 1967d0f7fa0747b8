"""Ways of handing a part of a cart over, shared by the platforms."""

from __future__ import annotations

from collections.abc import Sequence

from aggregator.domain.hand_off_templates import fill_link_template
from aggregator.domain.stores import HandOff, HandOffLine, Store
from aggregator.domain.web_addresses import read_web_address


def product_links(store: Store, lines: Sequence[HandOffLine]) -> HandOff:
    """The shopper opens each product's page and adds it there."""
    return HandOff(kind="product_link", url=None, item_urls=tuple(line.url for line in lines))


def origin(store: Store) -> str:
    """ "https://shop.example" of a store, whatever page of it was registered."""
    return read_web_address(store.url).origin


def fill_template(store: Store, line: HandOffLine) -> str | None:
    """The link by the line's own template (a feed's `checkout_link_template`, schema.org's `checkoutPageURLTemplate`
    or the target of its BuyAction); None where there is no usable one.
    """
    template = dict(line.handoff).get("checkout_link_template", "")
    return fill_link_template(template, line.external_id, line.quantity, site=store.url, sku=line.sku)


def template_links(store: Store, lines: Sequence[HandOffLine]) -> HandOff:
    """One link an item where there is a template for it; pages for the others."""
    links = [fill_template(store, line) for line in lines]
    if not any(links):
        return product_links(store, lines)
    urls = tuple(link or line.url for link, line in zip(links, lines, strict=True))
    return HandOff(kind="item_link", url=None, item_urls=urls, replaces_cart=None)
