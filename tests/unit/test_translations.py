"""The languages of the site: nothing that people read on it is left in English, and no placeholder is lost."""

from __future__ import annotations

import re

import pytest
from babel.messages.catalog import Catalog

from aggregator import languages
from aggregator.languages import TRANSLATED, is_translated
from web.translations import CATALOGUES, extracted

PLACEHOLDER = re.compile(r"%\(\w+\)[sd]")


def placeholders(text: object) -> set[str]:
    return set(PLACEHOLDER.findall(" ".join(text) if isinstance(text, tuple | list) else str(text)))


@pytest.fixture(scope="module")
def sentences() -> Catalog:
    return extracted()


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_sentence_of_the_site_is_translated(sentences: Catalog, language: str) -> None:
    catalogue = CATALOGUES.read(language)
    missing = []
    for message in sentences:
        if not message.id:
            continue
        key = message.id[0] if isinstance(message.id, tuple | list) else message.id
        found = catalogue.get(key, message.context)
        if found is None or not is_translated(found.string):
            missing.append((message.id, message.locations[0][0]))
    assert missing == [], "run `python -m web.translations update` and fill in what is new"


@pytest.mark.parametrize("language", TRANSLATED)
def test_translations_keep_their_placeholders_and_marks(language: str) -> None:
    for message in CATALOGUES.read(language):
        if message.id and is_translated(message.string):
            assert placeholders(message.id) == placeholders(message.string), message.id
            assert "<" not in str(message.string), message.id


@pytest.mark.parametrize("language", languages.TRANSLATED)
def test_every_sentence_of_mails_and_messages_is_translated(language: str) -> None:
    catalogue = languages.CATALOGUES.read(language)
    found = {message.id: message.string for message in catalogue if message.id}
    assert set(found) == {message.id for message in languages.extracted() if message.id}, (
        "run `python -m aggregator.languages` and fill in what is new"
    )
    for sentence, translation in found.items():
        assert translation, sentence
        assert placeholders(sentence) == placeholders(translation), sentence
