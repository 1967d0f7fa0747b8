"""The languages of mails and messages; `python -m aggregator.languages` brings the catalogues up to the code.

Their sentences are in aggregator/translations/<language>/LC_MESSAGES/messages.po, compiled in
memory when they are first wanted. Pages have catalogues of their own.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from babel.support import NullTranslations, Translations

# English is what the sentences are written in.
TRANSLATED = ("de", "fr")
_HERE = Path(__file__).parent
_METHODS = [("accounts/letters.py", "python"), ("shopping/alert_words.py", "python")]


class Sentences:
    """What is said to one reader: a sentence of the code in, the same in the reader's language out, its gaps filled."""

    def __init__(self, language: str | None) -> None:
        self.language = language if language in TRANSLATED else "en"
        self._catalogue = CATALOGUES.compiled(self.language) if language in TRANSLATED else NullTranslations()

    @property
    def locale(self) -> str:
        """How dates and amounts are written: an unknown reader of English may be anywhere."""
        return "en_GB" if self.language == "en" else self.language

    def __call__(self, sentence: str, **parts: object) -> str:
        said = self._catalogue.gettext(sentence)
        return said % parts if parts else said


@dataclass(frozen=True, slots=True)
class Catalogues:
    """Sentences in <folder>/<language>/LC_MESSAGES/messages.po, compiled in memory once a process."""

    folder: Path

    def path_of(self, language: str) -> Path:
        """A language's catalogue."""
        return self.folder / language / "LC_MESSAGES" / "messages.po"

    def read(self, language: str) -> Catalog:
        """A language's catalogue as it is on disk; empty where there is none yet."""
        if not self.path_of(language).exists():
            return Catalog(locale=Locale.parse(language), project="Click2Cart", fuzzy=False)
        with self.path_of(language).open("rb") as file:
            return read_po(file, locale=Locale.parse(language))

    def compiled(self, language: str) -> NullTranslations:
        """A language's sentences; as they are written where it has no catalogue."""
        return _compiled(self, language)

    def update(self, template: Catalog) -> dict[str, int]:
        """Bring the catalogues up to the template; by language, how many sentences are not translated."""
        missing = {}
        for language in TRANSLATED:
            catalogue = self.read(language)
            catalogue.update(template, no_fuzzy_matching=True)
            catalogue.obsolete.clear()
            self.path_of(language).parent.mkdir(parents=True, exist_ok=True)
            with self.path_of(language).open("wb") as file:
                write_po(file, catalogue, no_location=True, sort_output=True, width=120)
            missing[language] = sum(
                1 for message in catalogue if message.id and not is_translated(message.string)
            )
        return missing


@cache
def _compiled(catalogues: Catalogues, language: str) -> NullTranslations:
    if not catalogues.path_of(language).exists():
        return NullTranslations()
    binary = BytesIO()
    write_mo(binary, catalogues.read(language))
    binary.seek(0)
    return Translations(fp=binary)


def is_translated(string: str | tuple[str, ...] | list[str] | None) -> bool:
    """Whether a sentence, or each of its plural forms, is there."""
    return all(string) if isinstance(string, tuple | list) else bool(string)


CATALOGUES = Catalogues(_HERE / "translations")


def extracted() -> Catalog:
    """Every sentence of mails and messages."""
    catalogue = Catalog(project="Click2Cart", fuzzy=False)
    for name, _line, message, _comments, _context in extract_from_dir(_HERE, _METHODS, keywords={"_": None}):
        catalogue.add(message, locations=[(name, 0)])
    return catalogue


if __name__ == "__main__":
    for language, count in CATALOGUES.update(extracted()).items():
        sys.stdout.write(f"{language}: {count} sentences wait for a translation\n")
