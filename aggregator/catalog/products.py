"""Products are made here: offers are assigned to them, with the evidence, and they are named after their offers."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import Any

from sqlalchemy import delete, insert, select, text
from sqlalchemy.orm import Session

from aggregator.catalog.product_summaries import refresh_products
from aggregator.db.copy import copy_rows
from aggregator.db.models import MatchLinkRow, OfferRow, ProductRow
from aggregator.domain.identifiers import new_public_id
from aggregator.domain.products import Evidence
from aggregator.domain.search_words import search_vector


@dataclass(frozen=True, slots=True)
class OfferGroup:
    """Offers that are one product: an existing one, or (None) one to be made for them."""

    offer_ids: tuple[int, ...]
    product_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchLink:
    """Two offers compared: how sure, why, and what follows ("merged" or "doubtful")."""

    offer_id: int
    other_offer_id: int
    probability: float
    outcome: str
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Assignment:
    """What an assignment did: how many offers have a product now, how many products were made."""

    offers: int
    new_products: int


def assign_offers(
    session: Session, groups: Sequence[OfferGroup], *, reason: str, now: datetime | None = None
) -> Assignment:
    """Put each group's offers into its product, keep the history, and describe every product touched anew.

    A group without a product takes over the one that its offers leave empty, so that a product keeps its id
    and address when its only offer is worded anew; otherwise a product is made. A product that is left
    empty points to where its offers went.
    """
    if not groups:
        return Assignment(0, 0)
    now = now or datetime.now(UTC)
    offer_ids = [offer_id for group in groups for offer_id in group.offer_ids]
    before: dict[int, int | None] = {
        row[0]: row[1]
        for row in session.execute(select(OfferRow.id, OfferRow.product_id).where(OfferRow.id.in_(offer_ids)))
    }
    emptied = _emptied_by(session, before)
    products, made = _products_for(session, groups, before, emptied, now)
    moves = [
        (offer_id, product_id)
        for group, product_id in zip(groups, products, strict=True)
        for offer_id in group.offer_ids
        if offer_id in before
    ]
    session.execute(
        text(
            """
            update offers o set product_id = m.product_id, match_state = 'linked'
            from unnest(cast(:offers as bigint[]), cast(:products as bigint[])) as m(offer_id, product_id)
            where o.id = m.offer_id
            """
        ),
        {"offers": [move[0] for move in moves], "products": [move[1] for move in moves]},
    )
    copy_rows(
        session,
        "offer_products",
        ("offer_id", "assigned_at", "product_id", "reason"),
        (
            (offer_id, now, product_id, reason)
            for offer_id, product_id in moves
            if before[offer_id] != product_id
        ),
    )
    touched = {product_id for _, product_id in moves} | {old for old in before.values() if old is not None}
    _redirect(session, {before[offer_id]: product_id for offer_id, product_id in moves}, emptied)
    describe_products(session, sorted(touched))
    return Assignment(len(moves), made)


def keep_links(
    session: Session, links: Iterable[MatchLink], *, compared: Sequence[int], model_version: str
) -> None:
    """Keep the evidence: links replace those of the offers just compared, doubtful pairs wait for a person."""
    links = list(links)
    session.execute(
        delete(MatchLinkRow).where(
            MatchLinkRow.offer_id.in_(compared) | MatchLinkRow.other_offer_id.in_(compared)
        )
    )
    # Both ways, so that each of the two offers says why it is where it is.
    merged = {
        pair: link
        for link in links
        if link.outcome == "merged"
        for pair in ((link.offer_id, link.other_offer_id), (link.other_offer_id, link.offer_id))
    }
    if merged:
        session.execute(
            text(
                """
                insert into match_links (offer_id, other_offer_id, probability, evidence, outcome, model_version)
                select l.*, 'merged', :version
                from unnest(cast(:offers as bigint[]), cast(:others as bigint[]),
                            cast(:probabilities as float8[]), cast(:evidence as jsonb[])) as l
                on conflict (offer_id, other_offer_id) do update
                set probability = excluded.probability, evidence = excluded.evidence,
                    outcome = excluded.outcome, model_version = excluded.model_version, created_at = now()
                """
            ),
            {
                "offers": [offer for offer, _ in merged],
                "others": [other for _, other in merged],
                "probabilities": [link.probability for link in merged.values()],
                "evidence": [_dumped(evidence_json(link.evidence)) for link in merged.values()],
                "version": model_version,
            },
        )
    doubtful = {
        (min(link.offer_id, link.other_offer_id), max(link.offer_id, link.other_offer_id)): link
        for link in links
        if link.outcome == "doubtful"
    }
    if doubtful:
        session.execute(
            text(
                """
                insert into match_reviews (public_id, left_offer_id, right_offer_id, probability, evidence)
                select * from unnest(cast(:ids as text[]), cast(:lefts as bigint[]), cast(:rights as bigint[]),
                                     cast(:probabilities as float8[]), cast(:evidence as jsonb[]))
                on conflict (left_offer_id, right_offer_id) do update
                set probability = excluded.probability, evidence = excluded.evidence
                where match_reviews.settled_at is null
                """
            ),
            {
                "ids": [new_public_id() for _ in doubtful],
                "lefts": [left for left, _ in doubtful],
                "rights": [right for _, right in doubtful],
                "probabilities": [link.probability for link in doubtful.values()],
                "evidence": [_dumped(evidence_json(link.evidence)) for link in doubtful.values()],
            },
        )


def evidence_json(evidence: Iterable[Evidence]) -> list[dict[str, Any]]:
    """The evidence as it is stored."""
    return [
        {"comparison": item.comparison, "level": item.level, "weight": item.weight, "sentence": item.sentence}
        for item in evidence
    ]


def describe_products(session: Session, product_ids: Sequence[int]) -> None:
    """Name products after their current offers and refresh what search reads of them."""
    if not product_ids:
        return
    offers: defaultdict[int, list[Any]] = defaultdict(list)
    rows = session.execute(
        select(
            OfferRow.product_id, OfferRow.title, OfferRow.brand, OfferRow.category, OfferRow.gtin, OfferRow.mpn,
            OfferRow.sku, OfferRow.image_url, OfferRow.item_group_id,
        ).where(OfferRow.product_id.in_(product_ids), OfferRow.gone_at.is_(None))
    )  # fmt: skip
    for row in rows:
        offers[row.product_id].append(row)
    described = [(product_id, _description(of_product)) for product_id, of_product in offers.items()]
    columns = ("title", "brand", "category", "gtin", "mpn", "image_url", "item_group_id", "search_vector")
    session.execute(
        text(
            f"""
            update products p
            set {", ".join(f"{name} = d.{name}" for name in columns[:-1])},
                search_vector = cast(d.search_vector as tsvector)
            from unnest(cast(:id as bigint[]), {", ".join(f"cast(:{name} as text[])" for name in columns)})
                as d(id, {", ".join(columns)})
            where p.id = d.id
            """
        ),
        {
            "id": [product_id for product_id, _ in described],
            **{name: [description[name] for _, description in described] for name in columns},
        },
    )
    refresh_products(session, product_ids)


def _description(offers: Sequence[Any]) -> dict[str, str | None]:
    titles = sorted({offer.title for offer in offers})
    usual = median(len(title) for title in titles)
    title = min(titles, key=lambda candidate: (abs(len(candidate) - usual), candidate.islower(), candidate))
    brand = _most_common(offer.brand for offer in offers)
    gtin = _most_common(offer.gtin for offer in offers)
    codes = {code for offer in offers for code in (offer.mpn, offer.sku) if code}
    return {
        "title": title,
        "brand": brand,
        "category": _most_common(offer.category for offer in offers),
        "gtin": gtin,
        "mpn": _most_common(offer.mpn for offer in offers),
        "image_url": _most_common(offer.image_url for offer in offers),
        "item_group_id": _most_common(offer.item_group_id for offer in offers),
        "search_vector": search_vector(title, brand, gtin, [*sorted(codes), *titles]),
    }


def _most_common(values: Iterable[str | None]) -> str | None:
    counted = Counter(value for value in values if value)
    return min(counted, key=lambda value: (-counted[value], value)) if counted else None


def _emptied_by(session: Session, before: Mapping[int, int | None]) -> set[int]:
    """Products that have no offers but those about to be assigned."""
    old = {product_id for product_id in before.values() if product_id is not None}
    if not old:
        return set()
    staying = session.scalars(
        select(OfferRow.product_id)
        .where(OfferRow.product_id.in_(old), OfferRow.id.not_in(before.keys()))
        .distinct()
    )
    return old - set(staying)


def _products_for(
    session: Session,
    groups: Sequence[OfferGroup],
    before: Mapping[int, int | None],
    emptied: set[int],
    now: datetime,
) -> tuple[list[int], int]:
    """(the product of each group in order, how many were made)."""
    taken: set[int] = {group.product_id for group in groups if group.product_id is not None}
    products: list[int | None] = []
    for group in groups:
        product_id = group.product_id
        if product_id is None:
            own = Counter(before.get(offer_id) for offer_id in group.offer_ids)
            free = [old for old in own if old is not None and old in emptied and old not in taken]
            product_id = min(free, key=lambda old: (-own[old], old)) if free else None
            if product_id is not None:
                taken.add(product_id)
        products.append(product_id)
    missing = products.count(None)
    if missing:
        new_ids = iter(
            session.scalars(
                insert(ProductRow).returning(ProductRow.id, sort_by_parameter_order=True),
                [{"public_id": new_public_id(), "title": "", "updated_at": now} for _ in range(missing)],
            ).all()
        )
        products = [next(new_ids) if product_id is None else product_id for product_id in products]
    return [product_id for product_id in products if product_id is not None], missing


def _redirect(session: Session, moved_to: Mapping[int | None, int], emptied: set[int]) -> None:
    """Let products that lost all their offers point to where these went, and used ones to themselves."""
    gone = {old: new for old, new in moved_to.items() if old in emptied and old not in moved_to.values()}
    session.execute(
        text(
            """
            update products p set merged_into_id = m.target, updated_at = :now
            from (select unnest(cast(:gone as bigint[])) as id, unnest(cast(:targets as bigint[])) as target
                  union all select unnest(cast(:used as bigint[])), null) m
            where p.id = m.id and p.merged_into_id is distinct from m.target
            """
        ),
        {
            "gone": list(gone),
            "targets": list(gone.values()),
            "used": sorted(set(moved_to.values())),
            "now": datetime.now(UTC),
        },
    )


def _dumped(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False)


def offers_of_products(session: Session, product_ids: Sequence[int]) -> defaultdict[int, list[int]]:
    """Every offer of these products, gone ones too, by product."""
    offers: defaultdict[int, list[int]] = defaultdict(list)
    if product_ids:
        rows = session.execute(
            select(OfferRow.product_id, OfferRow.id).where(OfferRow.product_id.in_(product_ids))
        )
        for product_id, offer_id in rows:
            offers[product_id or 0].append(offer_id)
    return offers
