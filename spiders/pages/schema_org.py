"""schema.org product markup of a page: JSON-LD first, microdata for what it leaves out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from aggregator.domain.offers import RawOffer
from aggregator.domain.web_addresses import comparable_address
from spiders.pages.base import Document, fold_words
from spiders.pages.items import Item, ItemGraph, Reference
from spiders.pages.json_ld import read_json_ld
from spiders.pages.microdata import read_microdata, read_rdfa
from spiders.pages.schema_org_delivery import read_delivery
from spiders.pages.schema_org_offers import (
    AskedPrice,
    checkout_template,
    is_away,
    read_asked_price,
    sellable_offers,
    shipping_cost,
)
from spiders.pages.titles import tokens
from spiders.untrusted import address, code, storable

PRODUCTS = frozenset(
    {
        "product", "productgroup", "individualproduct", "productmodel", "someproducts",
        "vehicle", "car", "motorcycle", "book", "videogame", "musicalbum",
    }
)  # fmt: skip
_MENTIONS = ("isrelatedto", "issimilarto", "isaccessoryorsparepartfor", "isconsumablefor", "itemlistelement")
_GTINS = ("gtin13", "gtin", "gtin14", "gtin12", "gtin8", "ean", "isbn")
_VARIANT_NAMES = ("color", "size", "material", "pattern")


@dataclass(frozen=True, slots=True)
class SourceReading:
    """What one syntax says: the product as a whole, and its offers, one a variant where it tells them apart."""

    source: str
    main: RawOffer
    offers: list[RawOffer]


def read_schema_org(document: Document) -> list[SourceReading]:
    """The page's own product by JSON-LD; microdata and RDFa are read where that leaves something to tell."""
    found: list[SourceReading] = []
    for source, read in (("json_ld", read_json_ld), ("microdata", read_microdata), ("rdfa", read_rdfa)):
        if any(is_told_whole(reading.main) for reading in found):
            break
        graph = read(document)
        product = main_product(graph, document) if graph.outermost else None
        if product is not None:
            reader = _Reader(document, source, graph, product)
            offers = list(reader.offers())
            found.append(SourceReading(source, reader.whole(offers), offers))
    return found


def is_told_whole(offer: RawOffer) -> bool:
    """Whether it says what a shopper asks first: name, price, currency and availability."""
    return bool(offer.title and offer.price is not None and offer.price_currency and offer.availability)


def main_product(graph: ItemGraph, document: Document) -> Item | None:
    """The product that the page is about; None where it has none, or many of which none is its own."""
    mentioned = {
        value.id
        for item in graph.outermost
        for name in _MENTIONS
        for value in item.properties.get(name, [])
        if isinstance(value, Reference | Item) and value.id
    }
    entities = [entity for item in graph.outermost for entity in graph.items(item, "mainentity", "about")]
    candidates: list[Item] = []
    for item in [*entities, *graph.outermost]:
        if item.is_a(PRODUCTS) and not any(item is known for known in candidates):
            candidates.append(item)
    candidates = [item for item in candidates if item.id not in mentioned or _is_own(graph, item, document)]
    if len(candidates) < 2:
        return candidates[0] if candidates else None
    own = [item for item in candidates if _is_own(graph, item, document)]
    groups = [
        item for item in candidates if "productgroup" in item.types and graph.values(item, "hasvariant")
    ]
    if len(groups) > 1:
        groups = [item for item in groups if any(item is one for one in own)]
    narrowings = (
        groups,
        own,
        [item for item in candidates if any(item is entity for entity in entities)],
        [item for item in candidates if graph.values(item, "offers")],
        [item for item in candidates if fold_words(graph.text(item, "name") or "") in document.headings],
    )
    chosen = next((narrowed[0] for narrowed in narrowings if len(narrowed) == 1), None)
    return chosen or _named_like_the_page(graph, candidates, document)


def _named_like_the_page(graph: ItemGraph, candidates: list[Item], document: Document) -> Item | None:
    """The one product of many whose name the page's <title> begins with."""
    title = " ".join(tokens(document.title or ""))
    named = [item for item in candidates[:200] if (name := " ".join(tokens(graph.text(item, "name") or "")))
             and title.startswith(name)]  # fmt: skip
    return max(named, key=lambda item: len(graph.text(item, "name") or ""), default=None)


def _is_own(graph: ItemGraph, item: Item, document: Document) -> bool:
    named = [graph.text(item, "url"), item.id, graph.text(item, "mainentityofpage")]
    addresses = (_joined(document.url, value) for value in named if value and not value.startswith("#"))
    return any(value and comparable_address(value) in document.own_addresses for value in addresses)


@lru_cache(maxsize=512)
def _joined(base: str, value: str | None) -> str | None:
    """Variants repeat each other's addresses."""
    return address(base, value)


