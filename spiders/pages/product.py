"""A page as a crawl reads it: offers to stage, and what goes to quarantine in their place."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from aggregator.domain.offers import InvalidOffer, RawOffer
from spiders.pages.base import Document
from spiders.pages.reading import PageReading, ambiguous_offer, read_page
from spiders.untrusted import refused


class ProductPage:
    """One page; nothing is read before it is asked for."""

    def __init__(self, document: Document, rules: Mapping[str, str] | None = None) -> None:
        self.document = document
        self._rules = rules

    @cached_property
    def reading(self) -> PageReading:
        """Everything that the page says, with what speaks against it."""
        return read_page(self.document, self._rules)

    @property
    def is_product(self) -> bool:
        """Whether the page is about one product."""
        return self.reading.is_product

    @property
    def has_price(self) -> bool:
        """Whether it asks a price, readable or not."""
        return any(offer.price is not None for offer in self.reading.offers)

    def to_raw_offers(self) -> list[RawOffer | InvalidOffer]:
        """The page's own product as offers, one a variant; never the products that it only mentions.

        An offer whose sources contradict each other, a page that only a browser could read, and one that is nested
        without end are kept as InvalidOffer with the reason.
        """
        if self.document.is_too_deep:
            address = self.document.url
            detail = "nests its elements too deep to be read"
            return [refused("unreadable_page", {}, external_id=address, url=address, detail=detail)]
        reading = self.reading
        if reading.needs_browser:
            url = self.document.canonical_url
            detail = "its text is made by scripts in a browser"
            return [
                refused(
                    "needs_browser", {}, external_id=url, title=self.document.title, url=url, detail=detail
                )
            ]
        if reading.ambiguous and reading.main is not None:
            return [ambiguous_offer(reading)]
        return list(reading.offers)
