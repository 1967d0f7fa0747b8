"""The search index on disk: a tantivy index derived from the database, one writer, any number of reading processes.

`FOLDER/current` names the generation that is read, a folder beside it; a new one is built apart and takes over in one
rename. Inside a generation tantivy's own `meta.json` changes with each commit; readers look at both files' times before
they search. `position.json` beside a generation says which change of the database it stands at.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import secrets
import shutil
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import tantivy

from aggregator.catalog.search_changes import Position
from aggregator.catalog.search_documents import SearchDocument
from aggregator.catalog.search_marks import mark
from aggregator.domain.errors import EnvironmentProblem

log = logging.getLogger("click2cart.search")

# What is written; another number makes an index that an older or newer program left be built anew.
FORMAT = 3
# Sort keys hold thousandths of a currency's unit above the product's number, so that no two are equal.
ID_BITS = 27
MILLS = Decimal(1000)
_ID_MASK = (1 << ID_BITS) - 1
# Prices above this (68 million) are told apart no more; what is sold out or has no such price comes after all.
_MOST_MILLS = (1 << 36) - 1
_SOLD_OUT = 1 << 36
NOTHING = (1 << 64) - 1
# Limits above this (21 million) are told apart no more.
MOST_CENTS = (1 << 31) - 1
_HEAP = 200_000_000
_SMALL_HEAP = 30_000_000
_OLD_GENERATIONS_KEPT = 1
_MOST_KEPT = 2_000
Counted = TypeVar("Counted")


def sort_key(amount: Decimal | None, product_id: int, *, is_available: bool = True) -> int:
    """An amount and a product as one number to order by; NOTHING without an amount."""
    if amount is None:
        return NOTHING - (~product_id & _ID_MASK)
    mills = min(int(amount * MILLS), _MOST_MILLS) + (0 if is_available else _SOLD_OUT)
    return (mills << ID_BITS) | (product_id & _ID_MASK)


def cents(price: Decimal) -> int:
    """A price as limits are compared with it."""
    return min(round(price * 100), MOST_CENTS)


def schema() -> tantivy.Schema:
    """The fields. `words` holds all that finds a product, `title` what ranks it; the rest are facets and orders."""
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("id", indexed=True, fast=True)
    # The title is kept as it is too: wrongly spelt words are compared with those of likely products.
    builder.add_text_field("title", stored=True, tokenizer_name="whitespace", index_option="freq")
    builder.add_text_field("words", tokenizer_name="whitespace", index_option="basic")
    for name in ("wording", "code"):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    for name in ("category", "condition", "available"):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    # Counted: `filed` is the innermost category, `mark` stands for several small facets.
    for name in ("brand", "filed", "attribute"):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic", fast=True)
    builder.add_unsigned_field("mark", fast=True)
    # A brand in any case of letters; `brand` is as stores spell it.
    builder.add_text_field("brand_key", tokenizer_name="raw", index_option="basic")
    builder.add_unsigned_field("store", indexed=True, fast=True)
    builder.add_float_field("weight", fast=True)
    for name in (
        "cents",
        "price_key",
        "cheapest_key",
        "total_key",
        "open_key",
        "unit_key",
        "drop_key",
        "stores_key",
        "weight_key",
    ):
        builder.add_unsigned_field(name, fast=True)
    return builder.build()


def _document(one: SearchDocument) -> tantivy.Document:
    number, available = one.product_id, one.is_available
    document = tantivy.Document()
    document.add_unsigned("id", number)
    document.add_text("title", one.title_words)
    document.add_text("words", one.words)
    for name, values in (
        ("wording", one.wordings),
        ("code", one.codes),
        ("category", one.categories),
        ("condition", one.conditions),
        ("attribute", one.attributes),
    ):
        for value in values:
            document.add_text(name, value)
    if one.brand:
        document.add_text("brand", one.brand)
        document.add_text("brand_key", one.brand.casefold())
    if one.categories:
        document.add_text("filed", one.categories[-1])
    document.add_unsigned("mark", mark(one.price, one.conditions, is_available=available))
    document.add_text("available", "yes" if available else "no")
    for store_id in one.stores:
        document.add_unsigned("store", store_id)
    if one.price is not None:
        document.add_unsigned("cents", cents(one.price))
    document.add_float("weight", one.weight)
    for name, key in (
        # From the dearest on: what has no price comes last there too.
        ("price_key", sort_key(one.price or Decimal(0), number)),
        ("cheapest_key", sort_key(one.price, number, is_available=available)),
        ("total_key", sort_key(one.known_total, number, is_available=available)),
        ("open_key", sort_key(one.open_price, number, is_available=available)),
        ("unit_key", sort_key(one.unit_price, number, is_available=available)),
        ("drop_key", sort_key((one.drop or Decimal(0)) * 1000, number)),
        ("stores_key", sort_key(Decimal(one.store_count), number)),
        ("weight_key", sort_key(Decimal(str(round(one.weight, 3))), number)),
    ):
        document.add_unsigned(name, key)
    return document


@dataclass(frozen=True, slots=True)
class Generation:
    """One whole index on disk, made for parcels to that country."""

    folder: Path
    country: str | None

    @property
    def position(self) -> Position | None:
        """Which change of the database it stands at; None where it cannot be used."""
        try:
            read = json.loads((self.folder / "position.json").read_bytes())
            if (read["format"], read["country"]) != (FORMAT, self.country):
                return None
            return Position(int(read["number"]), datetime.fromisoformat(read["changed_at"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def stand_at(self, position: Position) -> None:
        """Note that all changes up to this one are in it."""
        document = {
            "format": FORMAT, "country": self.country, "number": position.number,
            "changed_at": position.changed_at.isoformat(),
        }  # fmt: skip
        _replace(self.folder / "position.json", json.dumps(document))


class IndexPlace:
    """Where the index of this machine is kept; writes it. One process at a time writes.

    Its totals are for parcels to `country` (None: each store's own); an index for another one is made anew.
    """

    def __init__(self, folder: Path, country: str | None = None) -> None:
        self.folder = folder
        self.country = country

    @classmethod
    def at(cls, data_dir: Path, country: str | None = None) -> IndexPlace:
        """The place in a data directory."""
        return cls(data_dir / "search-index", country)

    def current(self) -> Generation | None:
        """What readers read."""
        try:
            name = (self.folder / "current").read_text(encoding="ascii")
        except (OSError, ValueError):
            return None
        generation = Generation(self.folder / name, self.country)
        return generation if (generation.folder / "meta.json").exists() else None

    @contextmanager
    def alone(self, *, wait: bool) -> Iterator[bool]:
        """Whether this process may write now; a lock that a killed one held is free."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            file = (self.folder / "lock").open("w")
        except OSError as error:
            raise EnvironmentProblem(
                f"the search index cannot be written to {self.folder} ({error.strerror}); make room or let this"
                " user write there"
            ) from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield False
            else:
                yield True

    def build(self, batches: Iterable[Iterable[SearchDocument]], position: Position) -> int:
        """Write a whole new generation and let it take over; returns how many products it has."""
        generation = Generation(self.folder / f"g{secrets.token_hex(6)}", self.country)
        generation.folder.mkdir()
        count = 0
        try:
            writer = tantivy.Index(schema(), str(generation.folder)).writer(_HEAP, 1)
            for batch in batches:
                for document in batch:
                    writer.add_document(_document(document))
                    count += 1
            writer.commit()
            writer.wait_merging_threads()
            generation.stand_at(position)
        except BaseException:
            shutil.rmtree(generation.folder, ignore_errors=True)
            raise
        _replace(self.folder / "current", generation.folder.name)
        self._sweep()
        return count

    def apply(
        self,
        generation: Generation,
        changed: Iterable[int],
        documents: Iterable[SearchDocument],
        position: Position,
    ) -> None:
        """Replace what is known of the changed products by the documents; those without one are gone."""
        index = tantivy.Index.open(str(generation.folder))
        writer = index.writer(_SMALL_HEAP, 1)
        for product_id in changed:
            # By a query: its deletion by a term takes every number for a signed one, and finds nothing.
            writer.delete_documents_by_query(
                tantivy.Query.term_query(index.schema, "id", product_id, "basic")
            )
        for document in documents:
            writer.add_document(_document(document))
        writer.commit()
        # After the commit: what is read twice stays right, what is left out would not.
        generation.stand_at(position)
        writer.wait_merging_threads()

    def remove(self) -> None:
        """Forget the index; readers do without until it is made anew."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _sweep(self) -> None:
        """Remove generations that nobody begins to read any more; the last one stays for who just opened it."""
        current = (self.folder / "current").read_text(encoding="ascii")
        others = [path for path in self.folder.glob("g*") if path.name != current]
        others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        for path in others[_OLD_GENERATIONS_KEPT:]:
            shutil.rmtree(path, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class View:
    """The index as it stands at one moment: all that one page is made of comes from the same view."""

    searcher: tantivy.Searcher
    schema: tantivy.Schema
    stamp: tuple[object, ...]
    position: Position
    # What the latest searches found and counted in it: the same again, their next pages and other orders cost less.
    _kept: dict[Hashable, Any] = field(default_factory=dict)

    def kept(self, key: Hashable) -> Any:
        """What was kept under this key; None where nothing is."""
        return self._kept.get(key)

    def keep(self, key: Hashable, found: object) -> None:
        """Keep it for as long as nothing changes in the index, or until much else was asked."""
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[key] = found

    def count_once(self, key: Hashable, count: Callable[[], Counted]) -> Counted:
        """What was counted under this key before, or is now."""
        found: Counted | None = self.kept(key)
        if found is None:
            found = count()
            self.keep(key, found)
        return found


class SearchIndex:
    """Reads the index for one process; safe to be used by several threads."""

    def __init__(self, place: IndexPlace) -> None:
        self._place = place
        self._lock = threading.Lock()
        self._name = ""
        self._index: tantivy.Index | None = None
        self._view: View | None = None

    def view(self) -> View | None:
        """The newest committed state; None where there is no index that can be read."""
        try:
            stamp = self._stamp()
        except OSError:
            return None
        view = self._view
        if view is not None and view.stamp == stamp:
            return view
        with self._lock:
            try:
                return self._read(stamp)
            except (OSError, ValueError) as error:
                log.warning("the search index cannot be read (%s); the database answers", error)
                return None

    def _stamp(self) -> tuple[object, ...]:
        name = (self._place.folder / "current").read_text(encoding="ascii")
        meta = (self._place.folder / name / "meta.json").stat()
        return name, meta.st_mtime_ns, meta.st_ino

    def _read(self, stamp: tuple[object, ...]) -> View | None:
        if self._view is not None and self._view.stamp == stamp:
            return self._view
        name = str(stamp[0])
        if self._index is None or name != self._name:
            self._index = tantivy.Index.open(str(self._place.folder / name))
            self._index.config_reader("manual")
            self._name = name
        position = Generation(self._place.folder / name, self._place.country).position
        if position is None:
            return None
        self._index.reload()
        self._view = View(self._index.searcher(), self._index.schema, stamp, position)
        return self._view


def _replace(path: Path, content: str) -> None:
    """A file that is there whole or as it was."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    beside.write_text(content, encoding="ascii")
    os.replace(beside, path)
