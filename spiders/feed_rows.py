"""Rows of product feeds, streamed: RSS and Atom, text files with tabs or commas, JSON; under Google's names."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lxml import etree

from aggregator.domain.errors import UnreadableAnswer
from spiders.feed_columns import USUAL_COLUMNS, FeedColumns, column_name
from spiders.feed_json import json_objects

# A row's value is a text, a group of texts (g:shipping), or a list where the name repeats.
Row = dict[str, Any]
_ITEMS = frozenset({"item", "entry"})
_FEEDS = frozenset({"rss", "feed", "rdf"})
# What exports of shops call an item where their document is none of the feeds.
_ITEMS_ELSEWHERE = _ITEMS | {"product", "offer", "shopitem"}
_MOST_ELEMENTS_IN_AN_ITEM = 5000
_LONGEST_LINE = 2_000_000
_LONGEST_SILENCE = 16_000_000  # bytes of XML in which no element begins or ends
_SNIFFED = 1 << 16


def read_rows(pieces: Iterable[bytes], *, url: str, columns: FeedColumns = USUAL_COLUMNS) -> Iterator[Row]:
    """Each item of a feed, by lower-case attribute name without prefix, with Google's names filled in.

    Raises UnreadableAnswer where the feed ends in the middle or is none of the known forms.
    """
    remaining = iter(pieces)
    head = b""
    for piece in remaining:
        head += piece
        if len(head) >= _SNIFFED:
            break
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()
    whole = _chained(head, remaining)
    encoding = _encoding(head)
    if start.startswith(b"<") or (encoding == "utf-16" and "<" in head[:200].decode("utf-16", "ignore")[:5]):
        return _filled(_xml_rows(whole, url), columns)
    if start.startswith((b"[", b"{")):
        objects = json_objects(_texts(whole, encoding), url=url)
        return _filled((_row_of(item) for item in objects), columns)
    return _text_rows(_texts(whole, encoding), url, columns)


def _encoding(head: bytes) -> str:
    """UTF-8 as promised, UTF-16 by its mark, else what old exports are written in."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


def _texts(pieces: Iterable[bytes], encoding: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    for piece in pieces:
        yield decoder.decode(piece)
    yield decoder.decode(b"", final=True)


def _filled(rows: Iterable[Row], columns: FeedColumns) -> Iterator[Row]:
    plan = columns.plan()
    for row in rows:
        yield columns.fill(row, plan)


def _row_of(item: Mapping[str, Any]) -> Row:
    row: Row = {}
    for name, value in item.items():
        known = column_name(name)
        if known in {"attributes", "product_attributes"} and isinstance(value, dict):
            for inner, told in value.items():
                _put(row, column_name(inner), _plain_names(told))
        else:
            _put(row, known, _plain_names(value))
    return row


def _plain_names(value: Any) -> Any:
    """An object's members by their plain names; one level is all that feeds nest."""
    if isinstance(value, dict):
        return {column_name(name): inner for name, inner in value.items()}
    return [_plain_names(one) for one in value] if isinstance(value, list) else value


def _chained(head: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from rest


def _xml_rows(pieces: Iterable[bytes], url: str) -> Iterator[Row]:
    # Entities are never resolved and nothing is loaded; `recover` is for the unescaped & of real feeds.
    parser = etree.XMLPullParser(
        events=("start", "end"), resolve_entities=False, no_network=True, load_dtd=False, recover=True
    )
    root = ""
    has_items = False
    tail = b""
    elements = silent = 0
    try:
        for piece in pieces:
            parser.feed(piece)
            tail = (tail + piece)[-400:]
            # Text without end, or whatever follows the end of a document, piles up in the parser.
            silent += len(piece)
            if silent > _LONGEST_SILENCE:
                raise UnreadableAnswer(url, "has an item that does not end, or none at all")
            for event, element in parser.read_events():
                silent = 0
                if event == "start":
                    root = root or _name(element.tag)
                    elements += 1
                    if elements > _MOST_ELEMENTS_IN_AN_ITEM:
                        raise UnreadableAnswer(url, "has an item that does not end, or none at all")
                elif _name(element.tag) in (_ITEMS if root in _FEEDS else _ITEMS_ELSEWHERE):
                    elements = 0
                    has_items = True
                    yield _item(element)
                    _forget(element)
    except etree.XMLSyntaxError as error:
        raise UnreadableAnswer(url, f"is no readable XML ({error.msg})") from error
    # The parser closes open elements by itself, so a cut feed would look whole.
    if not root or not re.search(
        rb"</(?:\w+:)?" + root.encode() + rb"\s*>\s*(?:<!--.*)?$", tail.replace(b"\0", b""), re.I | re.S
    ):
        raise UnreadableAnswer(url, "ends in the middle")
    if not has_items and root not in _FEEDS:
        raise UnreadableAnswer(url, f"is XML, but no feed: it holds no item (its root is {root[:40]})")


def _name(tag: object) -> str:
    return column_name(tag.rpartition("}")[2]) if isinstance(tag, str) else ""


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
    if value is None or value in ("", {}):
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


def _text_rows(texts: Iterable[str], url: str, columns: FeedColumns) -> Iterator[Row]:
    lines = _lines(texts, url)
    header = next(lines, "")
    delimiter = max("\t,;|", key=header.count)
    try:
        named = next(csv.reader([header.rstrip("\r\n")], delimiter=delimiter), [])
    except csv.Error:
        named = []
    names = [column_name(name) for name in named]
    if len(names) < 3 or not {"id", "title"} <= columns.names_of(names):
        raise UnreadableAnswer(
            url, "is neither an XML nor a JSON feed, nor a text feed with a header of id, title, …"
        )
    plan = columns.plan(names)
    try:
        for values in csv.reader(lines, delimiter=delimiter):
            if any(values):
                row: Row = {}
                for name, value in zip(names, values, strict=False):
                    _put(row, name, value.strip())
                yield columns.fill(row, plan)
    except csv.Error as error:
        raise UnreadableAnswer(url, f"has a line that cannot be read ({error})") from error


def _lines(texts: Iterable[str], url: str) -> Iterator[str]:
    pending = ""
    for text in texts:
        pending += text
        *whole, pending = pending.splitlines(keepends=True) or [""]
        if pending.endswith("\n"):
            whole, pending = [*whole, pending], ""
        yield from whole
        if len(pending) > _LONGEST_LINE:
            raise UnreadableAnswer(url, "has a line without end")
    if pending:
        yield pending
