"""What the floors below say in English to people, for the catalogues to translate: errors, alarms, evidence.

A use case or a worker raises or writes its sentence once, in English, for commands, mails and programs.
The sentences are read from the source, so that a new one waits for its translation like one of a page.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

# The catalogues' context (msgctxt) of what is told below; its gaps are written %(name)s.
SENTENCE = "told"
WORD = "told: a word"
_SOURCE = Path(__file__).parents[1]
_READ = (
    "aggregator/accounts", "aggregator/catalog", "aggregator/domain", "aggregator/fetching", "aggregator/shopping",
    "matcher/comparison.py", "matcher/context.py", "matcher/engines/local.py", "matcher/explanation.py",
    "spiders/schedules.py",
)  # fmt: skip
# These speak to terminals and programs alone.
_LEFT_OUT = {
    "aggregator/catalog/exchange_rates.py", "aggregator/catalog/imports.py", "aggregator/catalog/search_index.py",
    "aggregator/domain/carts.py", "aggregator/shopping/basket_files.py",
}  # fmt: skip
_SPEAKING = {
    "InvalidInput", "Conflict", "FetchRefused", "FetchFailed", "UnreadableAnswer", "UnreadablePrice", "Anomaly",
    "raise_alarm", "_Finding", "__init__", "Evidence", "Schedule", "_percent_bands", "fromkeys",
}  # fmt: skip
_KEYWORDS = {None, "message", "remedy"}
# Functions that word a part of such a sentence.
_SAYING = {"_duration", "_rise", "_fall"}


def told_sentences() -> Iterator[tuple[str, str, str]]:
    """Each as (sentence or word, its context, the file that it stands in)."""
    for place in _READ:
        for path in [_SOURCE / place] if place.endswith(".py") else sorted((_SOURCE / place).rglob("*.py")):
            name = path.relative_to(_SOURCE).as_posix()
            if name not in _LEFT_OUT:
                yield from _of_module(ast.parse(path.read_text("utf-8")), f"../{name}")


def _of_module(tree: ast.Module, name: str) -> Iterator[tuple[str, str, str]]:
    constants = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        for context, value in _said(node):
            for text in _texts(value, constants):
                if (_is_word if context == WORD else _is_sentence)(text):
                    yield text, context, name


def _said(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """What an error, an alarm, a kept problem or a length of time says, with its context."""
    match node:
        case ast.Dict(values=values):
            # A comparison's levels, each with its sentence.
            yield from ((SENTENCE, value) for value in values if _is_whole(value))
        case ast.Assign(targets=[ast.Subscript()], value=value) if _is_whole(value):
            yield SENTENCE, value
        case ast.Call(func=function):
            called = getattr(function, "id", getattr(function, "attr", ""))
            for keyword, value in _arguments(node):
                if called == "NotFound" or (called in _SPEAKING and keyword == "place"):
                    yield WORD, value
                elif called in _SPEAKING and keyword in _KEYWORDS:
                    yield SENTENCE, value
        case ast.Assign(targets=[target], value=value):
            pairs = [(target, value)]
            if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                pairs = list(zip(target.elts, value.elts, strict=True))
            yield from ((SENTENCE, said) for kept, said in pairs if getattr(kept, "attr", "") == "problem")
        case ast.FunctionDef(name=name) if name in _SAYING:
            returned = (each.value for each in ast.walk(node) if isinstance(each, ast.Return))
            yield from ((SENTENCE, value) for value in returned if value is not None)


def _is_whole(value: ast.expr) -> bool:
    """Whether it begins (with a capital or a gap) and ends as a sentence does."""
    text = next(_texts(value, {}), "")
    return text.endswith(".") and (text[0].isupper() or text.startswith("%("))


def _arguments(call: ast.Call) -> Iterator[tuple[str | None, ast.expr]]:
    yield from ((None, value) for value in call.args)
    yield from ((keyword.arg, keyword.value) for keyword in call.keywords)


def _texts(value: ast.expr, constants: dict[str, ast.expr]) -> Iterator[str]:
    """The texts that an expression can be, with a gap for each value in them."""
    match value:
        case ast.Constant(value=str(text)):
            yield re.sub(r"\{(\w+)\}", r"%(\1)s", text) if text.endswith(".") else text
        case ast.JoinedStr(values=parts):
            names: list[str] = []
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else f"%({_gap(part, names)})s"
                for part in parts
            )
        case ast.IfExp(body=body, orelse=other):
            yield from _texts(body, constants)
            yield from _texts(other, constants)
        case ast.Name(id=name) if name in constants:
            yield from _texts(constants[name], {})


def _gap(part: ast.expr, names: list[str]) -> str:
    """A gap's name, from the value that fills it; no two of a sentence are the same."""
    called = {id(node.func) for node in ast.walk(part) if isinstance(node, ast.Call)}
    found = (
        getattr(node, "attr", getattr(node, "id", "")) for node in ast.walk(part) if id(node) not in called
    )
    name = next(filter(None, found), "value").strip("_").lower()
    while name in names:
        name += "_too"
    names.append(name)
    return name


def _is_sentence(text: str) -> bool:
    """Several words, some of them ours: not a code, an option or nothing but gaps."""
    ours = re.sub(r"%\(\w+\)s", "", text)
    return " " in text and re.search(r"[A-Za-z]{2}", ours) is not None and len(ours.replace(" ", "")) > 2


def _is_word(text: str) -> bool:
    return re.fullmatch(r"[a-z][a-z_ -]*", text) is not None
