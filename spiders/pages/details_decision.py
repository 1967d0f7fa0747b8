"""What a page's product is called, whether it can be bought, its brand and codes: the sources weighed."""

from __future__ import annotations

import re
from dataclasses import replace

from aggregator.domain.vocabulary import Availability, read_availability
from spiders.pages.base import path_of
from spiders.pages.candidates import Candidate, best
from spiders.pages.evidence import Evidence
from spiders.pages.titles import tokens

# Digits, or capitals with a digit among them: "550571276", "B00ABC1234".
_ADDRESS_CODE = re.compile(r"(?<![A-Za-z0-9])(?:\d{5,14}|(?=[A-Z]*\d)[A-Z0-9]{8,14})(?![A-Za-z0-9])")
_THIRTEEN_DIGITS = re.compile(r"(?<!\d)\d{13}(?!\d)")
_SEPARATORS = re.compile(r"\W+")
_CODES = ("brand", "sku", "gtin", "mpn")


def decide_name(evidence: Evidence) -> str:
    """The name, empty where the page has none."""
    for offer in evidence.said:
        if offer.title:
            name = evidence.own_name(offer.title)
            evidence.add("title", name, offer.source, "name")
    if evidence.heading:
        evidence.add("title", evidence.heading, "visible_text", "the title element", 0.95)
    elif evidence.names:
        evidence.add("title", evidence.names[0], "visible_text", "<title>", 0.3)
    chosen = best(evidence.candidates.get("title", []), tokens, evidence.rules.get("title"))
    return str(chosen.value) if chosen else ""


def add_details(evidence: Evidence) -> None:
    """Candidates for brand, codes and availability from every source."""
    for offer in evidence.said:
        where = "meta" if offer.source == "open_graph" else "markup"
        for key in _CODES:
            evidence.add_code(key, getattr(offer, key), offer.source, where)
        evidence.add("availability", read_availability(offer.availability), offer.source, where)
    if evidence.visible is not None:
        for key, (value, label) in evidence.visible.labelled.items():
            evidence.add_code(key, value, "visible_text", label, 0.85 if key == "sku" else 0.55)
        if evidence.visible.availability is not None:
            word, weight, label = evidence.visible.availability
            evidence.add("availability", Availability(word), "visible_text", label, weight)
    if evidence.needs_scripts:
        for product in evidence.embedded:
            for key in _CODES:
                evidence.add_code(key, product.fields.get(key), "embedded_state", product.where)
            stock = product.fields.get("availability")
            evidence.add("availability", read_availability(stock), "embedded_state", product.where, 0.5)
    if not evidence.candidates.get("sku"):
        _add_number_of_address(evidence)
    if not evidence.candidates.get("gtin"):
        for number in _THIRTEEN_DIGITS.findall(path_of(evidence.document.url)):
            evidence.add_code("gtin", number, "address", evidence.document.url)


def _add_number_of_address(evidence: Evidence) -> None:
    """The number in the page's address, where the page itself goes on using it."""
    found = _ADDRESS_CODE.findall(path_of(evidence.document.url))
    if found and evidence.document.html.count(found[-1]) > 3:
        evidence.add("sku", found[-1], "address", evidence.document.url)


def decide_availability(evidence: Evidence) -> str | None:
    """schema.org's short name; of several variants one that can be bought is enough."""
    known = evidence.candidates.get("availability", [])
    first = evidence.structured[0] if evidence.structured else None
    if first is not None and len(first.offers) > 1:
        words = [read_availability(offer.availability) for offer in first.offers]
        there = next((word for word in words if word and word.can_be_bought), None)
        known = [one for one in known if one.source != first.source]
        if there is not None:
            known.append(Candidate("availability", there, first.source, "one of its variants", 0.8))
        evidence.candidates["availability"] = known
    chosen = best(known, _can_be_bought, evidence.rules.get("availability"))
    return str(chosen.value) if chosen else None


def _can_be_bought(value: Availability) -> object:
    return value.can_be_bought


def decide_brand(evidence: Evidence, name: str) -> str | None:
    """The brand; one that the name has in it is believed more."""
    known = evidence.candidates.get("brand", [])
    mine = set(tokens(name))
    for position, one in enumerate(known):
        if mine.issuperset(tokens(str(one.value))):
            known[position] = replace(one, weight=min(0.98, one.weight + 0.15))
    chosen = best(known, lambda value: tokens(str(value)), evidence.rules.get("brand"))
    return str(chosen.value) if chosen else None


def decide_code(evidence: Evidence, name: str) -> str | None:
    """One of sku, gtin, mpn: separators and case do not make two of them."""
    known = evidence.candidates.get(name, [])
    chosen = best(known, lambda value: _SEPARATORS.sub("", str(value)).casefold(), evidence.rules.get(name))
    return str(chosen.value) if chosen else None
