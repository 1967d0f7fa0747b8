"""JSON-LD of a page: every block, repaired where it is nearly JSON, as one graph of items."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from spiders.pages.base import Document
from spiders.pages.items import Item, ItemGraph, Reference, local_name

_DEEPEST = 30
_MOST_ITEMS = 20_000
_WRAPPING = re.compile(
    r"^\s*(?:<!--|//\s*<!\[CDATA\[|<!\[CDATA\[|/\*\s*<!\[CDATA\[\s*\*/)|(?:-->|//\s*\]\]>|\]\]>|/\*\s*\]\]>\s*\*/)?\s*;?\s*$"
)
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")


def read_json_ld(document: Document) -> ItemGraph:
    """All items of all blocks; a block that cannot be read is left out."""
    builder = _Builder()
    for block in document.scripts("application/ld+json"):
        parsed = _parse(block)
        if parsed is not None:
            builder.add(parsed)
    return ItemGraph(builder.outermost, builder.named)


def _parse(block: str) -> Any:
    """The block's JSON, else what its repaired form says: wrapping, trailing commas, escaped quotes."""
    for attempt in range(3):
        candidate = block
        if attempt:
            candidate = _WRAPPING.sub("", block)
            candidate = _TRAILING_COMMA.sub(r"\1", html.unescape(candidate) if attempt == 2 else candidate)
        try:
            return json.loads(candidate, strict=False, parse_float=Decimal, parse_constant=lambda _: None)
        except (ValueError, ArithmeticError):
            continue
        except RecursionError:
            return None
    return None


class _Builder:
    """Turns parsed JSON into items; parts of one @id, wherever they stand, become one item."""

    def __init__(self) -> None:
        self.outermost: list[Item] = []
        self.named: dict[str, Item] = {}
        self._count = 0

    def add(self, parsed: Any) -> None:
        for node in parsed if isinstance(parsed, list) else [parsed]:
            if not isinstance(node, dict):
                continue
            graph = node.get("@graph")
            if graph is not None:
                self.add(graph)
            if graph is None or set(node) - {"@graph", "@context", "@id"}:
                item = self._item(node, 0)
                if isinstance(item, Item) and not any(item is known for known in self.outermost[-50:]):
                    self.outermost.append(item)

    def _item(self, node: dict[str, Any], depth: int) -> Item | Reference | None:
        self._count += 1
        if depth > _DEEPEST or self._count > _MOST_ITEMS:
            return None
        item_id = node.get("@id")
        item_id = item_id if isinstance(item_id, str) and item_id else None
        if item_id and not set(node) - {"@id", "@type", "@context"}:
            return Reference(item_id)
        types = node.get("@type")
        names = frozenset(local_name(name) for name in (types if isinstance(types, list) else [types])) - {""}
        item = self.named.get(item_id) if item_id else None
        if item is None:
            item = Item(names, item_id)
            if item_id:
                self.named[item_id] = item
        else:
            item.types |= names
        for name, value in node.items():
            if not name.startswith("@"):
                values = list(self._values(value, depth + 1))
                if values:
                    item.properties.setdefault(local_name(name), values)
        return item

    def _values(self, value: Any, depth: int) -> Iterable[object]:
        if isinstance(value, list):
            for inner in value[:2000]:
                if not isinstance(inner, list):
                    yield from self._values(inner, depth)
        elif isinstance(value, dict):
            if "@value" in value:
                yield value["@value"]
            elif "@list" in value or "@set" in value:
                yield from self._values(value.get("@list", value.get("@set")), depth)
            else:
                item = self._item(value, depth)
                if item is not None:
                    yield item
        elif value is not None:
            yield value
