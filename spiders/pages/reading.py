"""A page read whole: every source asked, every field decided, what speaks against it kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from aggregator.domain.offers import InvalidOffer, RawOffer
from spiders.pages.base import Document
from spiders.pages.candidates import Candidate, as_reading
from spiders.pages.details_decision import (
    add_details,
    decide_availability,
    decide_brand,
    decide_code,
    decide_name,
)
from spiders.pages.evidence import Evidence
from spiders.pages.price_decision import (
    SURELY_SHOWN,
    contradictions,
    decide_currency,
    decide_list_price,
    decide_price,
    is_from_price,
    worded_price,
)
from spiders.pages.shells import is_shell
from spiders.untrusted import refused

_FIELDS = ("title", "price", "price_currency", "availability", "brand", "sku", "gtin", "mpn", "list_price")


@dataclass(frozen=True, slots=True)
class PageReading:
    """What a page says. `main` is its product as a whole with the best value of each field, None where it has none;
    `price` is its price as a number.

    `is_product` tells whether the page is surely about one product; `ambiguous` names the fields whose strong
    candidates contradict each other; `needs_browser` marks an empty shell that only scripts fill.
    """

    main: RawOffer | None
    price: Decimal | None
    offers: list[RawOffer]
    candidates: Mapping[str, list[Candidate]]
    ambiguous: tuple[str, ...] = ()
    is_product: bool = False
    needs_browser: bool = False


def read_page(document: Document, rules: Mapping[str, str] | None = None) -> PageReading:
    """Read a page. `rules` names by field the source that a person believes for this store."""
    evidence = Evidence(document, rules or {})
    name = decide_name(evidence)
    add_details(evidence)
    price = decide_price(evidence)
    main = _main(evidence, name, price)
    is_product = (
        bool(evidence.structured) or evidence.tags is not None or _looks_like_a_product(evidence, price)
    )
    doubtful = [field for field in contradictions(evidence, price) if field not in evidence.rules]
    return PageReading(
        main=main if name else None,
        price=price.value if price else None,
        offers=_offers(evidence, main) if is_product else [],
        candidates=evidence.candidates,
        ambiguous=tuple(doubtful) if is_product else (),
        is_product=is_product,
        needs_browser=price is None and not evidence.structured and is_shell(document),
    )


def _main(evidence: Evidence, name: str, price: Candidate | None) -> RawOffer:
    """The product as a whole, each field decided."""
    worded, source = worded_price(evidence, price)
    fields: dict[str, Any] = {
        "title": name,
        "price": worded,
        "price_currency": decide_currency(evidence, price),
        "availability": decide_availability(evidence),
        "brand": decide_brand(evidence, name),
        "sku": decide_code(evidence, "sku"),
        "gtin": decide_code(evidence, "gtin"),
        "mpn": decide_code(evidence, "mpn"),
        "list_price": decide_list_price(evidence, price.value if price else None),
        "source": source,
    }
    reading = as_reading(evidence.candidates, _FIELDS)
    url = evidence.document.canonical_url
    base = evidence.said[0] if evidence.said else RawOffer(external_id=url, url=url, title="")
    main = replace(base, **fields, reading=reading)
    for other in evidence.said[1:]:
        _fill(main, other)
    if main.price_kind is None and is_from_price(evidence, price):
        main.price_kind = "from"
    return main


def _looks_like_a_product(evidence: Evidence, price: Candidate | None) -> bool:
    """Without markup: a title that the page's <title> confirms, one price near it, and a way to buy."""
    if price is None or evidence.visible is None or not evidence.shown:
        return False
    first = evidence.shown[0]
    rivals = {
        p.value for p in evidence.shown if p.distance > first.distance + 8 and p.score > first.score - 0.8
    }
    if len(rivals) > 2 or not -12 <= first.distance <= 60:
        return False
    bought = evidence.visible.availability is not None and evidence.visible.availability[1] >= 0.7
    return first.score >= SURELY_SHOWN - 1 and bought


def _offers(evidence: Evidence, main: RawOffer) -> list[RawOffer]:
    variants = max((reading.offers for reading in evidence.structured), key=len, default=[])
    if len(variants) < 2:
        return [main]
    for variant in variants:
        if variant.price is not None and variant.price_currency is None:
            variant.price_currency = main.price_currency
        for key in ("brand", "category", "image_url", "item_condition"):
            if getattr(variant, key) in (None, ""):
                setattr(variant, key, getattr(main, key))
        variant.reading = None
    return variants


def ambiguous_offer(reading: PageReading) -> InvalidOffer:
    """The quarantined form of an offer whose sources contradict each other, with all that they say."""
    main = reading.main
    assert main is not None
    candidates = [
        candidate.shown() for name in reading.ambiguous for candidate in reading.candidates.get(name, [])
    ]
    what = "; ".join(f"{c['field']} {c['value']} ({c['source']})" for c in candidates)
    return refused(
        "ambiguous",
        {"candidates": candidates, "name": main.title, "fields": list(reading.ambiguous)},
        external_id=main.external_id,
        title=main.title,
        url=main.url,
        detail=what[:200],
        offer=main,
    )


def _fill(main: RawOffer, other: RawOffer) -> None:
    for key in (
        "item_condition",
        "category",
        "image_url",
        "item_group_id",
        "seller",
        "shipping_cost",
        "delivery",
        "stock_level",
    ):
        if getattr(main, key) in (None, ""):
            setattr(main, key, getattr(other, key))
