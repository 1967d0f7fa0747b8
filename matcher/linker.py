"""Linking the catalogue's pending offers: read, compare outside any transaction, write what still holds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy.orm import Session, sessionmaker

from aggregator.catalog.locks import lock_catalogue
from aggregator.catalog.match_links import MatchLink, OfferRelation, keep_links
from aggregator.catalog.matches import still_current, take_up_verdicts
from aggregator.catalog.products import OfferGroup, assign_offers, offers_of_products
from matcher.candidates import LinkingWork, read_work
from matcher.catalogue_index import IndexPlace, link_by_index
from matcher.engines.local import Link, LinkResult, link_records
from matcher.model import MatchModel


@dataclass(frozen=True, slots=True)
class LinkReport:
    """What a linking did: offers that have a product now, pairs left to a person, products made."""

    linked: int
    doubtful: int
    products: int


def link_pending_offers(
    sessions: sessionmaker[Session], model: MatchModel | None = None, *, index: IndexPlace | None = None
) -> LinkReport:
    """Link everything that is pending now, and what people's words since the last time concern.

    Safe at any time and from several processes. The comparing holds no lock. What changed meanwhile, or was
    linked by another process, stays pending or as it is, and the next linking sees it. With an `index` a big
    catalogue is not read and compared whole each time.
    """
    model = model or MatchModel.load()
    with sessions.begin() as session:
        take_up_verdicts(session)
    with sessions.begin() as session:
        by_index = index if index is not None and index.is_worthwhile(session) else None
    found = link_by_index(sessions, by_index, model) if by_index else _link_whole(sessions, model)
    if found is None:
        return LinkReport(0, 0, 0)
    with sessions.begin() as session:
        return _write(session, *found, model.version)


def _link_whole(sessions: sessionmaker[Session], model: MatchModel) -> tuple[LinkingWork, LinkResult] | None:
    with sessions.begin() as session:
        work = read_work(session)
    return None if work is None else (work, link_records(work.existing, work.pending, model, work.verdicts))


def _write(session: Session, work: LinkingWork, result: LinkResult, model_version: str) -> LinkReport:
    lock_catalogue(session)
    writable = still_current(session, work.read_as, pending_only=True)
    members: defaultdict[str, list[int]] = defaultdict(list)
    for offer_id, key in result.assignments.items():
        if int(offer_id) in writable:
            members[key].append(int(offer_id))
    moved = offers_of_products(session, [int(key) for key in result.joined])
    for old, new in result.joined.items():
        members[new] += moved[int(old)]
    groups = [
        OfferGroup(tuple(sorted(offer_ids)), None if key in result.new_clusters else int(key))
        for key, offer_ids in sorted(members.items())
    ]
    assignment = assign_offers(session, groups, reason="matched")
    placed = {offer_id for group in groups for offer_id in group.offer_ids}
    doubtful = keep_evidence(session, result, placed, compared=writable, model_version=model_version)
    return LinkReport(len(writable), doubtful, assignment.new_products)


def keep_evidence(
    session: Session,
    result: LinkResult,
    placed: Collection[int],
    *,
    compared: Collection[int],
    model_version: str,
) -> int:
    """Store links, doubtful pairs and relations of the offers that were placed; how many pairs are doubtful."""
    links = [
        _stored(link)
        for link in (*result.links, *result.doubtful)
        if int(link.offer_id) in placed or int(link.other_offer_id) in placed
    ]
    relations = [
        OfferRelation(int(one.offer_id), int(one.other_offer_id), one.kind.value)
        for one in result.relations
        if int(one.offer_id) in placed or int(one.other_offer_id) in placed
    ]
    keep_links(session, links, compared=sorted(compared), model_version=model_version, relations=relations)
    return sum(link.outcome == "doubtful" for link in links)


def _stored(link: Link) -> MatchLink:
    return MatchLink(
        offer_id=int(link.offer_id),
        other_offer_id=int(link.other_offer_id),
        probability=link.probability,
        outcome=link.outcome.value,
        evidence=link.evidence,
    )
