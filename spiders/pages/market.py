"""Which country a page sells in, as far as it tells."""

from __future__ import annotations

import re

from babel.core import get_global

from spiders.pages.base import Document, host_of

_REGION = re.compile(r"^[a-z]{2,3}(?:[-_][A-Za-z]{4})?[-_]([A-Za-z]{2})\b")
_NOT_COUNTRIES = frozenset(
    {
        "eu",
        "io",
        "co",
        "me",
        "tv",
        "ai",
        "cc",
        "ws",
        "fm",
        "gg",
        "ly",
        "to",
        "su",
        "la",
        "sh",
        "am",
        "st",
        "im",
    }
)
_SPOKEN_IN_ONE = frozenset(
    "bg cs da el et fi he hr hu hy is ja ka kk ko lt lv mk no nb pl ro sk sl sq sr th tr uk vi".split()
)


def page_country(document: Document) -> str | None:
    """The country (ISO 3166) of the page: its domain, else its language's region, else a language of one country."""
    host = host_of(document.url)
    ending = host.rpartition(".")[2].lower()
    if len(ending) == 2 and ending not in _NOT_COUNTRIES:
        return "GB" if ending == "uk" else ending.upper()
    for said in (document.language, document.meta("og:locale")):
        region = _REGION.match(said or "")
        if region and region[1].upper() in get_global("territory_currencies"):
            return region[1].upper()
    language = re.split(r"[-_]", document.language or document.meta("og:locale") or "")[0].lower()
    if language in _SPOKEN_IN_ONE:
        likely = get_global("likely_subtags").get(language, "")
        return likely.rpartition("_")[2] or None
    return None
