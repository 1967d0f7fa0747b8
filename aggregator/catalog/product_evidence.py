"""Why a product's offers are one product, what belongs to it without being it, and what may be the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.orm import Session

from aggregator.catalog.product_cards import CARD_COLUMNS, product_card, product_slug
from aggregator.domain.money import Money
from aggregator.domain.products import (
    DoubtfulView,
    Evidence,
    LinkView,
    RelatedView,
    Relationship,
    VariantView,
)

_MOST_VARIANTS = 60
_MOST_RELATED = 24
_MOST_DOUBTFUL = 12
# What the other product is to this one, by the relation's kind: where this one is the plain one, and where not.
_FORWARD: dict[str, Relationship] = {
    "multipack": "multipack",
    "case": "case",
    "bundle": "bundle",
    "refurbished": "refurbished",
    "accessory": "accessory",
}
_BACKWARD: dict[str, Relationship] = {
    "multipack": "single",
    "case": "single",
    "bundle": "contained",
    "refurbished": "new",
    "accessory": "main_product",
}


def offer_links(session: Session, offer_ids: Sequence[int]) -> defaultdict[int, list[LinkView]]:
    """The links of each of these offers, the surest first; a person's word with who said it and when."""
    rows = session.execute(
        text(
            """
            select l.offer_id, l.probability, l.evidence, o.title, s.name, v.created_at as said_at, a.email as said_by
            from match_links l
            join offers o on o.id = l.other_offer_id join stores s on s.id = o.store_id
            left join match_verdicts v
                on v.left_offer_id = least(l.offer_id, l.other_offer_id)
               and v.right_offer_id = greatest(l.offer_id, l.other_offer_id)
               and v.withdrawn_at is null and v.verdict = 'same'
            left join accounts a on a.id = v.account_id
            where l.offer_id = any(cast(:offers as bigint[])) and l.outcome = 'merged'
            order by l.probability desc, l.id
            """
        ),
        {"offers": list(offer_ids)},
    )
    links: defaultdict[int, list[LinkView]] = defaultdict(list)
    for row in rows:
        links[row.offer_id].append(
            LinkView(
                other_title=row.title,
                other_store=row.name,
                probability=row.probability,
                evidence=_evidence(row.evidence),
                said_at=row.said_at,
                said_by=row.said_by,
            )
        )
    return links


def product_variants(session: Session, product_id: int, offer_ids: Sequence[int]) -> tuple[VariantView, ...]:
    """The other products of its group: a store lists them as one article, or matcher or a person said so."""
    rows = session.execute(
        text(
            f"""
            with own as (select id, store_id, item_group_id from offers where id = any(cast(:offers as bigint[]))),
            kin as (
                select o.id from own join offers o on o.store_id = own.store_id and o.item_group_id = own.item_group_id
                where own.item_group_id is not null and o.item_group_id is not null
                union
                select r.other_offer_id from own join offer_relations r on r.offer_id = own.id and r.kind = 'variant'
                union
                select r.offer_id from own join offer_relations r on r.other_offer_id = own.id and r.kind = 'variant'
                union
                select v.right_offer_id from own join match_verdicts v on v.left_offer_id = own.id
                where v.verdict = 'variant' and v.withdrawn_at is null
                union
                select v.left_offer_id from own join match_verdicts v on v.right_offer_id = own.id
                where v.verdict = 'variant' and v.withdrawn_at is null
            )
            select distinct on (p.id) {CARD_COLUMNS}, o.variant_attributes
            from kin join offers o on o.id = kin.id join products p on p.id = o.product_id
            where p.id <> :product and o.gone_at is null and p.offer_count > 0
            order by p.id, o.variant_attributes = '{{}}'::jsonb, o.id limit :limit
            """
        ),
        {"offers": list(offer_ids), "product": product_id, "limit": _MOST_VARIANTS},
    ).mappings()
    return tuple(_variant(row) for row in rows)


def related_products(session: Session, product_id: int, offer_ids: Sequence[int]) -> tuple[RelatedView, ...]:
    """Multipacks, cases, bundles, refurbished ones and accessories of this product, or what it is such a one of."""
    rows = session.execute(
        text(
            f"""
            with kin as (
                select other_offer_id as id, kind, true as is_forward from offer_relations
                where offer_id = any(cast(:offers as bigint[])) and kind <> 'variant'
                union
                select offer_id, kind, false from offer_relations
                where other_offer_id = any(cast(:offers as bigint[])) and kind <> 'variant'
            )
            select distinct on (kin.kind, kin.is_forward, p.id) {CARD_COLUMNS}, kin.kind, kin.is_forward
            from kin join offers o on o.id = kin.id join products p on p.id = o.product_id
            where p.id <> :product and o.gone_at is null and p.offer_count > 0
            order by kin.kind, kin.is_forward, p.id limit :limit
            """
        ),
        {"offers": list(offer_ids), "product": product_id, "limit": _MOST_RELATED},
    ).mappings()
    views = []
    for row in rows:
        card = product_card(row)
        views.append(
            RelatedView(
                how=(_FORWARD if row["is_forward"] else _BACKWARD)[row["kind"]],
                id=card.id,
                slug=card.slug,
                title=card.title,
                lowest_price=card.lowest_price,
            )
        )
    return tuple(views)


def doubtful_products(
    session: Session, product_id: int, offer_ids: Sequence[int]
) -> tuple[DoubtfulView, ...]:
    """Products that may be the same and wait for a person's word, the likeliest first."""
    rows = session.execute(
        text(
            """
            with asked as (
                select public_id, probability, evidence, left_offer_id as own_id, right_offer_id as other_id
                from match_reviews where settled_at is null and left_offer_id = any(cast(:offers as bigint[]))
                union all
                select public_id, probability, evidence, right_offer_id, left_offer_id
                from match_reviews where settled_at is null and right_offer_id = any(cast(:offers as bigint[]))
            )
            select r.public_id as review_id, r.probability, r.evidence, p.public_id, p.title as product_title,
                   own.title as own_title, own_store.name as own_store, o.title as other_title, s.name as other_store,
                   o.price, o.price_currency
            from asked r
            join offers own on own.id = r.own_id join stores own_store on own_store.id = own.store_id
            join offers o on o.id = r.other_id join stores s on s.id = o.store_id
            join products p on p.id = o.product_id
            where p.id <> :product and o.gone_at is null and r.evidence <> '[]'::jsonb
            order by r.probability desc, r.public_id limit :limit
            """
        ),
        {"offers": list(offer_ids), "product": product_id, "limit": _MOST_DOUBTFUL},
    )
    return tuple(
        DoubtfulView(
            review_id=row.review_id,
            id=row.public_id,
            slug=product_slug(row.product_title),
            own_title=row.own_title,
            own_store=row.own_store,
            other_title=row.other_title,
            other_store=row.other_store,
            price=Money(row.price, row.price_currency).rounded(),
            probability=row.probability,
            evidence=_evidence(row.evidence),
        )
        for row in rows
    )


def _variant(row: RowMapping) -> VariantView:
    card = product_card(row)
    return VariantView(
        id=card.id,
        slug=card.slug,
        title=card.title,
        attributes=tuple(row["variant_attributes"].items()),
        lowest_price=card.lowest_price,
    )


def _evidence(stored: list[dict[str, Any]]) -> tuple[Evidence, ...]:
    return tuple(Evidence(**item) for item in stored)
