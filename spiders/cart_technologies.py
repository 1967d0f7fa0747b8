"""Filling the carts of shops whose pages or feeds are read, but whose cart is of a known make."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import quote, urlencode, urlsplit

from aggregator.domain.cart_links import quantities
from aggregator.domain.offers import Offer
from aggregator.domain.stores import Detection, HandOff, HandOffLine, Store
from aggregator.platforms import StorePlatform
from spiders.fingerprints import Recognised
from spiders.handoffs import origin, template_links

# The store's option that names the make of its cart; a probe sets it where a link was seen to work without more.
OPTION = "cart_technology"
# `sales_channel` is VTEX's sales policy, `store_page` where an Ecwid shop is embedded.
OPTIONS = (OPTION, "sales_channel", "store_page")
_VTEX_SKU = re.compile(r"\d{1,12}")
_ECWID_ID = re.compile(r"(?:-p|/p/)(\d{1,15})(?=$|[/?#])")


def build_handoff(store: Store, lines: Sequence[HandOffLine]) -> HandOff:
    """One link for the whole cart where its make is known, else what the items' own markup names, else pages."""
    build = {"vtex": _vtex, "ecwid": _ecwid}.get(store.options.get(OPTION, "").strip().lower())
    built = build(store, lines) if build is not None and lines else None
    return built or template_links(store, lines)


def with_cart_technology(
    found: Detection, platform: StorePlatform, recognised: Sequence[Recognised], sample: Sequence[Offer]
) -> Detection:
    """The detection with the make of the cart where a link fills it by what is read of the store's items."""
    is_vtex = any(one.technology.name == "vtex" for one in recognised)
    if not (is_vtex and OPTION in platform.options and sample and all(_vtex_sku(one) for one in sample)):
        return found
    return replace(found, options={OPTION: "vtex", **found.options})


def _vtex_sku(item: HandOffLine | Offer) -> str | None:
    """VTEX numbers its SKUs; the number may be the item's own SKU or the store's key of it."""
    return next((key for key in (item.sku, item.external_id) if key and _VTEX_SKU.fullmatch(key)), None)


def _vtex(store: Store, lines: Sequence[HandOffLine]) -> HandOff | None:
    """VTEX: sku, qty and seller repeated; it adds to the cart."""
    wanted: dict[str, int] = {}
    for line in lines:
        sku = _vtex_sku(line)
        if sku is None:
            return None
        wanted[sku] = wanted.get(sku, 0) + line.quantity
    channel = store.options.get("sales_channel", "").strip() or "1"
    fields = [("sc", channel)]
    for sku, quantity in wanted.items():
        fields += [("sku", sku), ("qty", str(quantity)), ("seller", "1")]
    return HandOff(kind="cart_link", url=f"{origin(store)}/checkout/cart/add?{urlencode(fields)}")


def _ecwid(store: Store, lines: Sequence[HandOffLine]) -> HandOff | None:
    """Ecwid: a cart as JSON behind `#!/~/cart/create=`. Product numbers stand in the pages' addresses; a product
    that leaves a choice (two lines of one number) cannot be named by them.
    """
    numbers = [_ecwid_number(line) for line in lines]
    known = [number for number in numbers if number is not None]
    if len(known) != len(lines) or len(set(known)) != len(quantities(lines)):
        return None
    wanted = dict.fromkeys(known, 0)
    for number, line in zip(known, lines, strict=True):
        wanted[number] += line.quantity
    cart = {"products": [{"id": number, "quantity": quantity} for number, quantity in wanted.items()]}
    page = store.options.get("store_page", "").strip() or f"{origin(store)}/"
    written = quote(json.dumps(cart, separators=(",", ":")), safe="")
    url = f"{page.partition('#')[0]}#!/~/cart/create={written}"
    return HandOff(kind="cart_link", url=url, replaces_cart=True)


def _ecwid_number(line: HandOffLine) -> int | None:
    parts = urlsplit(line.url)
    found = _ECWID_ID.search(parts.path) or _ECWID_ID.search(f"#{parts.fragment}" if parts.fragment else "")
    return int(found[1]) if found else None
