"""Rows of product feeds, streamed: RSS and Atom with Google's names, and text files with tabs or commas."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterable, Iterator
from typing import Any

from lxml import etree

from aggregator.domain.errors import UnreadableAnswer

# A row's value is a text, a group of texts (g:shipping), or a list where the name repeats.
Row = dict[str, Any]
_ITEMS = frozenset({"item", "entry"})
_MOST_ELEMENTS_IN_AN_ITEM = 5000
_LONGEST_LINE = 2_000_000


def read_rows(pieces: Iterable[bytes], *, url: str) -> Iterator[Row]:
    """Each item of a feed, by lower-case attribute name without prefix.

    Raises UnreadableAnswer where the feed ends in the middle or is none of the known forms.
    """
    remaining = iter(pieces)
    head = b""
    for piece in remaining:
        head += piece
        if len(head) >= 1024:
            break
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()
    whole = _chained(head, remaining)
    if start.startswith(b"<") or head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _xml_rows(whole, url)
    return _text_rows(whole, url)


def _chained(head: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from rest


def _xml_rows(pieces: Iterable[bytes], url: str) -> Iterator[Row]:
    # Entities are never resolved and nothing is loaded; `recover` is for the unescaped & of real feeds.
    parser = etree.XMLPullParser(
        events=("start", "end"), resolve_entities=False, no_network=True, load_dtd=False, recover=True
    )
    root = ""
    tail = b""
    elements = 0
    try:
        for piece in pieces:
            parser.feed(piece)
            tail = (tail + piece)[-400:]
            for event, element in parser.read_events():
                if event == "start":
                    root = root or _name(element.tag)
                    elements += 1
                    if elements > _MOST_ELEMENTS_IN_AN_ITEM:
                        raise UnreadableAnswer(url, "has an item that does not end, or none at all")
                elif _name(element.tag) in _ITEMS:
                    elements = 0
                    yield _item(element)
                    _forget(element)
    except etree.XMLSyntaxError as error:
        raise UnreadableAnswer(url, f"is no readable XML ({error.msg})") from error
    # The parser closes open elements by itself, so a cut feed would look whole.
    if not root or not re.search(
        rb"</(?:\w+:)?" + root.encode() + rb"\s*>\s*(?:<!--.*)?$", tail.replace(b"\0", b""), re.I | re.S
    ):
        raise UnreadableAnswer(url, "ends in the middle")


def _name(tag: object) -> str:
    local = tag.rpartition("}")[2] if isinstance(tag, str) else ""
    return local.rpartition(":")[2].strip().lower().replace(" ", "_")


def _item(item: etree._Element) -> Row:
    row: Row = {}
    for child in item:
        name = _name(child.tag)
        if not name:
            continue
        # Entities stay unresolved nodes among the children.
        inner = [part for part in child if isinstance(part.tag, str)]
        value: Any
        if inner:
            value = {_name(part.tag): _text(part) for part in inner}
        elif name == "link" and child.get("href"):
            if child.get("rel") not in (None, "alternate"):
                continue
            value = child.get("href")
        else:
            value = _text(child)
        _put(row, name, value)
    return row


def _text(element: etree._Element) -> str:
    return "".join(str(piece) for piece in element.itertext()).strip()


def _put(row: Row, name: str, value: Any) -> None:
    if value in ("", {}):
        return
    if name not in row:
        row[name] = value
    elif isinstance(row[name], list):
        row[name].append(value)
    else:
        row[name] = [row[name], value]


def _forget(element: etree._Element) -> None:
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


def _text_rows(pieces: Iterable[bytes], url: str) -> Iterator[Row]:
    lines = _lines(pieces, url)
    header = next(lines, "")
    delimiter = max("\t,;|", key=header.count)
    names = [_name(name.strip().strip('"')) for name in header.rstrip("\r\n").split(delimiter)]
    if len(names) < 3 or not {"id", "title"} <= set(names):
        raise UnreadableAnswer(url, "is neither an XML feed nor a text feed with a header of id, title, …")
    try:
        for values in csv.reader(lines, delimiter=delimiter):
            if any(values):
                row: Row = {}
                for name, value in zip(names, values, strict=False):
                    _put(row, name, value.strip())
                yield row
    except csv.Error as error:
        raise UnreadableAnswer(url, f"has a line that cannot be read ({error})") from error


def _lines(pieces: Iterable[bytes], url: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
    pending = ""
    for piece in pieces:
        pending += decoder.decode(piece)
        *whole, pending = pending.splitlines(keepends=True) or [""]
        if pending.endswith("\n"):
            whole, pending = [*whole, pending], ""
        yield from whole
        if len(pending) > _LONGEST_LINE:
            raise UnreadableAnswer(url, "has a line without end")
    pending += decoder.decode(b"", final=True)
    if pending:
        yield pending
