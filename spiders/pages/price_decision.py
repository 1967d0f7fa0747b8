"""Which price a page asks: markup, scripts and what is shown, weighed against each other; and in which currency."""

from __future__ import annotations

import re
from decimal import Decimal

from aggregator.domain.money import CURRENCIES
from aggregator.domain.normalization.currencies import country_currency
from spiders.pages.amounts import currency_of
from spiders.pages.candidates import Candidate, best
from spiders.pages.evidence import FAR, SHOWN_ENOUGH, WEIGHTS, Evidence, currency_code, plain
from spiders.pages.shown_prices import ShownPrice

SURELY_SHOWN = 3.0
_NEAR = 40
_MARKUP = frozenset({"json_ld", "microdata", "rdfa"})
_CURRENCY_CODE = re.compile(r"""urrency(?:_?[cC]ode)?\\?["']?\s*[:=]\s*\\?["']([A-Z]{3})\\?["']""")


def decide_price(evidence: Evidence) -> Candidate | None:
    """The price believed most, None where the page shows and says none."""
    _add_said(evidence)
    _add_shown(evidence)
    if evidence.needs_scripts:
        for product in evidence.embedded:
            amount = product.fields.get("price")
            if amount is not None:
                weight = 0.55 if plain(amount) in evidence.by_amount else 0.35
                evidence.add("price", plain(amount), "embedded_state", product.where, weight)
    return best(evidence.candidates.get("price", []), lambda value: value, evidence.rules.get("price"))


def _add_said(evidence: Evidence) -> None:
    for reading in evidence.structured:
        values: list[Decimal] = []
        for offer in [reading.main, *reading.offers]:
            amount = evidence.amount(offer.price)
            if amount is not None and amount not in values:
                values.append(amount)
        for position, amount in enumerate(values[:40]):
            weight = WEIGHTS[reading.source] * (1.0 if not position else 0.7)
            evidence.add(
                "price", amount, reading.source, "markup", weight * _trust_if_shown(evidence, amount)
            )
    amount = evidence.amount(evidence.tags.price) if evidence.tags is not None else None
    if amount is not None:
        weight = WEIGHTS["open_graph"] * _trust_if_shown(evidence, amount)
        evidence.add("price", amount, "open_graph", "meta", weight)


def _add_shown(evidence: Evidence) -> None:
    known = {candidate.value for candidate in evidence.candidates.get("price", [])}
    is_first = True
    for amount, price in list(evidence.by_amount.items())[:30]:
        may_be_asked = price.score >= SHOWN_ENOUGH and not price.is_other
        if may_be_asked or (amount in known and price.score > -2):
            weight = min(0.85, max(0.3, 0.4 + 0.1 * price.score))
            if not is_first and amount not in known:
                weight -= 0.25
            if price.is_former or price.distance >= FAR:
                weight *= 0.5
            is_first = False
            evidence.add("price", amount, "visible_text", f"{price.words} ({price.where})", weight)


def _trust_if_shown(evidence: Evidence, amount: Decimal) -> float:
    """Markup is believed less where the page shows another price than this, or this one struck through."""
    if not evidence.shown or evidence.shown[0].distance > _NEAR:
        return 1.0
    place = evidence.by_amount.get(amount)
    if place is None:
        return 0.6
    return 0.6 if place.is_struck and evidence.shown[0].value < amount else 1.0


def worded_price(evidence: Evidence, price: Candidate | None) -> tuple[Decimal | str | None, str]:
    """The price as markup words it, so that normalization judges the text, and its source."""
    if price is None:
        # What markup says in place of a price is kept for the quarantine.
        worded = next((offer for offer in evidence.said if offer.price is not None), None) or next(
            iter(evidence.said), None
        )
        return (worded.price, worded.source) if worded else (None, "visible_text")
    for offer in evidence.all_said:
        if evidence.amount(offer.price) == price.value:
            return offer.price, offer.source
    return price.value, price.source


def is_from_price(evidence: Evidence, price: Candidate | None) -> bool:
    """Whether the price is shown as the lowest of several."""
    return price is not None and any(shown.is_from and shown.value == price.value for shown in evidence.shown)


