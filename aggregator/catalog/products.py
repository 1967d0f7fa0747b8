"""Products are made here: offers are assigned to them, with the evidence, and they are named after their offers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import Any

from sqlalchemy import ARRAY, BigInteger, CollectionAggregate, any_, insert, literal, select, text
from sqlalchemy.orm import Session

from aggregator.catalog.product_choice import OfferGroup, Plan, plan_assignment
from aggregator.catalog.product_summaries import refresh_products
from aggregator.catalog.taxonomy import category_rules
from aggregator.db.copy import copy_rows
from aggregator.db.models import OfferRow, ProductRow
from aggregator.domain.identifiers import new_public_id
from aggregator.domain.search_words import search_vector
from aggregator.domain.taxonomy import category_of

__all__ = ["Assignment", "OfferGroup", "assign_offers", "describe_products", "offers_of_products"]

_TELLS_THE_PLANNER = 5_000
# Products described at a time: enough to be quick, few enough to be held in memory.
_DESCRIBED_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class Assignment:
    """What an assignment did: how many offers have a product now, how many products were made."""

    offers: int
    new_products: int


def assign_offers(
    session: Session, groups: Sequence[OfferGroup], *, reason: str, now: datetime | None = None
) -> Assignment:
    """Put each group's offers into its product, keep the history, and describe every product touched anew.

    Which product a group without one gets is `plan_assignment`'s to say. A product that is left without a
    current offer points to where most of its offers went, and those that are gone follow. What is where it
    belongs is not written again.
    """
    if not groups:
        return Assignment(0, 0)
    now = now or datetime.now(UTC)
    plan = plan_assignment(session, groups)
    products, made = _with_new_products(session, plan, now)
    places = {
        offer_id: product_id
        for group, product_id in zip(groups, products, strict=True)
        for offer_id in group.offer_ids
        if offer_id in plan.before
    }
    changed = {
        offer_id: product_id
        for offer_id, product_id in places.items()
        if offer_id in plan.pending or plan.before[offer_id] != product_id
    }
    _move(session, plan.before, changed, reason, now)
    if len(changed) > _TELLS_THE_PLANNER:
        # Else the planner takes the products just filled for nearly empty, and compares each with each.
        session.execute(text("analyze offers (product_id)"))
    touched = set(changed.values()) | {plan.before[offer_id] for offer_id in changed}
    touched |= _redirect(session, plan, places, now)
    describe_products(session, sorted(product_id for product_id in touched if product_id is not None))
    return Assignment(len(places), made)


def describe_products(session: Session, product_ids: Sequence[int]) -> None:
    """Name products after their current offers and refresh what search reads of them."""
    for start in range(0, len(product_ids), _DESCRIBED_AT_ONCE):
        _describe(session, product_ids[start : start + _DESCRIBED_AT_ONCE])


def _describe(session: Session, product_ids: Sequence[int]) -> None:
    offers: defaultdict[int, list[Any]] = defaultdict(list)
    rows = session.execute(
        select(
            OfferRow.product_id, OfferRow.title, OfferRow.brand, OfferRow.category, OfferRow.gtin, OfferRow.mpn,
            OfferRow.sku, OfferRow.image_url, OfferRow.item_group_id,
        ).where(OfferRow.product_id == _any_of(product_ids), OfferRow.gone_at.is_(None))
    )  # fmt: skip
    for row in rows:
        offers[row.product_id].append(row)
    rules = category_rules(session)
    described = [(product_id, _description(of_product, rules)) for product_id, of_product in offers.items()]
    columns = (
        "title",
        "brand",
        "category",
        "category_key",
        "gtin",
        "mpn",
        "image_url",
        "item_group_id",
        "search_vector",
    )
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


def _any_of(product_ids: Iterable[int]) -> CollectionAggregate[bool]:
    """The ids as one value: a statement takes no more than 65,535 of them."""
    return any_(literal(list(product_ids), ARRAY(BigInteger)))


def _description(offers: Sequence[Any], rules: Mapping[str, str]) -> dict[str, str | None]:
    titles = sorted({offer.title for offer in offers})
    usual = median(len(title) for title in titles)
    title = min(titles, key=lambda candidate: (abs(len(candidate) - usual), candidate.islower(), candidate))
    brand = _brand(offer.brand for offer in offers)
    gtin = _most_common(offer.gtin for offer in offers)
    category = _most_common(offer.category for offer in offers)
    codes = {code for offer in offers for code in (offer.mpn, offer.sku) if code}
    return {
        "title": title,
        "brand": brand,
        "category": category,
        "category_key": category_of(category, title, rules),
        "gtin": gtin,
        "mpn": _most_common(offer.mpn for offer in offers),
        "image_url": _most_common(offer.image_url for offer in offers),
        "item_group_id": _most_common(offer.item_group_id for offer in offers),
        "search_vector": search_vector(title, brand, gtin, [*sorted(codes), *titles]),
    }


def _brand(spellings: Iterable[str | None]) -> str | None:
    """The brand that most offers name, in the most common of its spellings: "SONY" and "Sony" are one."""
    counted = Counter(spelling for spelling in spellings if spelling)
    key = _most_common(spelling.casefold() for spelling in counted.elements())
    own = [spelling for spelling in counted if spelling.casefold() == key]
    return min(own, key=lambda one: (-counted[one], one.isupper(), one), default=None)


def _most_common(values: Iterable[str | None]) -> str | None:
    counted = Counter(value for value in values if value)
    return min(counted, key=lambda value: (-counted[value], value)) if counted else None


def _with_new_products(session: Session, plan: Plan, now: datetime) -> tuple[list[int], int]:
    """(the product of each group in order, how many were made)."""
    missing = plan.products.count(None)
    if not missing:
        return [product_id for product_id in plan.products if product_id is not None], 0
    new_ids = iter(
        session.scalars(
            insert(ProductRow).returning(ProductRow.id, sort_by_parameter_order=True),
            [{"public_id": new_public_id(), "title": "", "updated_at": now} for _ in range(missing)],
        ).all()
    )
    return [next(new_ids) if product_id is None else product_id for product_id in plan.products], missing


def _move(
    session: Session,
    before: Mapping[int, int | None],
    places: Mapping[int, int],
    reason: str,
    now: datetime,
) -> None:
    session.execute(
        text(
            """
            update offers o set product_id = m.product_id, match_state = 'linked'
            from unnest(cast(:offers as bigint[]), cast(:products as bigint[])) as m(offer_id, product_id)
            where o.id = m.offer_id
            """
        ),
        {"offers": list(places), "products": list(places.values())},
    )
    copy_rows(
        session,
        "offer_products",
        ("offer_id", "assigned_at", "product_id", "reason"),
        (
            (offer_id, now, product_id, reason)
            for offer_id, product_id in places.items()
            if before[offer_id] != product_id
        ),
    )


def _redirect(session: Session, plan: Plan, places: Mapping[int, int], now: datetime) -> set[int]:
    """Let products that lost all their offers point to where these went, and used ones to themselves.

    Offers that are gone follow, so that a product's past prices stay with it, and come back to a product
    that is split off again. Returns the products that such offers left.
    """
    used = set(places.values())
    went: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for offer_id, product_id in places.items():
        old = plan.before[offer_id]
        if old is not None and old in plan.emptied and old not in used:
            went[old][product_id] += 1
    targets = {old: min(to, key=lambda one: (-to[one], one)) for old, to in went.items()}
    revived = session.execute(
        text(
            """
            select p.id, p.merged_into_id from products p
            where p.id = any(cast(:used as bigint[])) and p.merged_into_id is not null
            """
        ),
        {"used": sorted(used)},
    ).all()
    session.execute(
        text(
            """
            update products p set merged_into_id = m.target, updated_at = :now
            from (select unnest(cast(:gone as bigint[])) as id, unnest(cast(:targets as bigint[])) as target
                  union all select unnest(cast(:used as bigint[])), null) m
            where p.id = m.id and p.merged_into_id is distinct from m.target
            """
        ),
        {"gone": list(targets), "targets": list(targets.values()), "used": sorted(used), "now": now},
    )
    rows = session.execute(
        text(
            """
            select o.id, o.product_id, m.target
            from offers o
            join unnest(cast(:gone as bigint[]), cast(:targets as bigint[])) as m(id, target) on o.product_id = m.id
            where o.gone_at is not null
            union all
            select o.id, o.product_id, m.target
            from offers o
            join unnest(cast(:lenders as bigint[]), cast(:revived as bigint[])) as m(id, target) on o.product_id = m.id
            where o.gone_at is not null
              and exists (select from offer_products h where h.offer_id = o.id and h.product_id = m.target)
            """
        ),
        {
            "gone": list(targets),
            "targets": list(targets.values()),
            "lenders": [row.merged_into_id for row in revived],
            "revived": [row.id for row in revived],
        },
    ).all()
    followers = {row.id: row for row in rows if row.id not in places}
    if followers:
        _move(
            session,
            {offer_id: row.product_id for offer_id, row in followers.items()},
            {offer_id: row.target for offer_id, row in followers.items()},
            "followed",
            now,
        )
    return set(targets)


def offers_of_products(session: Session, product_ids: Sequence[int]) -> defaultdict[int, list[int]]:
    """Every current offer of these products, by product."""
    offers: defaultdict[int, list[int]] = defaultdict(list)
    if product_ids:
        rows = session.execute(
            select(OfferRow.product_id, OfferRow.id).where(
                OfferRow.product_id == _any_of(product_ids), OfferRow.gone_at.is_(None)
            )
        )
        for product_id, offer_id in rows:
            offers[product_id or 0].append(offer_id)
    return offers


def name_products(session: Session, product_ids: Iterable[int]) -> dict[int, tuple[str, str]]:
    """(public id, title) of each of these products."""
    rows = session.execute(
        select(ProductRow.id, ProductRow.public_id, ProductRow.title).where(
            ProductRow.id == _any_of(product_ids)
        )
    )
    return {row.id: (row.public_id, row.title) for row in rows}
