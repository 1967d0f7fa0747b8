"""Add-to-cart links made from a template, as merchants write them: `{id}` and `{quantity}` are filled in."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from aggregator.domain.web_addresses import is_on_site

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_LONGEST_TEMPLATE = 2000


def fill_link_template(template: str, external_id: str, quantity: int, *, site: str) -> str | None:
    """The link for so many of one item; None where the template cannot give a usable one.

    It must lie on the store's own site, hold no other placeholder, and be able to carry the quantity.
    """
    template = template.replace("%7B", "{").replace("%7D", "}").replace("%7b", "{").replace("%7d", "}")
    if not template or len(template) > _LONGEST_TEMPLATE:
        return None
    names = {unquote(name).strip().lower() for name in _PLACEHOLDER.findall(template)}
    if not names <= {"id", "quantity"} or (quantity != 1 and "quantity" not in names):
        return None
    values = {"id": quote(external_id, safe=""), "quantity": str(quantity)}
    filled = _PLACEHOLDER.sub(lambda found: values[unquote(found[1]).strip().lower()], template)
    return filled if is_on_site(filled, site) else None
