"""Values in scripts: JSON where it is JSON, else JavaScript's literals, read without running anything.

chompjs does the same in C; it is not installed everywhere, and a page needs only a few short literals read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

_MOST_TOKENS = 12_000
_MOST_LITERALS = 40
_LONGEST_SCRIPT = 3_000_000
_LITERAL = re.compile(r"[=(,:]\s*(?=[{\[]\s*[\"'\w{\[])")
_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`$\\]*`)"""
    r"""|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?)(?![\w$])|(?P<word>[A-Za-z_$][\w$]*)|(?P<comment>//[^\n]*|/\*.*?\*/)|(?P<sign>.))""",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", re.DOTALL)
_DECODER = json.JSONDecoder(strict=False, parse_float=Decimal, parse_constant=lambda _: None)
_WORDS = {"true": True, "false": False, "null": None, "undefined": None, "NaN": None}


def parse_json(text: str) -> Any:
    """The value of a JSON text; None where it is none."""
    try:
        return _DECODER.decode(text.strip())
    except (ValueError, ArithmeticError, RecursionError):
        return None


def literals(script: str) -> Iterator[Any]:
    """The outermost objects and lists that a script assigns or hands to a function; odd ones are left out."""
    if len(script) > _LONGEST_SCRIPT:
        return
    if ":undefined" in script:
        # The one word that keeps much application state from being JSON.
        script = script.replace(":undefined", ":null")
    position = found = failed = 0
    while found < _MOST_LITERALS and failed < 60:
        match = _LITERAL.search(script, position)
        if match is None:
            return
        start = match.end()
        try:
            value, end = _DECODER.raw_decode(script, start)
        except (ValueError, ArithmeticError, RecursionError):
            loose = read_literal(script, start)
            if loose is None:
                failed += 1
                position = start + 1
                continue
            value, end = loose
        found += 1
        position = max(end, start + 1)
        yield value


def read_literal(script: str, start: int) -> tuple[Any, int] | None:
    """(the object or list that begins at `start`, where it ends); None where it is none.

    A value that is no literal (a call, a sum) is None; keys need no quotes; comments and last commas may be.
    """
    stack: list[Any] = []
    keys: list[str | None] = []
    expects_value = True
    position = start
    for _ in range(_MOST_TOKENS):
        match = _TOKEN.match(script, position)
        if match is None:
            return None
        position = match.end()
        kind, part = match.lastgroup, match[match.lastgroup or 0]
        if kind == "comment":
            continue
        if kind == "sign" and part in "{[":
            if len(stack) > 60:
                return None
            if stack and not expects_value:
                return None
            value: Any = {} if part == "{" else []
            if stack:
                _put(stack[-1], keys, value)
            stack.append(value)
            keys.append(None)
            expects_value = part == "["
            continue
        if not stack:
            return None
        inside = stack[-1]
        if kind == "sign" and part in "}]":
            if (part == "}") != isinstance(inside, dict):
                return None
            stack.pop()
            keys.pop()
            if not stack:
                return inside, position
            expects_value = False
            continue
        if kind == "sign" and part == ",":
            expects_value = isinstance(inside, list)
            keys[-1] = None
            continue
        if kind == "sign" and part == ":" and isinstance(inside, dict):
            expects_value = True
            continue
        if kind == "sign" and part in "();=":
            if part == "(":
                closed = _past_call(script, position)
                if closed is None:
                    return None
                position = closed
                continue
            return None
        if isinstance(inside, dict) and keys[-1] is None and not expects_value:
            if kind in {"string", "word", "number"}:
                keys[-1] = _unquoted(part) if kind == "string" else part
                continue
            return None
        if expects_value:
            _put(inside, keys, _plain(kind, part))
            expects_value = False
    return None


def _put(inside: Any, keys: list[str | None], value: Any) -> None:
    if isinstance(inside, list):
        inside.append(value)
    elif keys[-1] is not None:
        inside[keys[-1]] = value


def _plain(kind: str | None, part: str) -> Any:
    if kind == "string":
        return _unquoted(part)
    if kind == "number":
        return Decimal(part) if "." in part or "e" in part.lower() else int(part[:40])
    return _WORDS.get(part)


def _unquoted(part: str) -> str:
    inner = part[1:-1]
    return _ESCAPE.sub(_escaped, inner) if "\\" in inner else inner


def _escaped(match: re.Match[str]) -> str:
    code = match[1]
    if code[0] in "ux" and len(code) > 1:
        return chr(int(code[1:], 16))
    return {"n": "\n", "t": "\t", "r": "", "b": "", "f": ""}.get(code, code)


def _past_call(script: str, position: int) -> int | None:
    depth = 1
    for end in range(position, min(len(script), position + 2000)):
        depth += (script[end] == "(") - (script[end] == ")")
        if not depth:
            return end + 1
    return None
