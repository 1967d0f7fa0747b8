"""Real titles taken apart: which tokens are model codes, measures, colours, brands or plain words."""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from fixtures.demo.catalogue import CATALOGUES, read_catalogue

UNITS = {
    **dict.fromkeys(("gb", "tb", "mb"), "storage"),
    **dict.fromkeys(('"', "''", "inch", "inches", "in", "zoll"), "inch"),
    **dict.fromkeys(
        ("cm", "mm", "kg", "g", "l", "litre", "litres", "ml", "w", "watt", "kw", "v", "mp"), "plain"
    ),
    **dict.fromkeys(("ghz", "mhz", "hz", "mah", "rpm", "oz", "lb", "lbs", "btu", "mm"), "plain"),
}
COLOURS = tuple(
    "black white silver red blue green pink grey graphite yellow purple brown beige orange".split()
)
EDITIONS = tuple("pro deluxe premium standard plus home ultra lite max mini".split())
_MEASURE = re.compile(
    r"(\d{1,5}(?:[.,]\d{1,2})?)[-\s]?(" + "|".join(map(re.escape, sorted(UNITS, key=len, reverse=True))) + ")"
)
_TECHNIQUE = re.compile(
    r"(?:mp|mpeg|ddr|usb|cat|ps|h|x|win|dvb|hdr|wifi|rs|hdmi|lga|skt|802)[-.]?\d+(?:[.,]\d+)?[a-z]{0,3}|\d+(?:bit|mbps|gbps|ch|way|th|st|nd|rd|pk|pc|user|x|p|m|k|cf)"
    r"|\d+[.,]\d+[a-z]{1,2}|\d+(?:st|nd|rd|th)-.*"
)
_EDGES = re.compile(r"^[(\[,;:\"']+|[)\],;:!?.]+$")


class Token(NamedTuple):
    """`kind` is code, measure, colour, edition, number, brand, word or sign; `core` its text in lower case."""

    kind: str
    text: str
    core: str


@dataclass(frozen=True, slots=True)
class Pattern:
    """One real product: the ways in which real shops word it, and its brand ('' where none is known)."""

    wordings: tuple[tuple[Token, ...], ...]
    brand: str
    category: str


def squashed(code: str) -> str:
    """Lower case without separators."""
    return re.sub(r"[^a-z0-9]", "", code.lower())


def read_patterns(folder: Path | None = None) -> list[Pattern]:
    """Patterns of the demo catalogues, or of every sub-folder with `offers.csv` and `truth.csv` or `pairs.csv`."""
    rows = list(_demo_rows() if folder is None else _folder_rows(folder))
    clusters: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for cluster, title, brand, category in rows:
        clusters[cluster].append((title, brand, category))
    openings = Counter(title.split()[0].lower() for _, title, _, _ in rows if title.split())
    anywhere = Counter(word for _, title, _, _ in rows for word in set(title.lower().split()))
    brands = {brand.lower() for _, _, brand, _ in rows if brand} | {
        word
        for word, times in openings.items()
        if times >= 4 and times >= 0.4 * anywhere[word] and word.isalpha()
    }
    patterns = []
    for _, offers in sorted(clusters.items()):
        wordings = list(
            dict.fromkeys(tuple(_joined(read_tokens(title, brands), brand)) for title, brand, _ in offers)
        )
        usable = tuple(wording for wording in wordings if 3 <= len(wording) <= 22)[:5]
        if usable:
            opening = (token.text for wording in usable for token in wording if token.kind == "brand")
            brand = next((brand for _, brand, _ in offers if brand), "") or next(opening, "")
            patterns.append(Pattern(usable, brand, offers[0][2]))
    return patterns


