"""Reading values that a store sent: any of them may be of any type, of any size, or missing."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from aggregator.domain.normalization.rules import raw_offer_to_json
from aggregator.domain.offers import InvalidOffer, RawOffer
from aggregator.domain.web_addresses import join_web_address

# Written out at each call, a union of types would be made anew.
_WORDS_OR_NUMBER = (str, int, Decimal)
_PLAIN_DECIMAL = re.compile(r"-?\d{1,15}(\.\d{1,9})?")
_WHOLE = re.compile(r"-?\d{1,18}")
_NO_CODE = frozenset({"", "-", "0", "n/a", "na", "none", "null", "undefined", "does not apply"})


def text(value: object, limit: int = 2000) -> str | None:
    """A string or a number as stripped text, entities undone; None for anything else and for nothing."""
    if isinstance(value, bool) or not isinstance(value, _WORDS_OR_NUMBER):
        return None
    if isinstance(value, int) and abs(value) >= 10**40:
        return None
    read = str(value)[: limit * 2]
    if "&" in read:
        read = html.unescape(read)
    return read.strip()[:limit] or None


def code(value: object) -> str | None:
    """A SKU, MPN or id; None also for the words that stand for having none."""
    read = text(value, 200)
    return None if read is None or read.lower() in _NO_CODE else read


def decimal(value: object) -> Decimal | None:
    """A number, or a string that is exactly one with a decimal point; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return Decimal(value) if abs(value) < 10**18 else None
    if isinstance(value, Decimal):
        return value if value.is_finite() and abs(value.adjusted()) < 18 else None
    if isinstance(value, str) and _PLAIN_DECIMAL.fullmatch(value.strip()):
        return Decimal(value.strip())
    return None


def price(value: object) -> Decimal | str | None:
    """A price in major units: exact where it is a plain decimal, else its text for normalization to judge."""
    exact = decimal(value)
    return exact if exact is not None else text(value, 100)


def whole(value: object) -> int | None:
    """A whole number, also written as a string; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if abs(value) < 10**18 else None
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        return int(value)
    return None


def minor_units(value: object, exponent: int) -> Decimal | str | None:
    """A price that its source declares in whole minor units of 10^-exponent; odd values stay text."""
    units = whole(value)
    if units is None:
        return text(value, 100)
    try:
        return Decimal(units).scaleb(-exponent)
    except InvalidOperation:
        return text(value, 100)


def mapping(value: object) -> Mapping[str, Any]:
    """The value where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def rows(value: object) -> list[Any]:
    """The value where it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def address(base: str, value: object) -> str | None:
    """An absolute http(s) address as meant at `base`; None for anything else."""
    read = text(value)
    return join_web_address(base, read) if read else None


def refused(
    reason: str,
    raw: object,
    *,
    external_id: object = None,
    title: object = None,
    url: str = "",
    detail: str = "",
    offer: RawOffer | None = None,
) -> InvalidOffer:
    """The quarantined form of something that did not even become a raw offer."""
    return InvalidOffer(
        external_id=text(external_id, 200) or "",
        title=text(title, 200) or "",
        url=url,
        reason=reason,
        detail=detail,
        raw=storable(raw),
        offer=None if offer is None else storable(raw_offer_to_json(offer)),
    )


def storable(value: object) -> Mapping[str, Any]:
    """A JSON object that keeps `value` for a person to look at: bounded, with nothing a database refuses."""
    kept = _kept(value, 6)
    return kept if isinstance(kept, dict) else {"value": kept}


def _kept(value: object, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 10**18 else "a huge number"
    if isinstance(value, dict) and depth:
        return {_clean(str(name))[:200]: _kept(inner, depth - 1) for name, inner in list(value.items())[:60]}
    if isinstance(value, list | tuple) and depth:
        return [_kept(inner, depth - 1) for inner in value[:60]]
    if isinstance(value, dict | list | tuple):
        return "…"
    return _clean(str(value)[:2000])


def _clean(words: str) -> str:
    if words.isascii():
        return words.replace("\x00", "")
    return words.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
