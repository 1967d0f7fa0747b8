"""The offers of one fetched page of a store, whatever the page does to its reader."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import replace

from aggregator.domain.crawling import PageVisit, PlannedPage, Validators, VisitOutcome
from aggregator.domain.errors import FetchRefused
from aggregator.domain.normalization.names import clean_text
from aggregator.domain.offers import InvalidOffer, RawOffer
from aggregator.domain.stores import Store
from aggregator.fetching import Answer
from spiders.pages import HtmlResponse, select_page
from spiders.untrusted import refused

log = logging.getLogger(__name__)


def read_offers(page: HtmlResponse, store: Store) -> list[RawOffer | InvalidOffer]:
    """What the page offers, keyed as the store's options say; a page that breaks its reader is kept as unreadable."""
    try:
        offers = list(select_page(page, store.reading_rules).to_raw_offers())
    except Exception as error:  # a hostile page must not end the crawl
        log.exception("cannot read %s", page.url)
        detail = f"{type(error).__name__}: {error}"[:200]
        return [refused("unreadable_page", {}, external_id=page.url, url=page.url, detail=detail)]
    if store.options.get("offer_key") != "url":
        return offers
    return [
        replace(offer, external_id=offer.url) if isinstance(offer, RawOffer) and offer.url else offer
        for offer in offers
    ]


def price_digest(offers: Iterable[RawOffer | InvalidOffer]) -> str:
    """Of what the offers cost and whether they can be had: 32 hexadecimal digits, equal where nothing moved."""
    said = [
        (
            offer.external_id,
            str(offer.price),
            offer.price_currency,
            str(offer.list_price),
            str(offer.availability),
        )
        if isinstance(offer, RawOffer)
        else (offer.external_id, offer.reason)
        for offer in offers
    ]
    return hashlib.blake2b(repr(said).encode("utf-8", "replace"), digest_size=16).hexdigest()


def refusal_outcome(error: FetchRefused) -> VisitOutcome:
    """What a page came to that was not fetched: closed to us by its owner, or not fit to be fetched."""
    is_closed = "robots.txt" in error.problem or "never fetched" in error.problem
    return "refused" if is_closed else "barren"


def read_visit(
    page: PlannedPage, answer: Answer, read: Callable[[Answer], list[RawOffer | InvalidOffer]]
) -> tuple[list[RawOffer | InvalidOffer], PageVisit]:
    """What a page that answered (200, or 304 to validators) came to; one that is as it was is not read again."""
    validators = Validators.of(answer.headers) if answer.url == page.url else Validators()
    if answer.status == 304:
        kept = Validators(
            validators.etag or page.validators.etag, validators.last_modified or page.validators.last_modified
        )
        return [], PageVisit(
            position=page.position, outcome="unchanged", validators=kept, body_digest=page.body_digest
        )
    # Twice as fast as others: today's processors have instructions for it.
    body_digest = hashlib.sha256(answer.body).hexdigest()[:32]
    if body_digest == page.body_digest:
        return [], PageVisit(
            position=page.position, outcome="unchanged", validators=validators, body_digest=body_digest
        )
    offers = read(answer)
    if not offers:
        return [], PageVisit(
            position=page.position, outcome="barren", validators=validators, body_digest=body_digest
        )
    keys = (clean_text(offer.external_id, 500) for offer in offers)
    return offers, PageVisit(
        position=page.position,
        outcome="read",
        validators=validators,
        body_digest=body_digest,
        price_digest=price_digest(offers),
        holds=tuple(dict.fromkeys(key for key in keys if key)),
    )
