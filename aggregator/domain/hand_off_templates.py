"""Links made from templates, as merchants and their markup write them: the item and the quantity are filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote, unquote

from aggregator.domain.web_addresses import is_on_site

# RFC 6570: a plain value, or values written as the beginning ("?") or the rest ("&") of a query.
_EXPRESSION = re.compile(r"\{([?&]?)([^{}]*)\}")
_LONGEST_TEMPLATE = 2000
# schema.org names no variables, so these are what merchants call them.
_ITEM_NAMES = frozenset(
    "id item item_id itemid offer_id offerid product_id productid variant_id variantid".split()
)
_QUANTITY_NAMES = frozenset({"quantity", "qty"})


def fill_link_template(
    template: str, external_id: str, quantity: int, *, site: str, sku: str | None = None
) -> str | None:
    """The link for so many of one item; None where the template cannot give a usable one.

    It must lie on the store's own site, need nothing but the item and its quantity, and be able to carry the
    quantity. Optional parameters of a query (`{?quantity,user}`) that are unknown are left out, as RFC 6570 has it.
    """
    template = template.replace("%7B", "{").replace("%7D", "}").replace("%7b", "{").replace("%7d", "}")
    if not template or len(template) > _LONGEST_TEMPLATE:
        return None
    names = {name for found in _EXPRESSION.finditer(template) for name in _names(found[2])}
    values = {
        **dict.fromkeys(names & _ITEM_NAMES, external_id),
        **{name: str(quantity) for name in names & _QUANTITY_NAMES},
        **({"sku": sku or external_id} if "sku" in names else {}),
    }
    needed = {name for found in _EXPRESSION.finditer(template) if not found[1] for name in _names(found[2])}
    if not needed <= values.keys() or (quantity != 1 and not names & _QUANTITY_NAMES):
        return None
    filled = _EXPRESSION.sub(lambda found: _expanded(found[1], found[2], values), template)
    return filled if not set("{}") & set(filled) and is_on_site(filled, site) else None


def _names(expression: str) -> list[str]:
    return [unquote(name).strip().lower() for name in expression.split(",")]


def _expanded(operator: str, expression: str, values: Mapping[str, str]) -> str:
    if not operator:
        return ",".join(quote(values[name], safe="") for name in _names(expression))
    # A variable keeps the name by which the template calls it.
    called = [unquote(name).strip() for name in expression.split(",")]
    pairs = [
        f"{quote(name, safe='')}={quote(values[name.lower()], safe='')}"
        for name in called
        if name.lower() in values
    ]
    return operator + "&".join(pairs) if pairs else ""
