"""Offer rules: how a store's prices are taken where a person said so."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from aggregator.domain.normalization import normalize_offer
from aggregator.domain.normalization.rules import OfferRules, raw_offer_from_json, raw_offer_to_json
from aggregator.domain.offers import InvalidOffer, Offer, RawOffer

CUP = RawOffer(external_id="1", url="https://s.example/1", title="Cup", price_currency="EUR")


@pytest.mark.parametrize(
    ("text", "mark", "read"),
    [
        ("1.299", ",", "1299"),
        ("1.299", ".", "1.2990"),
        ("1,299", ",", "1.2990"),
        ("1.299,00 €", ",", "1299.00 €"),
        ("1.299,00 €", ".", "1.299,00 €"),
        ("EUR 1 299,5", ",", "EUR 1299.5"),
        ("1'299.50", ".", "1299.50"),
        ("1,00,000.00", ".", "100000.00"),
        ("12.5", ",", "12.5"),
        ("10 or 12,50", ",", "10 or 12,50"),
        ("ask us", ",", "ask us"),
        ("", ",", ""),
    ],
)
def test_a_decimal_mark_decides_what_is_a_fraction(text: str, mark: str, read: str) -> None:
    assert OfferRules(decimal_mark=mark).apply(replace(CUP, price=text)).price == read


def test_a_decimal_that_its_source_declares_is_left_alone() -> None:
    offer = replace(CUP, price=Decimal("1.299"))
    assert OfferRules(decimal_mark=",").apply(offer).price == Decimal("1.299")


def test_a_currency_rule_outranks_what_is_declared() -> None:
    read = normalize_offer(
        replace(CUP, price=Decimal("5"), price_currency="kr"), rules=OfferRules(currency="SEK")
    )
    assert isinstance(read, Offer)
    assert read.price.currency == "SEK"


@pytest.mark.parametrize(
    "kept",
    [{}, {"currency": 5, "decimal_mark": ";", "unknown": True}, {"currency": "gold"}],
)
def test_what_is_no_rule_rules_nothing(kept: dict[str, Any]) -> None:
    assert OfferRules.from_json(kept) == OfferRules()


@pytest.mark.parametrize("price", [Decimal("1299.00"), "1.299 €", None])
def test_a_raw_offer_survives_being_kept(price: Decimal | str | None) -> None:
    offer = replace(
        CUP, price=price, list_price=Decimal("5"), variant_attributes={"size": "M"}, stock_level=3
    )
    assert raw_offer_from_json(raw_offer_to_json(offer)) == offer


@pytest.mark.parametrize(
    "kept",
    [{}, {"cut": "…"}, {"external_id": "1", "url": "u", "title": "t", "price": {"decimal": "no number"}}],
)
def test_what_kept_too_little_is_no_offer(kept: dict[str, Any]) -> None:
    assert raw_offer_from_json(kept) is None


def test_a_refused_offer_keeps_what_it_can_be_read_from_again() -> None:
    refused = normalize_offer(replace(CUP, price="call us"))
    assert isinstance(refused, InvalidOffer)
    assert refused.offer is not None
    assert raw_offer_from_json(refused.offer) == replace(CUP, price="call us")
