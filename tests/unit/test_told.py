"""What the floors below said in English reaches visitors in their language."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask_babel import Babel, force_locale

from aggregator.domain.errors import Click2CartError, Conflict, InvalidInput, NotFound
from aggregator.languages import TRANSLATED
from web.told import error_words, told
from web.told_sentences import SENTENCE, told_sentences
from web.translations import CATALOGUES

GAP = re.compile(r"%\(\w+\)s")


@pytest.fixture(scope="module")
def app() -> Flask:
    app = Flask(__name__)
    Babel(app, default_locale="en")
    return app


@pytest.mark.parametrize(
    ("error", "in_german"),
    [
        (
            InvalidInput("a password has 12 to 128 characters", place="password"),
            "Passwort: ein Passwort hat 12 bis 128 Zeichen",
        ),
        (
            InvalidInput("this address is taken", remedy="ask for another one"),
            "diese Adresse ist vergeben; nehmen Sie eine andere",
        ),
        (InvalidInput("ein eigener Satz", place="Feld", remedy="so"), "Feld: ein eigener Satz; so"),
        (NotFound("product", "k3tt1e"), "Nicht gefunden: Produkt k3tt1e"),
        (NotFound("cart", "of this browser"), "Nicht gefunden: Warenkorb dieses Browsers"),
        (Conflict("north is being removed"), "north wird gerade entfernt"),
    ],
)
def test_an_error_is_said_in_the_visitors_language(
    app: Flask, error: Click2CartError, in_german: str
) -> None:
    with app.test_request_context(), force_locale("de"):
        assert error_words(error) == in_german
    with app.test_request_context(), force_locale("en_GB"):
        assert error_words(error) == str(error)


def test_french_marks_stand_apart_and_never_begin_a_line(app: Flask) -> None:
    error = InvalidInput("this address is taken", place="email", remedy="ask for another one")
    with app.test_request_context(), force_locale("fr"):
        assert error_words(error) == (
            "adresse e-mail\u00a0: cette adresse est déjà prise\u00a0; choisissez-en une autre"
        )


def test_what_was_kept_is_said_with_what_is_in_it(app: Flask) -> None:
    kept = "North could not be read to its end: https://north.example/a: answered HTTP 503"
    with app.test_request_context(), force_locale("de"):
        assert (
            told(kept)
            == "North konnte nicht zu Ende gelesen werden: https://north.example/a: antwortete mit HTTP 503"
        )
        assert told("Kitchen: 12 of 30 known prices fell below a third") == (
            "Kitchen: 12 von 30 bekannten Preisen fielen unter ein Drittel"
        )
        assert told("The same brand: .") == "Dieselbe Marke: ."
        assert told("a plug-in's own sentence") == "a plug-in's own sentence"
        assert told(None) == ""
    with app.test_request_context(), force_locale("en"):
        assert told(kept) == kept


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_sentence_is_known_again_whatever_fills_its_gaps(app: Flask, language: str) -> None:
    """No other sentence with gaps takes its place."""
    messages = {
        message.id: str(message.string)
        for message in CATALOGUES.read(language)
        if message.context == SENTENCE
    }
    with app.test_request_context(), force_locale(language):
        for sentence, context, _name in told_sentences():
            if context == SENTENCE:
                translated = messages[sentence]
                filled = {gap: f"{number}7" for number, gap in enumerate(GAP.findall(sentence))}
                text, wanted = sentence, translated
                for gap, value in filled.items():
                    text, wanted = text.replace(gap, value), wanted.replace(gap, value)
                assert told(text) == wanted


@pytest.mark.parametrize("text", [": " * 1_000, "a: " * 600, "North could not be read to its end: " * 50])
def test_a_text_that_looks_like_sentences_without_end_does_no_harm(app: Flask, text: str) -> None:
    with app.test_request_context(), force_locale("de"):
        assert len(told(text)) >= len(text) / 2
