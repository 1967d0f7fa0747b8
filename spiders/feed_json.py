"""Rows of JSON feeds, streamed: an array of objects, anywhere below the top, or one object a line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from aggregator.domain.errors import UnreadableAnswer

_LONGEST_ITEM = 2_000_000
_HEAD = 1 << 16
_BLANK = re.compile(r"[\s,\x1e]*")
# Where the list of products begins in a document that holds more, and if it has no such name, any list of objects.
_NAMED_LIST = re.compile(r'"(?:products|items|offers|entries|results|resources|data)"\s*:\s*\[\s*(?=\{)')
_ANY_LIST = re.compile(r"\[\s*(?=\{)")


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse)


def json_objects(texts: Iterable[str], *, url: str) -> Iterator[dict[str, Any]]:
    """Each object of the feed, numbers with a fraction as Decimals. Raises UnreadableAnswer, also in the middle."""
    source = iter(texts)
    head = ""
    for text in source:
        head += text
        if len(head) >= _HEAD:
            break
    head = head.lstrip("\ufeff \t\r\n")
    start, is_array = _beginning(head, url)
    yield from _values(head[start:], source, is_array, url)


def _beginning(head: str, url: str) -> tuple[int, bool]:
    """(where the first object of the feed is, whether it stands in an array)."""
    if head.startswith("["):
        return 1, True
    if not head.startswith("{"):
        raise UnreadableAnswer(url, "holds no list of objects")
    try:
        end = _DECODER.raw_decode(head)[1]
    except (ValueError, ArithmeticError, RecursionError):
        end = len(head)
    if head[end:].lstrip().startswith("{"):
        return 0, False
    found = _NAMED_LIST.search(head) or _ANY_LIST.search(head)
    return (found.end(), True) if found else (0, False)


def _values(pending: str, source: Iterator[str], is_array: bool, url: str) -> Iterator[dict[str, Any]]:
    at = 0
    while True:
        at = _end_of_blank(pending, at)
        if is_array and pending[at : at + 1] == "]":
            return
        if at >= len(pending):
            more = next(source, None)
            if more is None:
                break
            pending, at = more, 0
            continue
        try:
            value, at = _DECODER.raw_decode(pending, at)
        except (ValueError, ArithmeticError, RecursionError) as error:
            more = None if isinstance(error, RecursionError) else next(source, None)
            if more is None or len(pending) - at > _LONGEST_ITEM:
                raise UnreadableAnswer(url, "holds an item that is no JSON, or ends in the middle") from error
            pending, at = pending[at:] + more, 0
            continue
        if isinstance(value, dict):
            yield value
    if is_array:
        raise UnreadableAnswer(url, "ends in the middle")


def _end_of_blank(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at
