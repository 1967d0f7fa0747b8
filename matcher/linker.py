"""Linking the catalogue's pending offers: read, compare outside any transaction, write what still holds."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy.orm import Session, sessionmaker

from aggregator.catalog.locks import lock_catalogue
from aggregator.catalog.matches import still_pending
from aggregator.catalog.products import MatchLink, OfferGroup, assign_offers, keep_links, offers_of_products
from matcher.candidates import LinkingWork, read_work
from matcher.engines.local import Link, LinkResult, link_records
from matcher.model import MatchModel


@dataclass(frozen=True, slots=True)
class LinkReport:
    """What a linking did: offers that have a product now, pairs left to a person, products made."""

    linked: int
    doubtful: int
    products: int


def link_pending_offers(sessions: sessionmaker[Session], model: MatchModel | None = None) -> LinkReport:
    """Link everything that is pending now. Safe at any time and from several processes.

    The comparing holds no lock. What changed meanwhile, or was linked by another process, stays pending or
    as it is, and the next linking sees it.
    """
    with sessions.begin() as session:
        work = read_work(session)
    if work is None:
        return LinkReport(0, 0, 0)
    result = link_records(work.existing, work.pending, model or MatchModel.load(), work.verdicts)
    with sessions.begin() as session:
        return _write(session, work, result)


def _write(session: Session, work: LinkingWork, result: LinkResult) -> LinkReport:
    lock_catalogue(session)
    writable = still_pending(session, work.read_as)
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
    links = [
        _stored(link)
        for link in (*result.links, *result.doubtful)
        if int(link.offer_id) in placed or int(link.other_offer_id) in placed
    ]
    version = result.links[0].model_version if result.links else ""
    keep_links(session, links, compared=sorted(writable), model_version=version)
    return LinkReport(
        len(writable), sum(link.outcome == "doubtful" for link in links), assignment.new_products
    )


def _stored(link: Link) -> MatchLink:
    return MatchLink(
        offer_id=int(link.offer_id),
        other_offer_id=int(link.other_offer_id),
        probability=link.probability,
        outcome=link.outcome.value,
        evidence=link.evidence,
    )