class _Reader:
    """Turns the main product into raw offers."""

    def __init__(self, document: Document, source: str, graph: ItemGraph, product: Item) -> None:
        self._document = document
        self._source = source
        self._graph = graph
        self._product = product

    def offers(self) -> Iterator[RawOffer]:
        """One a variant where the page tells them apart, else one."""
        graph, product = self._graph, self._product
        variants = [item for item in graph.items(product, "hasvariant") if graph.values(item, "offers")]
        if variants:
            of_group = self._group_id(product)
            for variant in variants[:1000]:
                chosen = sellable_offers(graph, variant)
                yield self._raw(variant, chosen[0] if chosen else None, of_group, len(variants) > 1)
            return
        chosen = sellable_offers(graph, product)
        if len(chosen) > 1:
            for offer in chosen[:1000]:
                yield self._raw(product, offer, self._group_id(product), True)
        else:
            group = next(iter(graph.items(product, "isvariantof")), None)
            group_id = code(graph.text(product, "inproductgroupwithid")) or (
                self._group_id(group) if group else None
            )
            yield self._raw(product, chosen[0] if chosen else None, group_id, False)

    def whole(self, offers: list[RawOffer]) -> RawOffer:
        """The product itself: one offer's price, but its own name and codes."""
        if len(offers) == 1:
            return offers[0]
        there = [offer for offer in offers if offer.price is not None and not is_away(offer.availability)]
        first = next(iter(there or offers))
        graph, product = self._graph, self._product
        return replace(
            first,
            external_id=self._document.canonical_url,
            url=self._document.canonical_url,
            title=graph.text(product, "name") or first.title,
            sku=code(graph.text(product, "sku", "productgroupid")),
            gtin=self._gtin(product, None),
            mpn=code(graph.text(product, "mpn")),
            variant_attributes={},
        )

    def _group_id(self, group: Item) -> str:
        graph = self._graph
        return code(graph.text(group, "productgroupid", "sku", "productid")) or self._document.canonical_url

    def _raw(self, product: Item, offer: Item | None, group_id: str | None, is_variant: bool) -> RawOffer:
        graph = self._graph
        asked = read_asked_price(graph, offer) if offer is not None else AskedPrice()
        sku = self._from(product, offer, "sku")
        url = self._url(product, offer, is_variant)
        attributes = {
            key: value
            for key in _VARIANT_NAMES
            if (value := graph.text(product, key) or (graph.text(offer, key) if offer else None))
        }
        own_name, group_name = graph.text(product, "name"), graph.text(self._product, "name")
        # A variant without a name of its own is told apart by what varies.
        name = own_name or " ".join([group_name or "", *attributes.values()]).strip()
        return RawOffer(
            external_id=sku or self._unnamed_id(url, asked, is_variant, attributes),
            url=url,
            title=name,
            price=asked.price,
            price_currency=asked.currency,
            list_price=asked.list_price,
            price_kind=asked.kind,
            availability=graph.text(offer, "availability") if offer else None,
            item_condition=(graph.text(offer, "itemcondition") if offer else None)
            or graph.text(product, "itemcondition"),
            brand=self._inherited(product, "brand", "manufacturer"),
            gtin=self._gtin(product, offer),
            mpn=self._from(product, offer, "mpn"),
            sku=sku,
            category=self._category(product),
            image_url=_joined(self._document.url, self._inherited(product, "image")),
            item_group_id=group_id,
            variant_attributes=attributes if is_variant or group_id else {},
            seller=self._seller(offer),
            shipping_cost=shipping_cost(graph, offer, asked.currency) if offer else None,
            delivery=read_delivery(graph, product, offer, asked.currency),
            handoff=self._handoff(product, offer),
            source=self._source,
            raw=storable(
                {"name": name, "sku": sku, "url": url, "price": asked.price, "currency": asked.currency}
            ),
        )

    def _handoff(self, product: Item, offer: Item | None) -> dict[str, str]:
        template = checkout_template(self._graph, *(item for item in (offer, product) if item is not None))
        if template is not None and template.startswith("/"):
            template = _joined(self._document.url, template)
        # A BuyAction often leads to the very page that it stands on.
        is_page = template is None or (
            "?" not in template
            and "{" not in template
            and comparable_address(template) in self._document.own_addresses
        )
        return {} if is_page or template is None else {"checkout_link_template": template}

    def _inherited(self, product: Item, *names: str) -> str | None:
        return self._graph.text(product, *names) or self._graph.text(self._product, *names)

    def _from(self, product: Item, offer: Item | None, name: str) -> str | None:
        own = code(self._graph.text(offer, name)) if offer else None
        return own or code(self._graph.text(product, name))

    def _url(self, product: Item, offer: Item | None, is_variant: bool) -> str:
        """The page's own address; a variant's own one where it has one on this site."""
        if is_variant:
            for item in (offer, product):
                own = _joined(self._document.url, self._graph.text(item, "url")) if item else None
                if own:
                    return own
        return self._document.canonical_url

    def _unnamed_id(self, url: str, asked: AskedPrice, is_variant: bool, attributes: dict[str, str]) -> str:
        if not is_variant or url != self._document.canonical_url:
            return url
        return f"{url}#{'-'.join(attributes.values()) or asked.price}"

    def _gtin(self, product: Item, offer: Item | None) -> str | None:
        for item in (offer, product):
            read = code(self._graph.text(item, *_GTINS)) if item else None
            if read:
                return read
        kind, _, value = (self._graph.text(product, "productid") or "").partition(":")
        return code(value) if kind.lower() in {"ean", "gtin", "gtin13", "upc", "isbn"} else None

    def _category(self, product: Item) -> str | None:
        named = self._inherited(product, "category")
        if named and not named.startswith("http"):
            return named
        for crumbs in self._graph.outermost:
            if "breadcrumblist" in crumbs.types:
                names = [
                    self._graph.text(entry, "name") or self._graph.text(entry, "item")
                    for entry in self._graph.items(crumbs, "itemlistelement")
                ]
                # The first is the shop, the last this product.
                middle = [name for name in names if name and not name.startswith("http")][1:-1]
                return " > ".join(middle) or None
        return None

    @cached_property
    def _shop_names(self) -> set[str]:
        named = [self._graph.text(item, "name") for item in self._graph.outermost if not item.is_a(PRODUCTS)]
        return {fold_words(name) for name in (*named, self._document.meta("og:site_name")) if name}

    def _seller(self, offer: Item | None) -> str | None:
        """Who sells it, unless that is the shop itself."""
        name = self._graph.text(offer, "seller", "offeredby") if offer else None
        if name is None or fold_words(name) in self._shop_names:
            return None
        return None if name.startswith("http") else name
