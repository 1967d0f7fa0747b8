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


def quantities(lines: Sequence[HandOffLine]) -> dict[str, int]:
    """How many of each external id: a link that names an id twice would count it once."""
    wanted: dict[str, int] = {}
    for line in lines:
        wanted[line.external_id] = wanted.get(line.external_id, 0) + line.quantity
    return wanted


def fill_template(store: Store, line: HandOffLine) -> str | None:
    """The line's own `checkout_link_template` (Google Merchant) with `{id}` and `{quantity}` filled in.

    None where there is no usable one: it must lie on the store's own site, hold no other placeholder, and
    be able to carry the quantity.
    """
    template = dict(line.handoff).get("checkout_link_template", "")
    return fill_link_template(template, line.external_id, line.quantity, site=store.url)
