"""OpenGraph and product meta tags of a page."""

from __future__ import annotations

from aggregator.domain.offers import RawOffer
from spiders.pages.base import Document
from spiders.untrusted import address, code, storable, text

_PRODUCT_TYPES = frozenset({"product", "og:product", "product.item", "product.group"})


def read_open_graph(document: Document) -> RawOffer | None:
    """The page's product by product:* and og:* tags; None where they tell of none. Amounts stay text."""
    meta = document.meta
    price = meta("product:price:amount", "og:price:amount", "product:price", "og:price")
    kind = (meta("og:type") or "").lower()
    if price is None and kind not in _PRODUCT_TYPES:
        return None
    sale = meta("product:sale_price:amount", "og:sale_price:amount")
    sku = code(meta("product:retailer_item_id", "product:sku"))
    asked, list_price = (sale, price) if sale else (price, meta("product:original_price:amount"))
    currency = meta(
        "product:sale_price:currency" if sale else "product:price:currency",
        "product:price:currency",
        "og:price:currency",
    )
    url = document.canonical_url
    return RawOffer(
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
        image_url=address(document.url, meta("og:image", "og:image:secure_url")),
        item_group_id=code(meta("product:item_group_id")),
        source="open_graph",
        raw=storable({"price": price, "currency": currency, "title": meta("og:title")}),
    )
