"""The languages of the site: nothing that people read on it is left in English, and no placeholder is lost."""

from __future__ import annotations

import re

import pytest

from aggregator import languages
from web.translations import TRANSLATED, extracted, is_translated, read_catalogue

# Operators' pages, the page of parts, and the words of both may stay in English.
NOT_SHOPPERS = re.compile(
    r"^(templates/(operations|matches|design)/|pages/(operations|add_store|matches|design)|operators\.py|operation_words\.py"
    r"|probe_words\.py|store_forms\.py|store_health\.py|pair_facts\.py|title_differences\.py)"
)
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]")


def placeholders(text: object) -> set[str]:
    return set(PLACEHOLDER.findall(" ".join(text) if isinstance(text, tuple | list) else str(text)))


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_sentence_of_the_shoppers_pages_is_translated(language: str) -> None:
    catalogue = read_catalogue(language)
    missing = []
    for message in extracted():
        if not message.id or all(NOT_SHOPPERS.match(name) for name, _line in message.locations):
            continue
        key = message.id[0] if isinstance(message.id, tuple | list) else message.id
        found = catalogue.get(key)
        if found is None or not is_translated(found.string):
            missing.append((message.id, message.locations[0][0]))
    assert missing == [], "run `python -m web.translations update` and fill in what is new"


@pytest.mark.parametrize("language", TRANSLATED)


@pytest.mark.parametrize("language", languages.TRANSLATED)
def test_every_sentence_of_mails_and_messages_is_translated(language: str) -> None:
    catalogue = languages.read_catalogue(language)
    found = {message.id: message.string for message in catalogue if message.id}
    assert set(found) == {message.id for message in languages.extracted() if message.id}, (
        "run `python -m aggregator.languages` and fill in what is new"
    )
    for sentence, translation in found.items():
        assert translation, sentence
        assert placeholders(sentence) == placeholders(translation), sentence
def test_translations_keep_their_placeholders_and_marks(language: str) -> None:
    for message in read_catalogue(language):
        if message.id and is_translated(message.string):
            assert placeholders(message.id) == placeholders(message.string), message.id
            assert "<" not in str(message.string), message.id
