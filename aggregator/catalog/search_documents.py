"""What search knows of a product: its words, codes, facets and the keys it is ordered by, read from its offers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import log2
from statistics import median
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from aggregator.catalog.exchange_rates import ExchangeRates, current_rates
from aggregator.catalog.shipping_terms import SaidByOffer
from aggregator.catalog.unit_shipping import Seller, UnitShipping
from aggregator.domain.delivery import DeliveryTerms
from aggregator.domain.money import SITE_CURRENCY, Money
from aggregator.domain.product_attributes import attribute_words, content_of, read_attributes
from aggregator.domain.search_words import code_of, index_words, whole_wording, words_of
from aggregator.domain.taxonomy import OTHER, categories, is_sold_by_content
from aggregator.domain.vocabulary import Availability, ItemCondition

_MOST_WORDINGS = 60
_CAN_BE_BOUGHT = {str(one): one.can_be_bought for one in Availability}


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchDocument:
    """One product for the index. Prices are major units of the site's currency; None where there is no rate to it.

    `known_total` is the lowest price with a shipping cost that is told or estimated, `open_price` the lowest whose
    shipping is unknown; with what a shopper assumes for the unknown, the lower of both is the lowest total.
    `unit_price` is for a kilogram or a litre; `drop` a share of the lowest price before.
    """

    product_id: int
    title_words: str
    words: str
    wordings: tuple[str, ...]
    codes: tuple[str, ...]
    brand: str | None
    categories: tuple[str, ...]
    stores: tuple[int, ...]
    conditions: tuple[str, ...]
    attributes: tuple[str, ...]
    is_available: bool
    price: Decimal | None
    known_total: Decimal | None
    open_price: Decimal | None
    unit_price: Decimal | None
    drop: Decimal | None
    store_count: int
    weight: float


def read_documents(
    session: Session, product_ids: Sequence[int], country: str | None = None
) -> list[SearchDocument]:
    """The documents of those of the products that have a current offer, in a constant number of queries.

    Parcels go to that country (None: each store's own).
    """
    products = session.execute(
        text(
            """
            select p.id, p.title, p.brand, p.category, p.category_key, p.gtin, p.mpn, p.store_ids, p.store_count,
                   p.is_available, p.lowest_price, p.lowest_price_currency, d.share as drop_share
            from products p left join price_drops d on d.product_id = p.id and d.price = p.lowest_price
            where p.id = any(cast(:ids as bigint[])) and p.offer_count > 0 and p.lowest_price is not null
            """
        ),
        {"ids": list(product_ids)},
    ).all()
    offers: defaultdict[int, list[Any]] = defaultdict(list)
    for row in session.execute(
        text(
            """
            select o.product_id, o.store_id, o.title, o.gtin, o.mpn, o.sku, o.variant_attributes, o.pack_size,
                   o.price, o.price_currency, o.shipping_cost, o.delivery, o.availability, o.item_condition,
                   o.changed_at
            from offers o where o.product_id = any(cast(:ids as bigint[])) and o.gone_at is null
            order by o.id
            """
        ),
        {"ids": [product.id for product in products]},
    ):
        offers[row.product_id].append(row)
    rates = current_rates(session)
    costs = _Costs(_sellers(session), UnitShipping(country, rates), rates)
    return [_document(product, offers[product.id], costs) for product in products]


@dataclass(frozen=True, slots=True)
class _Costs:
    """What sending costs and what other currencies are worth."""

    sellers: Mapping[int, Seller]
    shipping: UnitShipping
    rates: ExchangeRates


def _sellers(session: Session) -> dict[int, Seller]:
    rows = session.execute(
        text(
            "select id, currency, country, shipping, shipping_by_country, shipping_source, shipping_updated_at"
            " from stores"
        )
    )
    return {row.id: Seller.of(row.id, row) for row in rows}


def _document(product: Any, offers: Sequence[Any], costs: _Costs) -> SearchDocument:
    titles = list(dict.fromkeys([product.title, *(offer.title for offer in offers)]))
    attributes = _attributes(product.title, offers)
    codes = {
        code
        for offer in offers
        for raw in (offer.gtin, offer.mpn, offer.sku)
        if raw and (code := code_of(raw))
    }
    filed, category_names = _filed(product)
    brand = product.brand or ""
    known, unknown = _totals(product, offers, costs)
    factor = costs.rates.factor(product.lowest_price_currency, SITE_CURRENCY)

    def here(amount: Decimal | None) -> Decimal | None:
        return None if amount is None or factor is None else amount * factor

    content = content_of(attributes) if is_sold_by_content(product.category_key) else None
    unit_price = None
    if content:
        pack = Counter(offer.pack_size for offer in offers).most_common(1)[0][0] if offers else 1
        unit_price = product.lowest_price / (content[0] * max(pack, 1))
    return SearchDocument(
        product_id=product.id,
        title_words=" ".join(dict.fromkeys((*words_of(product.title), *words_of(brand)))),
        words=" ".join(
            index_words(
                [
                    product.title,
                    brand,
                    *sorted(codes),
                    *titles[1:],
                    *category_names,
                    *attribute_words(attributes),
                ]
            )
        ),
        wordings=tuple(dict.fromkeys(filter(None, map(whole_wording, titles[:_MOST_WORDINGS])))),
        codes=tuple(sorted(codes)),
        brand=product.brand,
        categories=filed,
        stores=tuple(product.store_ids),
        conditions=tuple(sorted({str(offer.item_condition) for offer in offers} or {str(ItemCondition.NEW)})),
        attributes=tuple(f"{name}:{value}" for name, value in attributes),
        is_available=product.is_available,
        price=here(product.lowest_price),
        known_total=here(known),
        open_price=here(unknown),
        unit_price=here(unit_price),
        drop=product.drop_share,
        store_count=product.store_count,
        # What the fit of the words is multiplied with: a tenth for each doubling of the stores, less where sold out.
        weight=(1 + 0.1 * log2(max(product.store_count, 1))) * (1 if product.is_available else 0.7),
    )


def _attributes(title: str, offers: Sequence[Any]) -> list[tuple[str, str]]:
    """What the variants of the stores say most often, then what the title tells."""
    said: dict[str, Counter[str]] = defaultdict(Counter)
    for offer in offers:
        for name, value in read_attributes("", offer.variant_attributes):
            said[name][value] += 1
    from_stores = {name: min(values, key=lambda one: (-values[one], one)) for name, values in said.items()}
    return read_attributes(title, from_stores)


def _totals(product: Any, offers: Iterable[Any], costs: _Costs) -> tuple[Decimal | None, Decimal | None]:
    """(lowest total with known shipping, lowest price with unknown shipping) of what can be bought, else of all."""
    counted = [
        (offer, DeliveryTerms.read(offer.delivery))
        for offer in offers
        if offer.price_currency == product.lowest_price_currency
        and not (product.is_available and not _CAN_BE_BOUGHT.get(offer.availability or "InStock", True))
    ]
    weights = [delivery.weight for _, delivery in counted if delivery.weight is not None]
    usual_weight = median(weights) if weights else None
    known: list[Decimal] = []
    unknown: list[Decimal] = []
    for offer, delivery in counted:
        said = SaidByOffer(delivery=delivery, shipping_cost=offer.shipping_cost, checked_at=offer.changed_at)
        asked = Money(offer.price, offer.price_currency)
        estimate = costs.shipping.estimate(costs.sellers[offer.store_id], asked, said, usual_weight)
        if estimate is None:
            unknown.append(offer.price)
        else:
            known.append(offer.price + estimate.cost.amount)
    return min(known, default=None), min(unknown, default=None)


def _filed(product: Any) -> tuple[tuple[str, ...], list[str]]:
    """(keys of its category and the department above it, what both are called in any language)."""
    category = categories().get(product.category_key)
    if category is None:
        path = product.category
        return ((path,), [path]) if path else ((), [])
    names = [] if category.key == OTHER else list(category.names.values())
    return ((category.parent, category.key) if category.parent else (category.key,)), names
