"""The site's languages: catalogues of sentences; `python -m web.translations update` brings them up to the code.

The catalogues are web/translations/<language>/LC_MESSAGES/messages.po. They are compiled in memory when a visitor
first wants the language, so that nothing has to be done after an edit.
"""

from __future__ import annotations

import sys
from functools import cache
from io import BytesIO
from pathlib import Path

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from babel.support import NullTranslations, Translations
from flask import Flask, g
from flask_babel import Domain, get_locale

from aggregator.settings import Settings
from web.told_sentences import told_sentences

FOLDER = Path(__file__).parent / "translations"
# English is what the sentences are written in.
TRANSLATED = ("de", "fr")
_AS_WRITTEN = NullTranslations()
_METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
_OPTIONS = {"**/templates/**.html": {"trimmed": "true", "silent": "false"}}
_KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2)}


class Catalogues(Domain):  # type: ignore[misc]  # the package ships no types
    """Flask-Babel's source of sentences, without compiled files."""

    def get_translations(self) -> NullTranslations:
        """The sentences of the visitor's language; those of the code where it has none."""
        locale = get_locale()
        return compiled(locale.language) if locale and locale.language in TRANSLATED else _AS_WRITTEN


def prepare(app: Flask, _settings: Settings) -> None:
    """Let every request find its sentences."""
    catalogues = Catalogues()
    app.before_request(catalogues.as_default)

    def current() -> NullTranslations:
        # A page says hundreds of sentences: its language is looked up once, and not through the proxy each time.
        held = g._get_current_object()
        sentences: NullTranslations | None = held.__dict__.get("sentences")
        if sentences is None:
            sentences = held.sentences = catalogues.get_translations()
        return sentences

    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]  # the extension adds it
        gettext=lambda text: current().gettext(text),
        ngettext=lambda one, several, count: current().ngettext(one, several, count),
        newstyle=True,
    )


def path_of(language: str) -> Path:
    """A language's catalogue."""
    return FOLDER / language / "LC_MESSAGES" / "messages.po"


@cache
def compiled(language: str) -> NullTranslations:
    """A language's sentences, compiled once a process."""
    if not path_of(language).exists():
        return _AS_WRITTEN
    binary = BytesIO()
    write_mo(binary, read_catalogue(language))
    binary.seek(0)
    return Translations(fp=binary)


def read_catalogue(language: str) -> Catalog:
    """A language's catalogue as it is on disk; empty where there is none yet."""
    if not path_of(language).exists():
        return Catalog(locale=Locale.parse(language), project="Click2Cart", fuzzy=False)
    with path_of(language).open("rb") as file:
        return read_po(file, locale=Locale.parse(language))


def extracted() -> Catalog:
    """Every sentence of code and templates, and what is told below, with the files that it stands in."""
    catalogue = Catalog(project="Click2Cart", fuzzy=False)
    found = extract_from_dir(
        Path(__file__).parent,
        method_map=_METHODS,
        options_map=_OPTIONS,
        keywords=_KEYWORDS,
        strip_comment_tags=True,
    )
    for name, _line, message, _comments, _context in found:
        catalogue.add(message, locations=[(name, 0)])
    for sentence, context, name in told_sentences():
        catalogue.add(sentence, locations=[(name, 0)], context=context)
    return catalogue


def update() -> dict[str, int]:
    """Bring the catalogues up to the code; by language, how many sentences are not translated."""
    template = extracted()
    missing = {}
    for language in TRANSLATED:
        catalogue = read_catalogue(language)
        catalogue.update(template, no_fuzzy_matching=True)
        catalogue.obsolete.clear()
        path_of(language).parent.mkdir(parents=True, exist_ok=True)
        with path_of(language).open("wb") as file:
            write_po(file, catalogue, no_location=True, omit_header=False, sort_output=True, width=120)
        missing[language] = sum(
            1 for message in catalogue if message.id and not is_translated(message.string)
        )
    return missing


def is_translated(string: str | tuple[str, ...] | list[str] | None) -> bool:
    """Whether a sentence, or each of its plural forms, is there."""
    return all(string) if isinstance(string, tuple | list) else bool(string)


def fill(language: str, entries: dict[str | tuple[str, ...], str | tuple[str, ...]]) -> int:
    """Put translations into a catalogue by their English sentence (singular, plural); how many were taken."""
    catalogue = read_catalogue(language)
    taken = 0
    for message in catalogue:
        if message.id in entries and not is_translated(message.string):
            message.string = entries[message.id]
            taken += 1
    with path_of(language).open("wb") as file:
        write_po(file, catalogue, no_location=True, omit_header=False, sort_output=True, width=120)
    return taken


def main() -> int:
    """`update`: bring the catalogues up to the code and say what is missing."""
    if sys.argv[1:] != ["update"]:
        print("usage: python -m web.translations update", file=sys.stderr)  # noqa: T201  # a command's own words
        return 2
    for language, missing in update().items():
        print(f"{language}: {missing} sentences wait for a translation")  # noqa: T201  # a command's own words
    return 0


if __name__ == "__main__":
    sys.exit(main())
