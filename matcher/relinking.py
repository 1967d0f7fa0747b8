"""The whole catalogue linked anew, as if for the first time; a dry run says what would change."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session, sessionmaker

from aggregator.catalog.locks import lock_catalogue
from aggregator.catalog.matches import linking_turn, still_current, take_up_verdicts
from aggregator.catalog.product_choice import Plan, plan_assignment
from aggregator.catalog.products import OfferGroup, assign_offers, name_products
from aggregator.domain.errors import Conflict
from matcher.candidates import LinkingWork, read_whole_catalogue
from matcher.engines.local import LinkResult, link_records
from matcher.linker import keep_evidence
from matcher.model import MatchModel

_SAMPLE = 20


@dataclass(frozen=True, slots=True)
class Change:
    """One change to products: the others merge into the first, the first is split, or offers move to the first.

    `kind` is "merge", "split" or "move". `products` are public ids with titles; one that is not there yet
    has the id "new".
    """

    kind: str
    offers: int
    products: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far what stands agrees with a full linking, by pairs of offers in one product.

    `precision`: of the pairs that are one product now, the share that a full linking would make too;
    `recall`: of those that a full linking makes, the share that is there now.
    """

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True)
class RelinkReport:
    """What a full linking changed, or would change.

    `merged` counts products that go up in another one, `split` those whose offers part, `moved` the offers
    that change their product, `new` the products to be made. `drift` compares what stood before with it.
    """

    dry_run: bool
    offers: int
    products_before: int
    products_after: int
    merged: int
    split: int
    moved: int
    new: int
    doubtful: int
    drift: Agreement
    sample: tuple[Change, ...]


def relink_catalogue(
    sessions: sessionmaker[Session], *, dry_run: bool, model: MatchModel | None = None
) -> RelinkReport:
    """Compare all current offers anew and put every one where it belongs, in one transaction.

    Products keep their ids by the offers that they share with the groups found. What changes while it is
    compared stays as it is and is pending. Raises Conflict while another process links.
    """
    with linking_turn(sessions) as is_ours:
        if not is_ours:
            raise Conflict("offers are being linked right now; try again when that is done")
        with sessions.begin() as session:
            work = read_whole_catalogue(session)
        model = model or MatchModel.load()
        result = link_records((), work.pending, model, work.verdicts)
        with sessions.begin() as session:
            if not dry_run:
                take_up_verdicts(session)
                lock_catalogue(session)
            return _settle(session, work, result, model.version, dry_run=dry_run)


def _settle(
    session: Session, work: LinkingWork, result: LinkResult, model_version: str, *, dry_run: bool
) -> RelinkReport:
    writable = still_current(session, work.read_as, pending_only=False)
    members: defaultdict[str, list[int]] = defaultdict(list)
    for offer_id, key in result.assignments.items():
        if int(offer_id) in writable:
            members[key].append(int(offer_id))
    groups = [OfferGroup(tuple(sorted(offer_ids))) for _, offer_ids in sorted(members.items())]
    plan = plan_assignment(session, groups)
    report = _report(session, groups, plan, doubtful=len(result.doubtful), dry_run=dry_run)
    if not dry_run:
        assign_offers(session, groups, reason="relinked")
        keep_evidence(session, result, writable, compared=writable, model_version=model_version)
    return report


def _report(
    session: Session, groups: Sequence[OfferGroup], plan: Plan, *, doubtful: int, dry_run: bool
) -> RelinkReport:
    kept = {product_id for product_id in plan.products if product_id is not None}
    parts: defaultdict[int, set[int]] = defaultdict(set)
    moved: list[tuple[int, int]] = []
    sources: list[tuple[int, list[int]]] = []
    for index, group in enumerate(groups):
        origins: Counter[int] = Counter()
        for offer_id in group.offer_ids:
            old = plan.before[offer_id]
            if old is not None:
                parts[old].add(index)
                origins[old] += 1
        moved += [
            (old, index)
            for old, count in origins.items()
            if old != plan.products[index]
            for _ in range(count)
        ]
        if len(origins) > 1:
            sources.append((index, sorted(origins, key=lambda old: (-origins[old], old))))
    gone = plan.emptied - kept
    split = sorted(old for old, indexes in parts.items() if len(indexes) > 1)
    changes = _changes(groups, plan, parts, sources, gone, split)
    return RelinkReport(
        dry_run=dry_run,
        offers=len(plan.before),
        products_before=len(parts),
        products_after=len(groups),
        merged=len(gone),
        split=len(split),
        moved=len(moved),
        new=plan.products.count(None),
        doubtful=doubtful,
        drift=agreement(plan.before, groups),
        sample=_named(session, changes),
    )


def agreement(before: Mapping[int, int | None], groups: Iterable[OfferGroup]) -> Agreement:
    """Pairwise agreement of two partitions; offers without a product count as products of their own."""
    stood = Counter(product_id for product_id in before.values() if product_id is not None)
    now = common = 0
    for group in groups:
        together = Counter(before[offer_id] for offer_id in group.offer_ids)
        now += _pairs(len(group.offer_ids))
        common += sum(_pairs(count) for old, count in together.items() if old is not None)
    then = sum(map(_pairs, stood.values()))
    precision = common / then if then else 1.0
    recall = common / now if now else 1.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return Agreement(round(precision, 6), round(recall, 6), round(f1, 6))


def _pairs(count: int) -> int:
    return count * (count - 1) // 2


def _changes(
    groups: Sequence[OfferGroup],
    plan: Plan,
    parts: Mapping[int, set[int]],
    sources: Iterable[tuple[int, list[int]]],
    gone: frozenset[int],
    split: Iterable[int],
) -> list[tuple[str, int, list[int | None]]]:
    """A sample of (kind, offers concerned, products), the biggest first."""
    found: list[tuple[str, int, list[int | None]]] = []
    for old in split:
        indexes = sorted(parts[old])
        offers = sum(
            plan.before[offer_id] == old for index in indexes for offer_id in groups[index].offer_ids
        )
        others = [plan.products[index] for index in indexes if plan.products[index] != old]
        found.append(("split", offers, [old, *others]))
    for index, origins in sources:
        if any(old in gone for old in origins):
            others = [old for old in origins if old != plan.products[index]]
            found.append(("merge", len(groups[index].offer_ids), [plan.products[index], *others]))
        else:
            found.append(("move", len(groups[index].offer_ids), [plan.products[index], *origins]))
    found.sort(key=lambda change: -change[1])
    return found[:_SAMPLE]


def _named(session: Session, changes: Iterable[tuple[str, int, list[int | None]]]) -> tuple[Change, ...]:
    changes = list(changes)
    names = name_products(
        session,
        {product_id for _, _, products in changes for product_id in products if product_id is not None},
    )
    return tuple(
        Change(
            kind,
            offers,
            tuple(("new", "") if product_id is None else names[product_id] for product_id in products),
        )
        for kind, offers, products in changes
    )
