"""Microdata of a page as a graph of items."""

from __future__ import annotations

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
    if "itemscope" not in document.html.lower():
        return ItemGraph([], {})
    items: dict[int, Item] = {}
    outermost: list[Item] = []
    referred: dict[str, Item] = {}
    nodes = document.tree.css("[itemscope], [itemprop]")[:_MOST_NODES]
    for node in nodes:
        if "itemscope" in node.attrs:
            items[node.mem_id] = _scope(node, referred)
    for node in nodes:
        names = (node.attributes.get("itemprop") or "").split()
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


def _scope(node: LexborNode, referred: dict[str, Item]) -> Item:
    attributes = node.attributes
    types = frozenset(local_name(name) for name in (attributes.get("itemtype") or "").split()) - {""}
    item = Item(types, attributes.get("itemid") or None)
    for name in (attributes.get("itemref") or "").split():
        referred[name] = item
    if "offer" in types or "aggregateoffer" in types:
        shown = _shown_price(node)
        if shown:
            item.properties["shown price"] = [shown]
    return item


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


def _shown_price(scope: LexborNode) -> str | None:
    """The visible price inside of an offer whose price is no property: an element classed so, no old price."""
    if scope.css_first("[itemprop~='price'], [itemprop~='lowPrice'], [itemprop~='priceSpecification']"):
        return None
    for node in scope.css("[class*='price' i]"):
        words = node_text(node) or ""
        former = node.tag in {"del", "s", "strike"} or node.css_first("del, s, strike") is not None
        if not former and len(words) < 40 and any(character.isdigit() for character in words):
            return words
    return None
