"""Product identifiers: GTINs with their check digit and restricted ranges, and opaque ids of our own."""

from __future__ import annotations

import re
import secrets

from stdnum import ean, isbn
from stdnum.exceptions import ValidationError

# Letters and digits that are not mistaken for each other when read aloud or typed.
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"

_PUBLIC_ID = re.compile(f"[{_ALPHABET}]{{12}}")

# GS1 General Specifications, section 1.4: prefixes that never identify a trade item across companies:
# 02, 04 and 2x restricted circulation; 05 and 98x-99x coupons; 951 EPC; 977 periodicals (ISSN).
# 952 is GS1's own prefix for demonstrations and stays allowed: it can meet nothing real.
_RESTRICTED_EAN13 = re.compile(r"^(02|04|05|2\d|951|977|98[0-4]|99)")


def new_public_id() -> str:
    """An opaque id for addresses and interfaces: 12 letters and digits, never a serial."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(12))


def is_public_id(text: str) -> bool:
    """Whether it can be one of our ids at all; what cannot need not be looked up."""
    return bool(_PUBLIC_ID.fullmatch(text))


def read_gtin(text: str | None) -> str | None:
    """A trade item's GTIN as 14 digits (zero-filled, so that a UPC equals its EAN), or None.

    Accepts GTIN-8/12/13/14 and ISBN-10/13 with separators; None for a wrong check digit, for restricted
    circulation, coupons and periodicals (GS1 General Specifications 1.4), and for all-zero fillers.
    """
    if not text:
        return None
    compact = re.sub(r"[\s\-.]", "", text.strip())
    if re.fullmatch(r"\d{9}[\dXx]", compact):
        if not isbn.is_valid(compact):
            return None
        compact = isbn.to_isbn13(compact)
    if not re.fullmatch(r"\d{8}|\d{12,14}", compact) or not compact.strip("0"):
        return None
    try:
        ean.validate(compact)
    except ValidationError:
        return None
    padded = compact.zfill(14)
    base = padded[1:]
    # Eight digits form a number space of their own: prefix 2 and 0 are restricted there.
    restricted = base[5] in "02" if len(compact) == 8 else bool(_RESTRICTED_EAN13.match(base))
    return None if restricted else padded


def shown_gtin(gtin: str) -> str:
    """A stored 14-digit GTIN as people print it: 8 or 13 digits, 14 only for cases."""
    if gtin.startswith("000000"):
        return gtin[6:]
    return gtin[1:] if gtin.startswith("0") else gtin


def compact_code(code: str) -> str:
    """A model number or part number without case and separators: "WH-1000 XM4" -> "WH1000XM4"."""
    return re.sub(r"[\W_]+", "", code).upper()
