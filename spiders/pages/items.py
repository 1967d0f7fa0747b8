"""schema.org items, whatever syntax they came in: types, properties, and references between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from spiders.untrusted import text


@dataclass(frozen=True, slots=True)
class Reference:
    """A value that only names another item by its @id."""

    id: str


@dataclass(slots=True)
class Item:
    """One item. Types and property names are lower-case and without their vocabulary."""

    types: frozenset[str]
    id: str | None = None
    properties: dict[str, list[object]] = field(default_factory=dict)

    def is_a(self, names: frozenset[str]) -> bool:
        """Whether one of its types is among the names."""
        return not names.isdisjoint(self.types)


_ITEMS = (Item, Reference)


class ItemGraph:
    """All items of a page: the outermost ones in order, and each by its @id."""

    def __init__(self, outermost: list[Item], named: dict[str, Item]) -> None:
        self.outermost = outermost
        self.named = named

    def values(self, item: Item, *names: str) -> list[object]:
        """The values of the first of these properties that the item has, references followed."""
        for name in names:
            found = item.properties.get(name)
            if found:
                return [
                    self.named.get(value.id, value) if isinstance(value, Reference) else value
                    for value in found
                ]
        return []

    def items(self, item: Item, *names: str) -> list[Item]:
        """Those values that are items."""
        return [value for value in self.values(item, *names) if isinstance(value, Item)]

    def text(self, item: Item, *names: str) -> str | None:
        """The first value that can be read as text; an item stands for its name, value or address."""
        for name in names:
            if name not in item.properties:
                continue
            for value in self.values(item, name):
                words = self._words(value)
                if words:
                    return words
        return None

    def _words(self, value: object) -> str | None:
        if isinstance(value, str):
            return text(value)
        if isinstance(value, Reference):
            return None
        if isinstance(value, Item):
            inner = next(
                (
                    candidate
                    for name in ("name", "value", "url", "contenturl")
                    for candidate in self.values(value, name)
                    if not isinstance(candidate, _ITEMS)
                ),
                value.id if value.types == frozenset() else None,
            )
            return text(inner)
        return text(value)


def local_name(name: object) -> str:
    """The name without its vocabulary: "https://schema.org/Product" and "schema:Product" are "product"."""
    return _local_name(name) if isinstance(name, str) and len(name) < 200 else ""


@lru_cache(maxsize=4096)
def _local_name(name: str) -> str:
    for separator in "/#:":
        name = name.rpartition(separator)[2]
    return name.strip().lower()
