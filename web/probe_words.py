"""How what a probe found reads on a page."""

from __future__ import annotations

import re
import unicodedata
from datetime import timedelta
from urllib.parse import urlsplit

from flask_babel import gettext as _

from web.presenters import Words, duration

_HOUR = 3600
INTERVALS = (6 * _HOUR, 12 * _HOUR, 24 * _HOUR, 48 * _HOUR, 168 * _HOUR)


def hand_off_words(kind: str | None) -> str:
    """What a shopper gets of a store's cart."""
    words = {
        "cart_link": _("one link fills its cart"),
        "item_link": _("one link an item fills its cart"),
        "product_link": _("links to its product pages"),
    }
    return str(words.get(kind or "", _("unknown")))


def confidence_words(confidence: float) -> Words:
    """How sure the probe is, never as a bare number."""
    if confidence >= 0.95:
        return Words(_("certain"), "good")
    if confidence >= 0.8:
        return Words(_("sure"), "good")
    if confidence >= 0.6:
        return Words(_("fairly sure"), "info")
    return Words(_("not sure"), "warn")


def interval_words(seconds: int) -> str:
    """How often: "every 12 hr"."""
    return str(_("every %(time)s", time=duration(timedelta(seconds=seconds))))


def suggested_slug(name: str, url: str) -> str:
    """A short name for addresses and commands, made from the store's name, else from its host."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-")
    return slug or re.sub(r"[^a-z0-9]+", "-", urlsplit(url).netloc.lower()).strip("-")[:60].strip("-")
