"""Products: the list, one of them, and what it cost over time."""

from __future__ import annotations

from dataclasses import replace
from typing import Self

from flask import Blueprint, Response, request, url_for
from pydantic import Field

from aggregator.catalog.product_details import get_product_detail
from aggregator.catalog.product_pages import get_price_history
from aggregator.catalog.search import search_products
from aggregator.domain.identifiers import require_public_id
from aggregator.domain.products import MovedProduct, PriceSeries, SearchPage
from web import search_address
from web.api.operations import Told, operation
from web.api.v1.schemas import Page, Product, ProductWithOffers, instant
from web.context import moved_to, parcel_terms
from web.db import current_session
from web.search_place import search_index

resources = Blueprint("api_products", __name__, url_prefix="/api/v1")


class ProductQuery(Page):
    """What is looked for; the names are those of the search page's own address."""

    q: str = Field(
        "", max_length=200, description="Words of titles, brands and categories, a model number or a GTIN."
    )
    brand: list[str] = Field(default=[], max_length=30)
    category: list[str] = Field(default=[], max_length=30)
    store: list[str] = Field(default=[], max_length=30, description="Stores by their slugs.")
    condition: list[str] = Field(default=[], max_length=30)
    attribute: list[str] = Field(
        default=[], max_length=30, description='"name:value", such as "capacity:256 GB".'
    )
    min: str | None = Field(None, max_length=20, description="Lowest price, in major units.")
    max: str | None = Field(None, max_length=20, description="Highest price, in major units.")
    available: str | None = Field(None, max_length=1, description='"1" for what can be bought now.')
    sort: str = Field("relevance", max_length=20)
    exact: str | None = Field(None, max_length=1, description='"1" repairs no spelling.')


class ProductList(Told):
    """One page of products; `next` is the relative address of the next page, null on the last."""

    items: list[Product]
    next: str | None


class FacetChoice(Told):
    """One choice of a facet with how many products have it."""

    value: str
    label: str
    count: int
    is_chosen: bool


class FacetChoices(Told):
    """One facet; `about` names the attribute where the facet is "attribute"."""

    name: str
    about: str
    choices: list[FacetChoice]


class SearchResult(ProductList):
    """A page of products with all that the search page shows; `repaired` is what was looked for instead."""

    total: int
    repaired: str | None
    facets: list[FacetChoices]


class PricePointTold(Told):
    """From `recorded_at` on, the offer asked this price."""

    recorded_at: str
    price: str
    is_available: bool


class StorePrices(Told):
    """One store's price over time, oldest first."""

    store: str
    currency: str
    points: list[PricePointTold]

    @classmethod
    def of(cls, series: PriceSeries) -> Self:
        """A series as the API writes it."""
        return cls(
            store=series.store_name,
            currency=series.currency,
            points=[
                PricePointTold(
                    recorded_at=instant(point.recorded_at),
                    price=f"{point.price.normalize():f}",
                    is_available=point.is_available,
                )
                for point in series.points
            ],
        )


class PriceHistory(Told):
    """Every price of a product's offers; `currency` is what most of them ask."""

    currency: str | None
    stores: list[StorePrices]


@resources.get("/products")
@operation("Find products", query=ProductQuery, answer=ProductList)
def index(query: ProductQuery) -> ProductList:
    """Products that have all the words, best fitting first, or in the order asked for."""
    page = _found(query)
    return ProductList(items=[Product.of(card) for card in page.products], next=_next(page, query))


@resources.get("/search")
@operation("Search with facets", query=ProductQuery, answer=SearchResult)
def search(query: ProductQuery) -> SearchResult:
    """The same with how many there are, and the facets by which they can be narrowed."""
    page = _found(query)
    return SearchResult(
        items=[Product.of(card) for card in page.products],
        next=_next(page, query),
        total=page.total,
        repaired=page.repaired,
        facets=[
            FacetChoices(
                name=facet.name,
                about=facet.about,
                choices=[
                    FacetChoice(value=one.value, label=one.label, count=one.count, is_chosen=one.is_chosen)
                    for one in facet.values
                ],
            )
            for facet in page.facets
        ],
    )


@resources.get("/products/<public_id>")
@operation("One product", answer=ProductWithOffers, also={301: None})
def show(public_id: str) -> ProductWithOffers | Response:
    """A product with its offers; a merged one's old address leads to the product it is part of now."""
    detail = get_product_detail(current_session(), require_public_id("product", public_id), **parcel_terms())
    if isinstance(detail, MovedProduct):
        return moved_to(url_for("api_products.show", public_id=detail.id))
    return ProductWithOffers.from_detail(detail)


@resources.get("/products/<public_id>/prices")
@operation("A product's price history", answer=PriceHistory)
def prices(public_id: str) -> PriceHistory:
    """What each store asked, and since when; steps, not samples."""
    require_public_id("product", public_id)
    series, currency = get_price_history(current_session(), public_id)
    return PriceHistory(currency=currency, stores=[StorePrices.of(one) for one in series])


def _found(query: ProductQuery) -> SearchPage:
    asked = replace(
        search_address.read_query(request.args),
        limit=query.limit,
        assumed_shipping=parcel_terms()["assumed_shipping"],
    )
    return search_products(current_session(), asked, search_index())


def _next(page: SearchPage, query: ProductQuery) -> str | None:
    if not page.next_cursor:
        return None
    kept = {"limit": str(query.limit)} if "limit" in request.args else {}
    return search_address.address(replace(page.query, cursor=page.next_cursor), request.path, **kept)
