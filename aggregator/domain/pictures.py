"""Pictures of products: how one is named, and in which widths it is shown."""

from __future__ import annotations

import hashlib

# CSS pixels times two: a row's, a tile's, a product page's.
WIDTHS = (160, 480, 960)


def picture_digest(url: str) -> str:
    """The name of the picture at that address: 32 hexadecimal digits."""
    return hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()[:32]
