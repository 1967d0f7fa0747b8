"""One small tree of categories for all stores, and which of them a store's own path and a title mean."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from aggregator.domain.normalization.names import fold

# Where nothing fits; also the department of such products.
OTHER = "other"
_LONGEST_PHRASE = 4
# What an ending of a compound must at least have: "bahnhof" is no "hof".
_SHORTEST_COMPOUND = 3
_STEP = re.compile(r"\s*(?:[>|»›/\\]|::)\s*")
_AND = re.compile(r"\s*[&+]\s*|\s(?:und|et)\s")
_WORD = re.compile(r"[^\W_]+")
# "Bags for laptops" are bags, "TV with DVD player" is a TV.
_WHAT_FOLLOWS = re.compile(
    r"\s(?:for|with|without|fur|mit|ohne|pour|avec|sans|para|con|sin|per|senza|voor|met|compatible|inkl\w*|incl\w*)\s|"
    r"[(\[;,]|\s[-–—]\s"
)
# Steps of a path that say nothing of the kind.
_EMPTY_STEPS = frozenset(
    "home shop store start all products product catalog category categories accessories accessory other others misc"
    " sale new various sonstiges sonstige zubehor alle produkte autres accessoires divers tous electronics electronic"
    " elektronik electronique electronica default root uncategorized general".split()
)


# Departments and categories of things that are used up by weight or volume.
_BY_CONTENT = frozenset(
    "food-and-drink beauty-and-health pets cleaning ink-and-paper plants building-material car-parts car-care".split()
)


@dataclass(frozen=True, slots=True)
class Category:
    """One place in the tree. `parent` is its department, None for a department; `google` is Google's id where alike.

    `names` are by language; English is always there.
    """

    key: str
    parent: str | None
    names: Mapping[str, str]
    google: int | None

    def name(self, language: str) -> str:
        """What people read in that language, else in English."""
        return self.names.get(language, self.names["en"])


@cache
def categories() -> Mapping[str, Category]:
    """Every category by its key, each department before its own, in the order of the tree."""
    found: dict[str, Category] = {}
    for key, department in _document().items():
        found[key] = Category(key, None, department["names"], department.get("google"))
        for child, entry in department["categories"].items():
            names = {language: entry[language] for language in ("en", "de", "fr")}
            found[child] = Category(child, key, names, entry.get("google"))
    found[OTHER] = Category(
        OTHER, None, {"en": "Everything else", "de": "Alles andere", "fr": "Tout le reste"}, None
    )
    return found


def children(key: str) -> tuple[Category, ...]:
    """The categories of a department; none for what is no department."""
    return tuple(category for category in categories().values() if category.parent == key)


def departments() -> tuple[Category, ...]:
    """The first level, in the order of the tree."""
    return tuple(category for category in categories().values() if category.parent is None)


def branch(key: str) -> tuple[str, ...]:
    """The keys that a choice of this one means: itself and its children."""
    return (key, *(category.key for category in children(key)))


def with_departments(counts: Mapping[str, int]) -> dict[str, int]:
    """The same by category, and each department with all that its categories hold: a thing is filed in one place."""
    summed = Counter(counts)
    for key, count in counts.items():
        category = categories().get(key)
        if category is not None and category.parent is not None:
            summed[category.parent] += count
    return dict(summed)


def is_sold_by_content(key: str | None) -> bool:
    """Whether the litres or kilograms that a title names are what is bought: of juice, not of a fridge."""
    found = categories().get(key or "")
    return found is not None and (found.key in _BY_CONTENT or found.parent in _BY_CONTENT)


def category_of(path: str | None, title: str, rules: Mapping[str, str] | None = None) -> str:
    """The key of the category that a product belongs to, or OTHER.

    An operator's rule for the path (by the path as the store words it) outranks all; then the path's last step that
    means a category counts, then the title, looked for in the department that the path means, if it means one.
    """
    if path and rules and path in rules:
        return rules[path]
    by_path = _of_path(path) if path else None
    if by_path is not None and categories()[by_path].parent is not None:
        return by_path
    by_title = _of_title(title, by_path)
    return by_title or by_path or OTHER


@lru_cache(maxsize=20_000)
def _of_path(path: str) -> str | None:
    department = None
    for step in reversed(_STEP.split(path)[-6:]):
        folded = _plain(step)
        if all(word in _EMPTY_STEPS for word in _words(folded)):
            continue
        kind = _WHAT_FOLLOWS.split(f"{folded} ", maxsplit=1)[0]
        whole = _phrases()[0].get(" ".join(_words(folded)))
        found = [whole] if whole else [key for _, key in _meanings(kind if _words(kind) else folded)]
        for key in found:
            if categories()[key].parent is not None:
                return key
            department = department or key
        if department:
            return department
    return None


def _of_title(title: str, department: str | None) -> str | None:
    folded = _plain(title)
    for text in dict.fromkeys((_WHAT_FOLLOWS.split(folded, maxsplit=1)[0], folded)):
        # The longest phrase says most: a "fridge freezer" with "water" is no drink.
        for _, key in sorted(_meanings(text), key=lambda meaning: -meaning[0]):
            parent = categories()[key].parent
            if parent is not None and (department is None or parent == department):
                return key
    return None


def _meanings(folded: str) -> Iterator[tuple[int, str]]:
    """(words of the phrase, key) of what the text means, from its end: what stands last names the thing."""
    words = _words(folded)
    phrases, endings = _phrases()
    end = len(words)
    while end > 0:
        length = next(
            (
                length
                for length in range(min(_LONGEST_PHRASE, end), 0, -1)
                if " ".join(words[end - length : end]) in phrases
            ),
            0,
        )
        if length:
            yield length, phrases[" ".join(words[end - length : end])]
        elif ending := _ending(words[end - 1]):
            yield 1, endings[ending]
        end -= length or 1


def _ending(word: str) -> str | None:
    """The longest ending of a compound that names something."""
    endings = _phrases()[1]
    return next(
        (word[start:] for start in range(_SHORTEST_COMPOUND, len(word) - 3) if word[start:] in endings), None
    )


def _plain(text: str) -> str:
    return _AND.sub(" and ", fold(text))


def _words(folded: str) -> list[str]:
    return [_stem(word) for word in _WORD.findall(folded)]


def _stem(word: str) -> str:
    """One form for singular and plural, roughly: "batteries", "batterie", "battery" -> "batteri"."""
    if len(word) > 3 and word[-1] == "s" and word[-2] not in "su":
        word = word[:-1]
    if len(word) > 3 and word[-1] == "e":
        word = word[:-1]
    return f"{word[:-1]}i" if len(word) > 3 and word[-1] == "y" else word


@cache
def _phrases() -> tuple[dict[str, str], dict[str, str]]:
    """(key by phrase, key by ending of a compound), words by their stems."""
    phrases: dict[str, str] = {}
    endings: dict[str, str] = {}
    for department, entry in _document().items():
        for key, words in (
            *((child, category["words"]) for child, category in entry["categories"].items()),
            (department, entry["words"]),
        ):
            for phrase in words.split(","):
                plain = " ".join(_words(_plain(phrase.strip().removeprefix("-"))))
                phrases.setdefault(plain, key)
                if phrase.strip().startswith("-"):
                    for form in _german_forms(plain):
                        phrases.setdefault(form, key)
                        endings.setdefault(form, key)
        for key, names in (
            *((child, [c["en"], c["de"], c["fr"]]) for child, c in entry["categories"].items()),
            (department, list(entry["names"].values())),
        ):
            for name in names:
                phrases.setdefault(" ".join(_words(_plain(name))), key)
    return phrases, endings


def _german_forms(word: str) -> Sequence[str]:
    return (word, f"{word}e", f"{word}n", f"{word}en", f"{word}er")


@cache
def _document() -> dict[str, dict[str, Any]]:
    text = files("aggregator.domain").joinpath("taxonomy.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
