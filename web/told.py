"""What the floors below said in English, in the visitor's language: errors, alarms, problems of runs.

Their sentences are matched against those of the catalogue; what it does not know stays as it was said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache

from flask import Flask
from flask_babel import get_locale

from aggregator.domain.errors import Click2CartError, InvalidInput, NotFound
from aggregator.languages import TRANSLATED, is_translated
from aggregator.settings import Settings
from web.told_sentences import SENTENCE, WORD
from web.translations import CATALOGUES

_GAP = re.compile(r"%\((\w+)\)s")
_LONGEST = 2_000
_DEEPEST = 8  # sentences within sentences; a store's text may look like any number of them
# How a field is parted from what is said of it, and that from what to do; French sets a space before both marks.
_MARKS = {"de": (": ", "; "), "fr": ("\u00a0: ", "\u00a0; ")}


@dataclass(frozen=True, slots=True)
class _Sentence:
    """The fixed texts around a sentence's gaps, the gaps' names, and the sentence in another language."""

    fixed: tuple[str, ...]
    names: tuple[str, ...]
    translated: str

    def read(self, text: str) -> dict[str, str] | None:
        """What fills the gaps, if the text is this sentence; takes time in proportion to its length."""
        first, *others = self.fixed
        if not others:
            return {} if text == first else None
        if not text.startswith(first) or not text.endswith(others[-1]):
            return None
        at, end, filled = len(first), len(text) - len(others[-1]), []
        for part in others[:-1]:
            found = text.find(part, at, end)
            if found < 0:
                return None
            filled.append(text[at:found])
            at = found + len(part)
        return dict(zip(self.names, [*filled, text[at:end]], strict=True)) if at <= end else None


def prepare(app: Flask, _settings: Settings) -> None:
    """Let templates say in the visitor's language what was kept in English."""
    app.jinja_env.filters.update(told=told)


def told(text: str | None) -> str:
    """A sentence that was kept in English, as its page says it; "" for nothing."""
    language = _language()
    return _told(text, language) if text and language else text or ""


def error_words(error: Click2CartError) -> str:
    """An error on one line, as `str(error)` is, in the visitor's language."""
    language = _language()
    if language is None:
        return str(error)
    match error:
        case InvalidInput(place=place, problem=problem, remedy=remedy):
            colon, semicolon = _MARKS[language]
            said = _told(problem, language) + (f"{semicolon}{_told(remedy, language)}" if remedy else "")
            return f"{_words(language).get(place, place)}{colon}{said}" if place else said
        case NotFound(kind=kind, key=key):
            named = NotFound(_words(language).get(kind, kind), _words(language).get(key, key))
            return _told(str(named), language)
        case _:
            return _told(str(error), language)


def _language() -> str | None:
    locale = get_locale()
    return locale.language if locale and locale.language in TRANSLATED else None


@lru_cache(maxsize=5_000)
def _told(text: str, language: str, within: int = 0) -> str:
    if len(text) > _LONGEST or within > _DEEPEST:
        return text
    for sentence in _sentences(language):
        filled = sentence.read(text)
        if filled is not None:
            said = {name: _told(value, language, within + 1) for name, value in filled.items()}
            pieces = enumerate(_GAP.split(sentence.translated))
            return "".join(said[piece] if number % 2 else piece for number, piece in pieces)
    # An address or a field, and what is said of it.
    about, colon, rest = text.partition(": ")
    return f"{about}{_MARKS[language][0]}{_told(rest, language, within + 1)}" if colon else text


@cache
def _sentences(language: str) -> tuple[_Sentence, ...]:
    """Those with most fixed text first: the others are beginnings of theirs, or fit almost anything."""
    found = []
    for message in CATALOGUES.read(language):
        if message.context == SENTENCE and is_translated(message.string):
            parts = _GAP.split(str(message.id))
            found.append(_Sentence(tuple(parts[::2]), tuple(parts[1::2]), str(message.string)))
    return tuple(sorted(found, key=lambda sentence: -sum(map(len, sentence.fixed))))


@cache
def _words(language: str) -> dict[str, str]:
    return {
        str(message.id): str(message.string)
        for message in CATALOGUES.read(language)
        if message.context == WORD and is_translated(message.string)
    }
