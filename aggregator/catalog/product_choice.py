"""Which product a group of offers gets, so that products keep their ids and addresses through merges and splits."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class OfferGroup:
    """Offers that are one product: an existing one, or (None) one that has to be chosen or made for them."""

    offer_ids: tuple[int, ...]
    product_id: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The product of each group in order (None: to be made), and where the offers are now.

    `before` holds the offers that exist, `pending` those among them that wait for the matcher, `emptied` the
    products that have no current offers but these.
    """

    products: list[int | None]
    before: Mapping[int, int | None]
    pending: frozenset[int]
    emptied: frozenset[int]


def plan_assignment(session: Session, groups: Sequence[OfferGroup]) -> Plan:
    """Choose a product for each group; nothing is written.

    A group takes over the product that most of its offers are in, if these groups hold all current offers
    of that product. Where two groups want the same one, it goes to the larger part, then to the offers that
    were its first. A group that went short gets back a product that its offers belonged to earlier and that
    stands empty now. Only then a product is made.
    """
    offer_ids = [offer_id for group in groups for offer_id in group.offer_ids]
    before, pending = _places(session, offer_ids)
    emptied = _emptied_by(session, before)
    products: list[int | None] = [group.product_id for group in groups]
    taken = {product_id for product_id in products if product_id is not None}
    wanted: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for index, group in enumerate(groups):
        if group.product_id is None:
            for offer_id in group.offer_ids:
                old = before.get(offer_id)
                if old is not None and old in emptied and old not in taken:
                    wanted[old][index] += 1
    contested = [index for claims in wanted.values() if len(claims) > 1 for index in claims]
    homes = _first_products(
        session, (offer_id for index in contested for offer_id in groups[index].offer_ids)
    )
    ranked = sorted(
        (
            (-count, -sum(homes.get(offer_id) == old for offer_id in groups[index].offer_ids), old, index)
            for old, claims in wanted.items()
            for index, count in claims.items()
        )
    )
    for _, _, old, index in ranked:
        if products[index] is None and old not in taken:
            products[index] = old
            taken.add(old)
    _take_back(session, groups, products, before, taken)
    return Plan(products, before, pending, emptied)


def _places(session: Session, offer_ids: Sequence[int]) -> tuple[dict[int, int | None], frozenset[int]]:
    rows = session.execute(
        text("select id, product_id, match_state from offers where id = any(cast(:offers as bigint[]))"),
        {"offers": list(offer_ids)},
    ).all()
    return {row.id: row.product_id for row in rows}, frozenset(
        row.id for row in rows if row.match_state == "pending"
    )


def _emptied_by(session: Session, before: Mapping[int, int | None]) -> frozenset[int]:
    """Products that have no current offers but those about to be assigned."""
    old = {product_id for product_id in before.values() if product_id is not None}
    if not old:
        return frozenset()
    staying = session.scalars(
        text(
            """
            select distinct o.product_id from offers o
            where o.product_id = any(cast(:products as bigint[])) and o.gone_at is null
              and not exists (select from unnest(cast(:offers as bigint[])) as given(id) where given.id = o.id)
            """
        ),
        {"products": sorted(old), "offers": list(before)},
    )
    return frozenset(old - set(staying))


def _first_products(session: Session, offer_ids: Iterable[int]) -> dict[int, int]:
    """The product that each offer was in first."""
    wanted = list(offer_ids)
    if not wanted:
        return {}
    rows = session.execute(
        text(
            """
            select distinct on (offer_id) offer_id, product_id from offer_products
            where offer_id = any(cast(:offers as bigint[])) order by offer_id, assigned_at
            """
        ),
        {"offers": wanted},
    )
    return {row.offer_id: row.product_id for row in rows}


def _take_back(
    session: Session,
    groups: Sequence[OfferGroup],
    products: list[int | None],
    before: Mapping[int, int | None],
    taken: set[int],
) -> None:
    """Fill in products that the groups without one belonged to earlier and that have no current offer now."""
    index_of = {
        offer_id: index
        for index, group in enumerate(groups)
        if products[index] is None
        for offer_id in group.offer_ids
        if before.get(offer_id) is not None
    }
    if not index_of:
        return
    rows = session.execute(
        text(
            """
            select h.offer_id, h.product_id, max(h.assigned_at) as latest
            from offer_products h
            where h.offer_id = any(cast(:offers as bigint[]))
              and not exists (select from offers o where o.product_id = h.product_id and o.gone_at is null)
            group by h.offer_id, h.product_id
            """
        ),
        {"offers": list(index_of)},
    ).all()
    counts: Counter[tuple[int, int]] = Counter()
    latest: dict[tuple[int, int], float] = {}
    for row in rows:
        claim = (index_of[row.offer_id], row.product_id)
        counts[claim] += 1
        latest[claim] = max(latest.get(claim, 0.0), row.latest.timestamp())
    for index, product_id in sorted(counts, key=lambda one: (-counts[one], -latest[one], one)):
        if products[index] is None and product_id not in taken:
            products[index] = product_id
            taken.add(product_id)
