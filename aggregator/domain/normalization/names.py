"""Titles, brands and other words of a store, made safe and comparable."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote, urlsplit

# Control characters (NUL, which PostgreSQL refuses, among them), lone surrogates, and the marks that can
# turn the reading direction of everything after them.
_UNSAFE = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]"
)
_NO_BRAND = frozenset(
    {"n/a", "na", "none", "null", "-", "unbranded", "no brand", "unknown", "generic", "does not apply"}
)
_URL_CHARACTERS = "%/:=&?~#+!$,;'@()*[]"
MAX_TITLE = 500
MAX_TEXT = 200
MAX_URL = 2000


def clean_text(text: object, limit: int = MAX_TEXT) -> str:
    """One line without control or direction-turning characters, NFC, at most `limit` characters."""
    if text is None:
        return ""
    safe = _UNSAFE.sub("", str(text))
    if not safe.isascii():
        safe = unicodedata.normalize("NFC", safe)
    return " ".join(safe.split())[:limit].rstrip()


def clean_brand(text: object) -> str | None:
    """A brand as written, or None for the many ways of saying that there is none."""
    brand = clean_text(text, 100)
    return None if not brand or brand.casefold() in _NO_BRAND else brand


def clean_url(text: object) -> str | None:
    """An absolute http(s) address without credentials and fragment, or None.

    Spaces and letters beyond ASCII, which some stores leave in their links, are percent-encoded.
    """
    url = quote(_UNSAFE.sub("", str(text or "")).strip(), safe=_URL_CHARACTERS)
    if not url or len(url) > MAX_URL:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None or port == 0:
        return None
    return url.split("#", 1)[0]


def fold(text: str) -> str:
    """Text for comparing and sorting: no case, no accents."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))
