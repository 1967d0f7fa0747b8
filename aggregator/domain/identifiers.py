"""Product identifiers: GTINs with their check digit and restricted ranges, and opaque ids of our own."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from stdnum import isbn, issn

from aggregator.domain.errors import NotFound

# Letters and digits that are not mistaken for each other when read aloud or typed.
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"

_PUBLIC_ID = re.compile(f"[{_ALPHABET}]{{12}}")

# GS1 General Specifications, section 1.4: prefixes that never identify a trade item across companies:
# 02, 04 and 2x restricted circulation; 05 and 98x-99x coupons; 951 EPC; 977 periodicals (ISSN).
# 952 is GS1's own prefix for demonstrations and stays allowed: it can meet nothing real.
_RESTRICTED_EAN13 = re.compile(r"^(02|04|05|2\d|951|977|98[0-4]|99)")

NumberKind = Literal["gtin8", "upc", "gtin13", "gtin14", "isbn10", "isbn13", "issn", "ismn"]
_LONGEST_NUMBER = 100
_DASHES = re.compile("[\u2010-\u2015\u2212]")
_NUMBER = re.compile(r"[0-9]{7,13}[0-9X]")
_PAIRED = re.compile(r"[0-9]{4}-[0-9]{3}[0-9Xx]")
_LABEL_WITH_LENGTH = re.compile(
    r"\s*(gtin\W{0,2}(?:8|12|13|14)|ean\W{0,2}(?:8|13)|upc\W?[ae]|isbn\W{0,2}1[03])[\s:#=.\-]*", re.IGNORECASE
)
_LABEL = re.compile(
    r"\s*(gtin|ean|upc|isbn|issn|ismn|jan|barcode)(?:\s*(?:code|no|nr|number))?[\s:#=.\-]*", re.IGNORECASE
)
_LABEL_LENGTHS = {
    "gtin8": {8}, "gtin12": {12}, "gtin13": {13}, "gtin14": {14}, "ean8": {8}, "ean13": {13}, "isbn10": {10},
    "isbn13": {13}, "upca": {12}, "upce": {8},
}  # fmt: skip
# Right by their check digit, and pasted where nobody knew the number.
_EXAMPLES = frozenset({"1234567890128", "0123456789012", "123456789012", "12345670"})


def new_public_id() -> str:
    """An opaque id for addresses and interfaces: 12 letters and digits, never a serial."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(12))


def is_public_id(text: str) -> bool:
    """Whether it can be one of our ids at all; what cannot need not be looked up."""
    return bool(_PUBLIC_ID.fullmatch(text))


def require_public_id(what: str, text: str) -> str:
    """The id; raises NotFound, saying what it was to be of, where it cannot be one."""
    if not is_public_id(text):
        raise NotFound(what, text)
    return text


@dataclass(frozen=True, slots=True)
class ProductNumber:
    """A number with a right check digit: its kind, and its digits ("X" may end an ISBN-10) without separators."""

    kind: NumberKind
    value: str

    @property
    def is_trade_item(self) -> bool:
        """Whether it numbers something that is sold: ISSN and ISMN number works, whatever is sold of them."""
        return self.kind not in {"issn", "ismn"}


def read_product_number(text: str | None) -> ProductNumber | None:
    """What a number says it is by its label, length and check digit; None where it is no such number.

    Labels ("EAN13:", "ISBN-10 ", "gtin14"), brackets and separators may stand around the digits. Eight bare
    digits are a GTIN-8 where that check digit is right, else an ISSN; written 1234-5679 they are an ISSN.
    """
    if not text or len(text) > _LONGEST_NUMBER:
        return None
    ascii_text = text if text.isascii() else _DASHES.sub("-", unicodedata.normalize("NFKC", text))
    plain = ascii_text.strip(" \t\r\n()[]\"'#-.,;:")
    for label, rest in _labelled(plain):
        number = re.sub(r"[\s\-.]", "", rest).upper()
        found = _number(number, label, is_paired=bool(_PAIRED.fullmatch(rest.strip())))
        if found is not None:
            return found
    return None


