"""Shopping lists as people paste them, text or CSV, read into lines. Nothing that was written is dropped."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aggregator.domain.errors import InvalidInput
from aggregator.domain.identifiers import read_gtin
from aggregator.domain.normalization.names import fold

MAX_BYTES = 100_000
MAX_LINES = 500
MAX_QUANTITY = 999
LONGEST_WORDING = 300
_LONGEST_READ = 400
# A quantity behind the words is looked for here alone, so that no line takes long to read.
_TAIL = 40

_MARK = r"(?:x|×|✕|\*)"
_PIECE = (
    r"(?:pieces?|pcs?|pc|units?|ea|each|packs?|st(?:ü|ue)ck|stk|st|pi[eè]ces?|unit[eé]s?|unidades|uds?|pezzi|pz|"
    r"stuks?|szt|ks)"
)
_NUMBER = r"(\d{1,6})"
_BULLET = re.compile(r"^\s*(?:[-*+•◦‣·–—]\s+|\d{1,3}[.)]\s+(?=\S)|>\s*)")
_TICK_BOX = re.compile(r"^\s*(?:\[[ xX✓]?\]|[☐☑✓✔])\s*")
_WEB_LINK = re.compile(r"!?\[([^\]]+)\]\([^)\s]*\)")
_EMPHASIS = re.compile(r"(\*\*|__|`|~~)(?=\S)(.+?)(?<=\S)\1")
_HEADING = re.compile(r"\s*(?:#{1,6}\s+.*|[-*_=]{3,}|```.*)\s*")
# Quantities before and behind the words. "2 TB disk", "12V battery" and "3 in 1" begin with no quantity.
_FIRST = (
    re.compile(rf"\s*(?:qty|quantity|menge|anzahl|quantit[eé])\s*[:=]?\s*{_NUMBER}\b[\s,;:]*(.+)", re.I),
    re.compile(rf"\s*{_NUMBER}\s*{_MARK}(?:\s+|(?=[^\W\d]))(.+)", re.I),
    re.compile(rf"\s*{_MARK}\s*{_NUMBER}\s+(.+)", re.I),
    re.compile(rf"\s*{_NUMBER}\s*{_PIECE}\.?\s+(?:(?:of|de|di|von)\s+)?(.+)", re.I),
)
_LAST = (
    re.compile(
        rf"(.*?)[\s,;:(\[–-]*\b(?:qty|quantity|menge|anzahl|quantit[eé])\s*[.:=]?\s*{_NUMBER}\s*[)\]]?\s*",
        re.I,
    ),
    re.compile(rf"(.*?)[\s,;:(\[–-]+{_MARK}\s*{_NUMBER}\s*[)\]]?\s*", re.I),
    re.compile(rf"(.*?)[\s,;:(\[–-]+{_NUMBER}\s*{_MARK}\s*[)\]]?\s*", re.I),
    re.compile(rf"(.*?)[\s,;:(\[–-]+{_NUMBER}\s*{_PIECE}\.?\s*[)\]]?\s*", re.I),
    re.compile(r"(.*?)\s+\(\s*(\d{1,3})\s*\)\s*"),
)
_BARE_FIRST = re.compile(r"\s*(\d{1,2})\s+([^\W\d][\w'’&.-]{2,}.*)")
# What follows a number as its unit is no name of a thing.
_UNITS = frozenset(
    "mm cm dm km inch inches zoll pouces feet foot gram grams kg mg lbs pounds ml cl dl liter litre liters litres ltr "
    "watt watts volt volts amp mah kwh ghz mhz hz gb tb mb kb gib tib way port ports core cores pin pole in hours hour "
    "days day years year months minutes person persons player players channel channels megapixel mp bit stage speed "
    "door piece fold ply cup cups burner zone slot bay wheel gang".split()
)
_HEADER = {
    "gtin": frozenset("gtin ean ean13 upc isbn barcode gtin13 gtin14 eancode".split()),
    "quantity": frozenset(
        "qty quantity menge anzahl amount count pieces stueck stuck stk pcs quantite cantidad quantita units".split()
    ),
    "name": frozenset(
        "name title product item article artikel produkt bezeichnung description beschreibung designation producto "
        "prodotto nom libelle titel produktname artikelname".split()
    ),
    "code": frozenset("sku mpn model code reference ref artnr artikelnummer modell manufacturer".split()),
    "brand": frozenset("brand marke hersteller marque marca".split()),
}


@dataclass(frozen=True, slots=True)
class WantedLine:
    """One line of a list: as it was written, what to look for, and how many."""

    text: str
    wording: str
    quantity: int = 1


def read_pasted_list(text: str) -> tuple[WantedLine, ...]:
    """The lines of a pasted list in its order; headings and blank lines are no lines.

    Text ("2x Bosch GSR 12V", "Bosch GSR 12V (2)", markdown bullets and tick boxes) and CSV by comma, semicolon or tab,
    with or without a header. A quantity beyond 999 is read as 999. Raises InvalidInput beyond 500 lines or 100 kB.
    """
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise InvalidInput(
            f"the list has {size // 1000} kB, at most {MAX_BYTES // 1000} can be read",
            place="list",
            remedy="paste it in parts",
        )
    written = [line for line in _lines(text) if line.strip()]
    rows = _table(written)
    found = tuple(_rows_read(rows) if rows else _lines_read(written))
    if len(found) > MAX_LINES:
        raise InvalidInput(
            f"the list has {len(found)} lines, at most {MAX_LINES} can be read",
            place="list",
            remedy="paste it in parts",
        )
    return found


def _lines(text: str) -> list[str]:
    without_marks = text.removeprefix("\ufeff").replace("\u200b", "").replace("\u00a0", " ")
    printable = "".join(
        letter if letter.isprintable() or letter in "\n\t" else " "
        for letter in without_marks.replace("\r\n", "\n").replace("\r", "\n")
    )
    return printable.split("\n")


def _lines_read(lines: Sequence[str]) -> Iterator[WantedLine]:
    for line in lines:
        if not _HEADING.fullmatch(line):
            yield read_wanted_line(line)


def read_wanted_line(line: str) -> WantedLine:
    """One line of text: its quantity, and the words to look for without it."""
    text = line.strip()
    written = " ".join(text[:_LONGEST_READ].split())
    plain = _TICK_BOX.sub("", _BULLET.sub("", written, count=1), count=1)
    plain = _EMPHASIS.sub(r"\2", _WEB_LINK.sub(r"\1", plain)).strip()
    quantity, wording = _quantity(plain)
    return WantedLine(text, _wording(wording or plain or text), quantity)


def _quantity(text: str) -> tuple[int, str]:
    if read_gtin(text):
        return 1, text
    for pattern in _FIRST:
        if (found := pattern.fullmatch(text)) and _is_count(found[1]):
            return _count(found[1]), found[2]
    head, tail = text[:-_TAIL], text[-_TAIL:]
    for pattern in _LAST:
        if (found := pattern.fullmatch(tail)) and _is_count(found[2]) and (head + found[1]).strip():
            return _count(found[2]), head + found[1]
    spaced = re.sub(r"[;,]\s*", " ", text)
    number, _, other = spaced.partition(" ")
    last_words, _, last = spaced.rpartition(" ")
    # A number on its own beside a GTIN can only be how many.
    if _is_count(number) and read_gtin(other):
        return _count(number), other
    if _is_count(last) and read_gtin(last_words.strip(" :-")):
        return _count(last), last_words
    if (found := _BARE_FIRST.fullmatch(text)) and _is_count(found[1]):
        word = re.match(r"[^\W\d]+", found[2])
        if word and fold(word[0]) not in _UNITS:
            return _count(found[1]), found[2]
    return 1, text


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 6 and int(text) > 0


def _count(text: str) -> int:
    return min(int(text), MAX_QUANTITY)


def _wording(text: str) -> str:
    return " ".join(text.strip(" \t,;:|-–—\"'").split())[:LONGEST_WORDING] or text.strip()[:LONGEST_WORDING]


def _table(lines: Sequence[str]) -> list[list[str]]:
    """The cells where the lines are a table: a known header, or a column of counts in every line; else none."""
    for delimiter in "\t;|,":
        if not lines or any(
            delimiter not in line.strip(" |" if delimiter == "|" else " ") for line in lines[:1]
        ):
            continue
        rows = _split(lines, delimiter)
        if _header(rows[0]):
            return rows
        # Without a header commas and bars also stand in names: each line must tell its count.
        if all(len(row) >= 2 and _count_column(row) is not None for row in rows):
            return rows
    return []


def _split(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    if delimiter == "|":
        rows = [line.strip().strip("|").split("|") for line in lines]
        return [
            [cell.strip() for cell in row] for row in rows if not re.fullmatch(r"[\s:|-]*", "|".join(row))
        ]
    try:
        rows = list(csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter))
    except csv.Error:
        rows = [line.split(delimiter) for line in lines]
    return [[cell.strip() for cell in row] for row in rows if any(cell.strip() for cell in row)]


def _header(row: Sequence[str]) -> dict[str, int]:
    """The places of the columns that a header names; a quantity alone, or one number, makes none."""
    found: dict[str, int] = {}
    for place, cell in enumerate(row):
        words = re.findall(r"[a-z0-9]+", fold(cell))
        for kind, names in _HEADER.items():
            if kind not in found and words and len(words) <= 3 and names & {*words, "".join(words)}:
                found[kind] = place
                break
    return found if found.keys() & {"gtin", "name", "code"} and len(found) >= min(2, len(row)) else {}


def _count_column(row: Sequence[str]) -> int | None:
    for place in (len(row) - 1, 0):
        cell = re.sub(rf"\s*(?:{_MARK}|{_PIECE})\.?$", "", row[place], flags=re.IGNORECASE)
        if _is_count(cell) and any(other for at, other in enumerate(row) if at != place):
            return place
    return None


def _rows_read(rows: Sequence[Sequence[str]]) -> Iterator[WantedLine]:
    header = _header(rows[0])
    for row in rows[1:] if header else rows:
        text = " · ".join(cell for cell in row if cell)
        place = header.get("quantity") if header else _count_column(row)
        written = row[place] if place is not None and place < len(row) else ""
        digits = re.match(r"\d{1,6}(?=$|\D)", written)
        quantity = _count(digits[0]) if digits and _is_count(digits[0]) else 1
        yield WantedLine(text[:LONGEST_WORDING], _cells_wording(row, header, place) or text, quantity)


def _cells_wording(row: Sequence[str], header: dict[str, int], count_place: int | None) -> str:
    """A GTIN where the row has a right one; else brand, name and code; else every cell but the count."""
    others = [cell for place, cell in enumerate(row) if place != count_place and cell]
    gtin = next((cell for cell in others if read_gtin(cell)), None)
    if gtin:
        return gtin
    named = [header[kind] for kind in ("brand", "name", "code") if kind in header]
    chosen = [row[place] for place in named if place < len(row) and row[place]]
    return _wording(" ".join(chosen or others))
