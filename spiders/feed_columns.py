"""What columns of product feeds are called: Google's names, and the names that stand for them elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from aggregator.domain.errors import InvalidInput

# Google's name first; then what Meta, Awin, CJ and plain exports call it, the better source first.
_ALIASES: Mapping[str, tuple[str, ...]] = {
    "id": ("merchant_product_id", "product_id", "item_id", "offer_id", "sku", "aw_product_id", "unique_id"),
    "title": ("product_name", "name", "product_title", "item_name"),
    "link": ("merchant_deep_link", "deep_link", "product_url", "url", "buy_url", "product_link", "aw_deep_link"),
    "price": ("search_price", "store_price", "current_price", "product_price"),
    "list_price": ("rrp_price", "product_price_old", "was_price", "old_price", "msrp"),
    "currency": ("currency_code", "price_currency", "currency_id"),
    "availability": ("stock_status", "in_stock", "is_in_stock", "stock_availability", "available"),
    "brand": ("brand_name", "manufacturer", "manufacturer_name"),
    "gtin": ("product_gtin", "ean", "ean13", "gtin13", "gtin14", "gtin12", "upc", "isbn", "barcode"),
    "mpn": ("model_number", "manufacturer_part_number", "manufacturer_sku"),
    "image_link": ("image_url", "merchant_image_url", "large_image", "aw_image_url", "image", "picture"),
    "item_group_id": ("parent_product_id", "parent_sku"),
    "product_type": (
        "merchant_product_category_path", "merchant_category", "category_path", "category_name", "advertiser_category",
        "category", "fb_product_category",
    ),
    "condition": ("product_condition", "item_condition"),
    "quantity": ("stock_quantity", "quantity_to_sell_on_facebook", "sell_on_google_quantity", "inventory"),
    "delivery_cost": ("shipping_cost",),
    "checkout_link_template": ("basket_link",),
}  # fmt: skip
NEEDED = ("id", "title", "link", "price")
_MOST_CHOSEN = 40


@lru_cache(maxsize=4096)
def column_name(text: str) -> str:
    """A column's or element's name without prefix, case and blanks: "g:image link", "imageLink" are image_link."""
    local = text.strip().strip('"').rpartition(":")[2].strip()
    if not local.isupper():
        local = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", local)
    return re.sub(r"[\s\-]+", "_", local).lower()


@dataclass(frozen=True, slots=True)
class FeedColumns:
    """Fills in Google's names. `chosen` are those that a person chose, by Google's name; they win over all others."""

    chosen: Mapping[str, str] = field(default_factory=dict)

    def plan(self, names: Iterable[str] | None = None) -> list[tuple[str, tuple[str, ...]]]:
        """What to look at for each of Google's names; for a feed whose columns are known, only those."""
        known = None if names is None else frozenset(names)
        planned = []
        for wanted, aliases in _ALIASES.items():
            usable = tuple(alias for alias in aliases if known is None or alias in known)
            if usable and wanted not in self.chosen:
                planned.append((wanted, usable))
        return planned

    def fill(self, row: dict[str, Any], plan: list[tuple[str, tuple[str, ...]]]) -> dict[str, Any]:
        """The row itself, completed: the first alias with a value stands for a name that is missing."""
        for wanted, column in self.chosen.items():
            if column in row:
                row[wanted] = row[column]
        for wanted, aliases in plan:
            if wanted not in row:
                for alias in aliases:
                    if alias in row:
                        row[wanted] = row[alias]
                        break
        return row

    def names_of(self, columns: Iterable[str]) -> frozenset[str]:
        """Google's names that a feed with these columns can tell."""
        known = frozenset(columns)
        told = {wanted for wanted, aliases in _ALIASES.items() if not known.isdisjoint(aliases)}
        return known | told | {wanted for wanted, column in self.chosen.items() if column in known}


USUAL_COLUMNS = FeedColumns()


def read_columns(text: str | None) -> FeedColumns:
    """A column map as operators write it: "title=Bezeichnung, price=Preis". Raises InvalidInput."""
    chosen: dict[str, str] = {}
    for part in re.split(r"[,;\n]", text or ""):
        if not part.strip():
            continue
        wanted, equals, column = part.partition("=")
        if not equals or not column_name(wanted) or not column_name(column) or len(chosen) >= _MOST_CHOSEN:
            raise InvalidInput(
                f"{part.strip()[:60]!r} is not NAME=COLUMN", place="columns",
                remedy='write it as "title=Bezeichnung, price=Preis"',
            )  # fmt: skip
        chosen[column_name(wanted)] = column_name(column)
    return FeedColumns(chosen)