def _labelled(text: str) -> Iterator[tuple[str, str]]:
    """(label, what follows it), the longest label first: in "EAN1334567890125" the 13 is no part of it."""
    for pattern in (_LABEL_WITH_LENGTH, _LABEL) if text[:1].isalpha() else ():
        found = pattern.match(text)
        if found:
            yield re.sub(r"[^a-z0-9]", "", found[1].lower()), text[found.end() :]
    yield "", text


def _number(number: str, label: str, *, is_paired: bool) -> ProductNumber | None:
    length = len(number)
    declared = _LABEL_LENGTHS.get(label)
    if not _NUMBER.fullmatch(number) or not number.strip("0X") or (declared and length not in declared):
        return None
    if length == 8:
        is_serial = label.startswith("issn") or (is_paired and not label)
        if not is_serial and number.isdecimal() and _has_check_digit(number):
            return ProductNumber("gtin8", number)
        if label.startswith("upc"):
            long = _expanded_upc(number)
            return ProductNumber("upc", long) if long and _has_check_digit(long) else None
        return ProductNumber("issn", number) if label in {"", "issn"} and issn.is_valid(number) else None
    if length == 10:
        may_be_book = label in {"", "isbn", "isbn10", "ean", "gtin"}
        return ProductNumber("isbn10", number) if may_be_book and isbn.is_valid(number) else None
    if length not in {12, 13, 14} or not number.isdecimal() or not _has_check_digit(number):
        return None
    if length == 13 and number.startswith("9790"):
        return ProductNumber("ismn", number)
    if length == 13 and number.startswith("977"):
        return ProductNumber("issn", number)
    if length == 13 and number.startswith(("978", "979")):
        return ProductNumber("isbn13", number)
    kinds: dict[int, NumberKind] = {12: "upc", 13: "gtin13", 14: "gtin14"}
    return None if label.startswith(("isbn", "issn", "ismn")) else ProductNumber(kinds[length], number)


def _has_check_digit(number: str) -> bool:
    """Whether the last of 8, 12, 13 or 14 digits is the one that the others ask for (GS1, 7.9)."""
    return (sum(map(int, number[-1::-2])) + 3 * sum(map(int, number[-2::-2]))) % 10 == 0


def _expanded_upc(short: str) -> str | None:
    """The twelve digits that an eight-digit UPC-E shortens (GS1 General Specifications, 5.2.2.4.2)."""
    if not short.isdecimal() or short[0] not in "01":
        return None
    system, digits, last, check = short[0], short[1:6], short[6], short[7]
    if last in "012":
        middle = f"{digits[:2]}{last}0000{digits[2:]}"
    elif last == "3":
        middle = f"{digits[:3]}00000{digits[3:]}"
    elif last == "4":
        middle = f"{digits[:4]}00000{digits[4]}"
    else:
        middle = f"{digits}0000{last}"
    return f"{system}{middle}{check}"


def read_gtin(text: str | None) -> str | None:
    """A trade item's GTIN as 14 digits (zero-filled, so that a UPC equals its EAN), or None.

    Accepts GTIN-8/12/13/14 and ISBN-10/13 with labels and separators; None for a wrong check digit, for
    restricted circulation, coupons, periodicals and sheet music (GS1 General Specifications 1.4), and fillers.
    """
    read = read_product_number(text)
    if read is None or not read.is_trade_item or read.value in _EXAMPLES:
        return None
    number = isbn.to_isbn13(read.value) if read.kind == "isbn10" else read.value
    padded = str(number).zfill(14)
    base = padded[1:]
    # Eight digits form a number space of their own: prefix 2 and 0 are restricted there.
    restricted = base[5] in "02" if len(number) == 8 else bool(_RESTRICTED_EAN13.match(base))
    return None if restricted else padded


def shown_gtin(gtin: str) -> str:
    """A stored 14-digit GTIN as people print it: 8 or 13 digits, 14 only for cases."""
    if gtin.startswith("000000"):
        return gtin[6:]
    return gtin[1:] if gtin.startswith("0") else gtin


def compact_code(code: str) -> str:
    """A model number or part number without case and separators: "WH-1000 XM4" -> "WH1000XM4"."""
    return re.sub(r"[\W_]+", "", code).upper()