def read_tokens(title: str, brands: Iterable[str] = ()) -> list[Token]:
    """The title's tokens in their order; a number and its unit are one token, `core` without the gap."""
    known = brands if isinstance(brands, set) else set(brands)
    text = " ".join(title.replace("�", " ").split())
    parts = text.split(" ")
    tokens: list[Token] = []
    skip = False
    for index, part in enumerate(parts):
        if skip:
            skip = False
            continue
        bare = _EDGES.sub("", part) if not re.fullmatch(r"\d+(?:[.,]\d+)?(?:\"|'')", part) else part
        following = _EDGES.sub("", parts[index + 1]).lower() if index + 1 < len(parts) else ""
        if (
            re.fullmatch(r"\d{1,5}(?:[.,]\d{1,2})?", bare)
            and following in UNITS
            and following not in {'"', "in"}
        ):
            tokens.append(Token("measure", f"{bare}{following}", f"{bare}{following}"))
            skip = True
            continue
        core = bare.lower()
        if not squashed(core):
            if not core.isalpha():
                continue
            tokens.append(Token("word", bare, core))
            continue
        tokens.append(Token(_kind(core, known), bare, core))
    return tokens


def _joined(tokens: list[Token], brand: str) -> list[Token]:
    """The tokens with a brand of several words as one token."""
    words = brand.lower().split()
    for start in range(len(tokens) - len(words) + 1 if len(words) > 1 else 0):
        if [token.core for token in tokens[start : start + len(words)]] == words:
            text = " ".join(token.text for token in tokens[start : start + len(words)])
            return [*tokens[:start], Token("brand", text, text.lower()), *tokens[start + len(words) :]]
    return tokens


def _kind(core: str, brands: set[str]) -> str:
    if _MEASURE.fullmatch(core):
        return "measure"
    if core in COLOURS:
        return "colour"
    if core in EDITIONS:
        return "edition"
    if core in brands:
        return "brand"
    if re.fullmatch(r"(?:19|20)\d\d|\d{1,2}(?:\.\d)?", core):
        return "number"
    compact = squashed(core)
    letters, digits = any(map(str.isalpha, compact)), any(map(str.isdigit, compact))
    is_code = (letters and digits and len(compact) >= 4) or (compact.isdigit() and 5 <= len(compact) <= 14)
    if is_code and "/" not in core.strip("/") and not _TECHNIQUE.fullmatch(core) and len(compact) <= 20:
        return "code"
    return "word"


def measure_parts(core: str) -> tuple[str, str]:
    """("500", "gb") of "500gb". Raises ValueError where it is no measure."""
    found = _MEASURE.fullmatch(core)
    if found is None:
        raise ValueError(f"{core!r} is no measure")
    return found[1], found[2]


def rare_words(patterns: Sequence[Pattern]) -> list[str]:
    """Words of four to twelve letters that few real products have: names of series and the like."""
    counts = Counter(
        core
        for pattern in patterns
        for core in {token.core for wording in pattern.wordings for token in wording if token.kind == "word"}
    )
    return sorted(
        word
        for word, times in counts.items()
        if times <= 3 and 4 <= len(word) <= 12 and word.isalpha() and word.isascii()
    )


def word_counts(patterns: Sequence[Pattern]) -> Counter[str]:
    """In how many products a word stands."""
    return Counter(
        core
        for pattern in patterns
        for core in {token.core for wording in pattern.wordings for token in wording}
    )


def _demo_rows() -> Iterable[tuple[str, str, str, str]]:
    for path in sorted(CATALOGUES.glob("*.jsonl")):
        for product in read_catalogue(path.stem):
            for variant in product.variants:
                if not variant.source.startswith("invented/"):
                    yield (
                        variant.cluster,
                        product.title_of(variant),
                        product.brand or "",
                        product.category[-1],
                    )


def _folder_rows(folder: Path) -> Iterable[tuple[str, str, str, str]]:
    for directory in sorted(path for path in folder.iterdir() if (path / "offers.csv").exists()):
        if (directory / "truth.csv").exists():
            with (directory / "truth.csv").open(encoding="utf-8", newline="") as file:
                cluster_of = {row["offer_id"]: row["cluster_id"] for row in csv.DictReader(file)}
        else:
            cluster_of = {}
        with (directory / "offers.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                cluster = cluster_of.get(row["offer_id"], f"single {row['offer_id']}")
                yield (
                    f"{directory.name}/{cluster}",
                    row["title"],
                    row.get("brand", ""),
                    row.get("category", ""),
                )
