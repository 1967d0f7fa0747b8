"""The site's languages: catalogues of sentences; `python -m web.translations update` brings them up to the code.

The catalogues are web/translations/<language>/LC_MESSAGES/messages.po. They are compiled in memory when a visitor
first wants the language, so that nothing has to be done after an edit.
"""

from __future__ import annotations

import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.support import NullTranslations
from flask import Flask, g
from flask_babel import Domain, get_locale

from aggregator.languages import TRANSLATED, Catalogues
from aggregator.settings import Settings
from web.told_sentences import told_sentences

CATALOGUES = Catalogues(Path(__file__).parent / "translations")
_AS_WRITTEN = NullTranslations()
_METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
_OPTIONS = {"**/templates/**.html": {"trimmed": "true", "silent": "false"}}
_KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2)}


class Sentences(Domain):  # type: ignore[misc]  # the package ships no types
    """Flask-Babel's source of sentences, without compiled files."""

    def get_translations(self) -> NullTranslations:
        """The sentences of the visitor's language; those of the code where it has none."""
        locale = get_locale()
        return (
            CATALOGUES.compiled(locale.language) if locale and locale.language in TRANSLATED else _AS_WRITTEN
        )


def prepare(app: Flask, _settings: Settings) -> None:
    """Let every request find its sentences."""
    source = Sentences()
    app.before_request(source.as_default)

    def current() -> NullTranslations:
        # A page says hundreds of sentences: its language is looked up once, and not through the proxy each time.
        held = g._get_current_object()
        sentences: NullTranslations | None = held.__dict__.get("sentences")
        if sentences is None:
            sentences = held.sentences = source.get_translations()
        return sentences

    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]  # the extension adds it
        gettext=lambda text: current().gettext(text),
        ngettext=lambda one, several, count: current().ngettext(one, several, count),
        newstyle=True,
    )


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


def main() -> int:
    """`update`: bring the catalogues up to the code and say what is missing."""
    if sys.argv[1:] != ["update"]:
        print("usage: python -m web.translations update", file=sys.stderr)  # noqa: T201  # a command's own words
        return 2
    for language, missing in CATALOGUES.update(extracted()).items():
        print(f"{language}: {missing} sentences wait for a translation")  # noqa: T201  # a command's own words
    return 0


if __name__ == "__main__":
    sys.exit(main())
