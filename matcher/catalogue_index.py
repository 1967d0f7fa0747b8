"""A big catalogue linked by its index on disk, which is kept in step with the database and made anew when outgrown."""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session, sessionmaker

from aggregator.domain.errors import InvalidInput
from matcher.candidates import (
    LinkingWork,
    count_linked,
    read_changes,
    read_named,
    read_records,
    read_work,
)
from matcher.engines.local import (
    LinkResult,
    Scoring,
    link_result,
    partition,
    score_candidates,
    without_parted,
)
from matcher.incremental import build_index, link_new, seen_beside
from matcher.index import CatalogueIndex
from matcher.model import MatchModel
from matcher.preparation import prepare

log = logging.getLogger("click2cart.matching")

# Where more has changed than this share of what the index was made of, its statistics are old and a full
# comparison costs little more.
_OUTGROWN = 0.5
# Every increment is a segment of its own, and each is searched.
_MOST_SEGMENTS = 200


@dataclass(frozen=True, slots=True)
class IndexPlace:
    """Where the index is kept, and from how many linked offers on it is worth keeping."""

    folder: Path
    least_offers: int = 20_000

    def is_worthwhile(self, session: Session) -> bool:
        """Whether the catalogue is so big that comparing it whole for a few new offers would take long."""
        return count_linked(session) >= self.least_offers


def link_by_index(
    sessions: sessionmaker[Session], place: IndexPlace, model: MatchModel
) -> tuple[LinkingWork, LinkResult] | None:
    """Compare what is pending with the index, without reading the rest of the catalogue; None if nothing is.

    The database says which offers there are and in which products; the index only knows what they look like.
    One process at a time works on an index; it is derived, and where it cannot be used it is made anew.
    """
    place.folder.mkdir(parents=True, exist_ok=True)
    with _alone(place.folder):
        with sessions.begin() as session:
            changes = read_changes(session)
        if changes is None:
            return None
        work, keys = changes
        index = _open(place.folder, model, len(keys), len(work.pending))
        if index is None:
            return _link_anew(sessions, place.folder, model)
        waiting = {record.offer_id for record in work.pending}
        gone = [offer_id for offer_id in index.rows if offer_id not in keys and offer_id not in waiting]
        if gone:
            index.forget(gone)
        missing = [offer_id for offer_id in keys if offer_id not in index.rows]
        if missing:
            with sessions.begin() as session:
                records = read_records(session, missing)
            link_new(index, records, model, work.verdicts, keys, with_evidence=False)
        return work, link_new(index, work.pending, model, work.verdicts, keys)


def scored_by_index(
    sessions: sessionmaker[Session], place: IndexPlace, model: MatchModel, public_ids: tuple[str, ...]
) -> Scoring | None:
    """The named offers beside what the index finds near them, by their public ids; None without an index in step.

    Reads a few offers, however big the catalogue is, and changes nothing.
    """
    if not place.folder.is_dir():
        return None
    with sessions.begin() as session:
        named = read_named(session, public_ids)
        linked = count_linked(session)
    with _alone(place.folder):
        index = _open(place.folder, model, linked, 0)
        if index is None or len(named) < len(public_ids):
            return None
        index.take_out(offer_id for offer_id, _ in named)
        return seen_beside(index, [record for _, record in named], model)


def _open(folder: Path, model: MatchModel, linked: int, pending: int) -> CatalogueIndex | None:
    try:
        index = CatalogueIndex.open(folder, model.version)
    except InvalidInput as error:
        log.info("%s", error)
        return None
    changed = abs(linked + pending - index.statistics.offers) + pending
    if changed > _OUTGROWN * index.statistics.offers or len(index.segments) > _MOST_SEGMENTS:
        log.info("the index is outgrown and made anew")
        return None
    return index


def _link_anew(
    sessions: sessionmaker[Session], folder: Path, model: MatchModel
) -> tuple[LinkingWork, LinkResult] | None:
    """Compare what is pending with the whole catalogue, and keep what that found as the index."""
    with sessions.begin() as session:
        work = read_work(session)
    if work is None:
        return None
    held = {record.offer_id: key for record, key in work.existing}
    own = without_parted(held, work.verdicts)
    scoring = score_candidates(prepare([*(record for record, _ in work.existing), *work.pending]), model)
    found = partition(scoring, verdicts=work.verdicts, existing=own)
    result = link_result(scoring, found, own, held, work.verdicts)
    build_index(folder, scoring, {**held, **result.assignments})
    return work, result


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other process of this machine works on the index."""
    with (folder.parent / f"{folder.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
