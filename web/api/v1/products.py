"""Products: the list and one of them."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, Response, jsonify, request, url_for

from aggregator.catalog.product_details import get_product_detail
from aggregator.catalog.search import search_products
from aggregator.domain.errors import NotFound
from aggregator.domain.identifiers import is_public_id
from aggregator.domain.products import MovedProduct
from web import search_address
from web.api.v1 import schemas
from web.context import assumed_shipping
from web.db import current_session
from web.pages.products import moved_to
from web.search_place import search_index

resources = Blueprint("api_products", __name__, url_prefix="/api/v1/products")


@resources.get("")
def index() -> Response:
    """Found products; `next` is the relative address of the next page, null on the last."""
    limit = search_address.read_limit(request.args.get("limit"))
    query = replace(search_address.read_query(request.args), limit=limit, assumed_shipping=assumed_shipping())
    page = search_products(current_session(), query, search_index())
    following = None
    if page.next_cursor:
        kept = {"limit": str(limit)} if "limit" in request.args else {}
        following = search_address.address(replace(query, cursor=page.next_cursor), request.path, **kept)
    return jsonify(items=[schemas.product(card) for card in page.products], next=following)


@resources.get("/<public_id>")
def show(public_id: str) -> Response:
    """One product with its offers; a merged one's old address leads to the product it is part of now."""
    if not is_public_id(public_id):
        raise NotFound("product", public_id)
    detail = get_product_detail(current_session(), public_id, assumed_shipping=assumed_shipping())
    if isinstance(detail, MovedProduct):
        return moved_to(url_for("api_products.show", public_id=detail.id))
    return jsonify(schemas.product_detail(detail))
