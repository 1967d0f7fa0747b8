"""Atom feeds (RFC 4287)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree import ElementTree

from flask import Response

_NAMESPACE = "http://www.w3.org/2005/Atom"
# What XML 1.0 cannot hold at all.
_UNFIT = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened; `key` tells it from all others of its feed for ever."""

    key: str
    title: str
    url: str
    updated_at: datetime
    summary: str


def feed(title: str, page: str, own: str, entries: Sequence[Entry]) -> Response:
    """The feed at address `own` of the page at `page`, both absolute; the newest entries first."""
    ElementTree.register_namespace("", _NAMESPACE)
    root = ElementTree.Element(f"{{{_NAMESPACE}}}feed")
    newest = max((entry.updated_at for entry in entries), default=datetime.fromtimestamp(0, UTC))
    _add(root, "title", title)
    _add(root, "id", own)
    _add(root, "updated", _moment(newest))
    _add(root, "link", rel="self", type="application/atom+xml", href=own)
    _add(root, "link", rel="alternate", type="text/html", href=page)
    _add(_add(root, "author"), "name", "Click2Cart")
    for entry in sorted(entries, key=lambda entry: entry.updated_at, reverse=True):
        element = _add(root, "entry")
        _add(element, "title", entry.title)
        _add(element, "id", f"{entry.url}#{entry.key}")
        _add(element, "updated", _moment(entry.updated_at))
        _add(element, "link", rel="alternate", type="text/html", href=entry.url)
        _add(element, "summary", entry.summary)
    return Response(
        ElementTree.tostring(root, encoding="utf-8", xml_declaration=True), mimetype="application/atom+xml"
    )


def _add(
    parent: ElementTree.Element, name: str, text: str | None = None, **attributes: str
) -> ElementTree.Element:
    element = ElementTree.SubElement(parent, f"{{{_NAMESPACE}}}{name}", attributes)
    element.text = None if text is None else _UNFIT.sub("", text)
    return element


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
