"""Addresses as they may stand in logs, alarms and on pages: what opens a door is left out."""

from __future__ import annotations

import re

_NAMES = r"(?:key|token|secret|signature|sig|auth|authorization|password|passwd|pwd)"
_SECRETS = (
    # //user:password@host
    re.compile(r"(//)[^/?#@\s]+(?=@)"),
    # ?apiKey=..., &access_token=...
    re.compile(rf"([?&;][^=&;#\s]*{_NAMES}=)[^&;#\s]+", re.IGNORECASE),
    # Feeds of affiliate networks: /apikey/.../
    re.compile(r"(/(?:api[_-]?key|(?:access[_-]?)?token|key)/)[^/?#\s]{8,}", re.IGNORECASE),
)


def mask_address(url: str) -> str:
    """The address with passwords, keys and tokens replaced by three points."""
    for pattern in _SECRETS:
        url = pattern.sub(r"\1…", url)
    return url
