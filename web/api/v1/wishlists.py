"""The visitor's wishlists; `/wishlist` is short for the default one."""

from __future__ import annotations

from typing import Self

from flask import Blueprint, Response
from pydantic import Field

from aggregator.domain.wishlists import Wishlist
from aggregator.shopping.wishlists import (
    DEFAULT,
    LONGEST_NAME,
    add_items,
    create_wishlist,
    delete_wishlist,
    find_default,
    get_wishlist,
    list_wishlists,
    remove_everywhere,
    remove_item,
    rename_wishlist,
)
from web import context
from web.api.operations import Given, Told, operation, told_with
from web.api.v1.schemas import Amount, Product, instant
from web.db import current_session

resources = Blueprint("api_wishlists", __name__, url_prefix="/api/v1")


class Wish(Told):
    """A product on a list, with its lowest price when it was put there."""

    id: str
    added_at: str
    price_then: Amount | None
    product: Product


class WishlistTold(Told):
    """One list, what was put there last first; the default one has no id until something is on it."""

    id: str | None
    name: str
    is_default: bool
    is_shared: bool
    items: list[Wish]

    @classmethod
    def of(cls, wishlist: Wishlist) -> Self:
        """A list as the API writes it."""
        return cls(
            id=wishlist.id,
            name=wishlist.name,
            is_default=wishlist.is_default,
            is_shared=wishlist.is_shared,
            items=[
                Wish(
                    id=item.id,
                    added_at=instant(item.added_at),
                    price_then=Amount.maybe(item.price_then),
                    product=Product.of(item.product),
                )
                for item in wishlist.items
            ],
        )


class Wishlists(Told):
    """All lists."""

    items: list[WishlistTold]


class ListName(Given):
    """What a list is called."""

    name: str = Field(min_length=1, max_length=LONGEST_NAME)


class Wanted(Given):
    """A product, or several at once."""

    product_id: str | None = Field(None, min_length=1, max_length=40)
    product_ids: list[str] = Field([], max_length=200)

    def all(self) -> list[str]:
        """Every product that is named."""
        return [*([self.product_id] if self.product_id else []), *self.product_ids]


@resources.get("/wishlists")
@operation("All wishlists", answer=Wishlists)
def index() -> Wishlists:
    """The visitor's lists, the default one first."""
    found = list_wishlists(current_session(), context.cart_token())
    return Wishlists(items=[WishlistTold.of(one) for one in found])


@resources.post("/wishlists")
@operation("Make a wishlist", body=ListName, answer=WishlistTold, status=201)
def create(body: ListName) -> Response:
    """A new, empty list."""
    made, token = create_wishlist(current_session(), context.cart_token(), body.name)
    return _told(made, token, 201)


@resources.get("/wishlists/<list_id>")
@operation("One wishlist", answer=WishlistTold)
def show(list_id: str) -> WishlistTold:
    """A list with what is on it."""
    return WishlistTold.of(get_wishlist(current_session(), context.cart_token(), list_id))


@resources.put("/wishlists/<list_id>")
@operation("Rename a wishlist", body=ListName, answer=WishlistTold)
def rename(list_id: str, body: ListName) -> WishlistTold:
    """Call a list something else."""
    rename_wishlist(current_session(), context.cart_token(), list_id, body.name)
    return WishlistTold.of(get_wishlist(current_session(), context.cart_token(), list_id))


@resources.delete("/wishlists/<list_id>")
@operation("Delete a wishlist", status=204)
def remove_list(list_id: str) -> None:
    """Delete a list; the default one is only emptied."""
    delete_wishlist(current_session(), context.cart_token(), list_id)


@resources.post("/wishlists/<list_id>/items")
@operation("Put on a wishlist", body=Wanted, answer=WishlistTold, status=201)
def add(list_id: str, body: Wanted) -> Response:
    """Put products on a list; what is there already stays as it is."""
    made, token = add_items(current_session(), context.cart_token(), body.all(), list_id=list_id)
    return _told(made, token, 201)


@resources.delete("/wishlists/<list_id>/items/<item_id>")
@operation("Take off a wishlist", status=204)
def remove(list_id: str, item_id: str) -> None:
    """Take a product off, by the item's id or the product's."""
    remove_item(current_session(), context.cart_token(), list_id, item_id)


@resources.get("/wishlist")
@operation("The default wishlist", answer=WishlistTold)
def show_default() -> WishlistTold:
    """What is on the list that everybody has."""
    found = find_default(current_session(), context.cart_token())
    if found is None:
        return WishlistTold(id=None, name="", is_default=True, is_shared=False, items=[])
    return WishlistTold.of(found)


@resources.post("/wishlist")
@operation("Put on the default wishlist", body=Wanted, answer=WishlistTold, status=201, errors=(404,))
def add_to_default(body: Wanted) -> Response:
    """The same, on the list that everybody has."""
    made, token = add_items(current_session(), context.cart_token(), body.all())
    return _told(made, token, 201)


@resources.delete("/wishlist/<item_id>")
@operation("Take off the default wishlist", status=204)
def remove_from_default(item_id: str) -> None:
    """Take a product off, by the item's id or the product's."""
    remove_item(current_session(), context.cart_token(), DEFAULT, item_id)


@resources.delete("/wishes/<product_id>")
@operation("Take off all wishlists", status=204)
def remove_wish(product_id: str) -> None:
    """Take a product off each of the visitor's lists."""
    remove_everywhere(current_session(), context.cart_token(), product_id)


def _told(wishlist: Wishlist, token: str | None, status: int) -> Response:
    response = told_with(WishlistTold.of(wishlist), status)
    return context.remember_cart(response, token)
