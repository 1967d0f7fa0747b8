"""OpenGraph product tags of a page."""

from __future__ import annotations

from functools import cached_property

from aggregator.domain.offers import InvalidOffer, RawOffer
from spiders.pages.base import ProductPage
from spiders.untrusted import address, code, storable, text

_PRODUCT_TYPES = frozenset({"product", "og:product", "product.item", "product.group"})


class OpenGraphPage(ProductPage):
    """Reads product:* and og:* tags; one offer, without variants. Amounts stay text: locale commas occur."""

    @cached_property
    def is_product(self) -> bool:
        """Whether og:type says product, or a price tag is there."""
        kind = (self.document.meta("og:type") or "").lower()
        return kind in _PRODUCT_TYPES or self._price is not None

    @property
    def has_price(self) -> bool:
        """Whether a price tag is filled."""
        return self._price is not None

    @cached_property
    def _price(self) -> str | None:
        return self.document.meta("product:price:amount", "og:price:amount", "product:price")

    def to_raw_offers(self) -> list[RawOffer | InvalidOffer]:
        """The page's product as one offer."""
        if not self.is_product:
            return []
        meta = self.document.meta
        sale = meta("product:sale_price:amount", "og:sale_price:amount")
        sku = code(meta("product:retailer_item_id", "product:sku"))
        asked, list_price = (
            (sale, self._price) if sale else (self._price, meta("product:original_price:amount"))
        )
        currency = meta(
            "product:sale_price:currency" if sale else "product:price:currency",
            "product:price:currency",
            "og:price:currency",
        )
        url = self.document.canonical_url
        return [
            RawOffer(
                external_id=sku or url,
                url=url,
                title=text(meta("og:title")) or "",
                price=asked,
                price_currency=text(currency, 10),
                list_price=list_price,
                availability=meta("product:availability", "og:availability"),
                item_condition=meta("product:condition"),
                brand=text(meta("product:brand", "og:brand")),
                gtin=code(meta("product:gtin", "product:ean", "product:upc", "product:isbn")),
                mpn=code(meta("product:mfr_part_no", "product:mpn")),
                sku=sku,
                category=text(meta("product:category")),
                image_url=address(self.document.url, meta("og:image", "og:image:secure_url")),
                item_group_id=code(meta("product:item_group_id")),
                source="open_graph",
                raw=storable({"price": self._price, "currency": currency, "title": meta("og:title")}),
            )
        ]
