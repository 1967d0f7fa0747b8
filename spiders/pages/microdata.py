"""Microdata and RDFa of a page as graphs of items."""

from __future__ import annotations

from collections.abc import Callable

from selectolax.lexbor import LexborNode

from spiders.pages.base import Document, node_text
from spiders.pages.items import Item, ItemGraph, local_name

_MOST_NODES = 5000
_HIGHEST_CLIMB = 300
# Where an element's value stands (HTML standard, 5.2.4 "Values"); everything else has its text.
_VALUE_ATTRIBUTE = {
    "a": "href",
    "area": "href",
    "link": "href",
    "img": "src",
    "audio": "src",
    "embed": "src",
    "iframe": "src",
    "source": "src",
    "track": "src",
    "video": "src",
    "object": "data",
    "data": "value",
    "meter": "value",
    "time": "datetime",
}


def read_microdata(document: Document) -> ItemGraph:
    """Every itemscope of the page; those that are no property of another are the outermost."""
    return _read(document.having("itemscope", "itemprop"), "itemscope", "itemprop", _microdata_item)


def read_rdfa(document: Document) -> ItemGraph:
    """Every typeof of the page with its properties (RDFa Lite)."""
    if not document.mentions("typeof="):
        return ItemGraph([], {})
    return _read(document.having("typeof", "property"), "typeof", "property", _rdfa_item)


def _read(
    nodes: list[LexborNode],
    scope: str,
    name_attribute: str,
    make: Callable[[LexborNode, dict[str, Item]], Item],
) -> ItemGraph:
    if not nodes:
        return ItemGraph([], {})
    items: dict[int, Item] = {}
    outermost: list[Item] = []
    referred: dict[str, Item] = {}
    names_of: list[tuple[LexborNode, list[str]]] = []
    for node in nodes[:_MOST_NODES]:
        attributes = node.attributes
        if scope in attributes:
            items[node.mem_id] = make(node, referred)
        names_of.append((node, (attributes.get(name_attribute) or "").split()))
    for node, names in names_of:
        owner = _owner(node, items, referred) if names else None
        own = items.get(node.mem_id)
        if owner is not None:
            value: object = own if own is not None else _value(node)
            for name in names:
                if value is not None:
                    owner.properties.setdefault(local_name(name), []).append(value)
        elif own is not None:
            outermost.append(own)
    return ItemGraph(outermost, {item.id: item for item in items.values() if item.id})


def _microdata_item(node: LexborNode, referred: dict[str, Item]) -> Item:
    attributes = node.attributes
    types = frozenset(local_name(name) for name in (attributes.get("itemtype") or "").split()) - {""}
    item = Item(types, attributes.get("itemid") or None)
    for name in (attributes.get("itemref") or "").split():
        referred[name] = item
    return item


def _rdfa_item(node: LexborNode, referred: dict[str, Item]) -> Item:
    attributes = node.attributes
    types = frozenset(local_name(name) for name in (attributes.get("typeof") or "").split()) - {""}
    return Item(types, attributes.get("resource") or attributes.get("about") or None)


def _owner(node: LexborNode, items: dict[int, Item], referred: dict[str, Item]) -> Item | None:
    """The item that a property belongs to: the nearest scope around it, or the one that refers to its place."""
    current: LexborNode | None = node
    for _ in range(_HIGHEST_CLIMB):
        assert current is not None
        if referred and (name := current.attributes.get("id")) in referred:
            return referred[name or ""]
        current = current.parent
        if current is None:
            return None
        found = items.get(current.mem_id)
        if found is not None:
            return found
    return None


def _value(node: LexborNode) -> str | None:
    attributes = node.attributes
    content = attributes.get("content")
    if content is not None and content.strip():
        return content.strip()
    name = _VALUE_ATTRIBUTE.get(node.tag or "")
    value = attributes.get(name) if name else None
    return node_text(node) if value is None else value.strip()
