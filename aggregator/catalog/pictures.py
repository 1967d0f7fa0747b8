"""Which stores' pictures are wanted: pages note what is missing or old, a worker takes it from here."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from aggregator.db.models import PictureRow
from aggregator.domain.pictures import picture_digest

_FORGOTTEN_AFTER = "90 days"


def want_pictures(session: Session, urls: Collection[str]) -> None:
    """Note that a page showed no picture, or an old one, of these addresses, which must be products' own.

    What was tried in vain is tried again after an hour, then four, sixteen, ... at most 30 days; what is on its way
    or was asked for in the last ten minutes is left alone.
    """
    by_digest = {picture_digest(url): url for url in urls}
    if not by_digest:
        return
    session.execute(
        text(
            """
            insert into pictures as p (digest, url, asked_at, next_try_at)
            select digest, url, now(), now()
            from unnest(cast(:digests as text[]), cast(:urls as text[])) as wanted(digest, url) order by digest
            on conflict (digest) do update set asked_at = now(), next_try_at = now()
            where p.next_try_at is null and p.asked_at < now() - interval '10 minutes'
              and p.tried_at + least(power(4, least(p.failures, 6)) * interval '15 minutes', interval '30 days')
                  < now()
            """
        ),
        {"digests": list(by_digest), "urls": list(by_digest.values())},
    )


def due_pictures(session: Session, *, limit: int = 20) -> list[str]:
    """Digests of pictures to fetch now, the last asked for first. Marks them as on their way for ten minutes."""
    return list(
        session.scalars(
            text(
                """
                update pictures set next_try_at = now() + interval '10 minutes'
                where digest in (
                    select digest from pictures where next_try_at <= now()
                    order by asked_at desc limit :limit for update skip locked)
                returning digest
                """
            ),
            {"limit": limit},
        )
    )


def picture_addresses(session: Session, digests: Collection[str]) -> list[tuple[str, str]]:
    """(digest, address) of those that still wait."""
    rows = session.execute(
        select(PictureRow.digest, PictureRow.url)
        .where(PictureRow.digest.in_(digests), PictureRow.next_try_at.is_not(None))
        .order_by(PictureRow.asked_at.desc())
    )
    return [(row.digest, row.url) for row in rows]


def settle_picture(session: Session, digest: str, *, problem: str | None = None) -> None:
    """A picture was fetched, or could not be because of `problem`."""
    session.execute(
        text(
            """
            update pictures set next_try_at = null, tried_at = now(), problem = cast(:problem as text),
                   failures = case when cast(:problem as text) is null then 0 else failures + 1 end
            where digest = :digest
            """
        ),
        {"digest": digest, "problem": None if problem is None else problem[:500]},
    )


def forget_unasked_pictures(session: Session) -> int:
    """Delete what nobody asked for in a long time; how many."""
    statement = f"delete from pictures where asked_at < now() - interval '{_FORGOTTEN_AFTER}' returning 1"
    return len(session.execute(text(statement)).all())
