"""Quantities that a title tells."""

from __future__ import annotations

import re

_PACK = re.compile(
    r"\b(?:pack\s+of\s+(\d{1,3})|(\d{1,3})\s*-?\s*(?:pack|pk)\b|(\d{1,3})er[\s-]?pack\b)", re.IGNORECASE
)


def read_pack_size(title: str) -> int:
    """How many pieces one unit holds as the title says ("pack of 6", "6-pack", "6er-Pack"); 1 if it does not."""
    if "pack" not in title.lower() and "pk" not in title.lower():
        return 1
    found = _PACK.search(title)
    if not found:
        return 1
    return max(int(next(group for group in found.groups() if group)), 1)