def decide_list_price(evidence: Evidence, price: Decimal | None) -> Decimal | str | None:
    """What was asked before, as markup words it or as it is shown; higher than the price."""
    for offer in evidence.all_said:
        evidence.add("list_price", evidence.amount(offer.list_price), offer.source, "markup")
    for shown in evidence.visible.prices if evidence.visible else []:
        if (
            shown.is_former
            and -10 < shown.distance < 60
            and shown.amount.mark
            and price is not None
            and shown.value > price
        ):
            evidence.add("list_price", plain(shown.value), "visible_text", shown.words, 0.5)
            break
    higher = [
        c
        for c in evidence.candidates.get("list_price", [])
        if price is not None and price < c.value < price * 20
    ]
    evidence.candidates["list_price"] = higher
    chosen = best(higher, lambda value: value, evidence.rules.get("list_price"))
    if chosen is None:
        return None
    said = (
        offer.list_price for offer in evidence.all_said if evidence.amount(offer.list_price) == chosen.value
    )
    return next(said, chosen.value)


def decide_currency(evidence: Evidence, price: Candidate | None) -> str | None:
    """Markup's code, else what the mark beside the price means in the page's country; never a silent guess."""
    for offer in evidence.said:
        is_another = price is not None and evidence.amount(offer.price) not in (None, price.value)
        weight = WEIGHTS[offer.source] * (0.4 if is_another else 1.0)
        evidence.add("price_currency", currency_code(offer.price_currency), offer.source, "markup", weight)
    if price is None:
        return None
    shown = evidence.visible.prices if evidence.visible else []
    marked = next((one for one in shown if one.value == price.value and one.amount.mark is not None), None)
    is_shared = marked is not None and currency_of(marked.amount.mark, None) is None
    # "$" beside a price does not contradict markup that says which dollar.
    if marked is not None and not (is_shared and evidence.candidates.get("price_currency")):
        evidence.add("price_currency", marked.currency, "visible_text", marked.words, 0.75)
    if not evidence.candidates.get("price_currency"):
        _add_currency_of_page(evidence, price, marked.amount.mark if marked else None)
    known = evidence.candidates.get("price_currency", [])
    chosen = best(known, lambda value: value, evidence.rules.get("price_currency"))
    return str(chosen.value) if chosen else None


def _add_currency_of_page(evidence: Evidence, price: Candidate, mark: str | None) -> None:
    """What the page says of its currency anywhere; its country's own only where no mark speaks for another."""
    meta = evidence.document.meta("pricecurrency", "currency", "product:price:currency")
    evidence.add("price_currency", currency_code(meta), "open_graph", "meta")
    codes = set(_CURRENCY_CODE.findall(evidence.document.html)[:50]) & CURRENCIES
    own = country_currency(evidence.country)
    code = next(iter(codes)) if len(codes) == 1 else (own if own in codes else None)
    if code is not None and (mark is None or currency_of(mark, None) in (None, code)):
        evidence.add("price_currency", code, "embedded_state", "script", 0.5)
    is_told = bool(evidence.candidates.get("price_currency"))
    if own and mark is None and price.source == "visible_text" and not is_told:
        evidence.add("price_currency", own, "address", f"country {evidence.country}", 0.3)


def contradictions(evidence: Evidence, price: Candidate | None) -> list[str]:
    """The fields whose strong candidates exclude each other: a person has to choose."""
    if price is None or not evidence.shown:
        return []
    first = evidence.shown[0]
    markup = {one.value for one in evidence.candidates["price"] if one.source in _MARKUP}
    found = []
    if markup and first.amount.mark and markup.isdisjoint(evidence.by_amount) and _is_beside_title(first):
        found.append("price")
    told = evidence.candidates.get("price_currency", [])
    if len({one.value for one in told if one.source in _MARKUP | {"visible_text"}}) > 1:
        found.append("price_currency")
    return found


def _is_beside_title(price: ShownPrice) -> bool:
    """Whether a shown price is surely the product's own, whatever markup says."""
    if price.score >= SURELY_SHOWN:
        return -6 <= price.distance <= 30
    return price.score >= SURELY_SHOWN / 2 and 0 <= price.distance <= 6
