"""Pages over the runs: the frontier that a run works through, what came of it, and what is kept for the next run.

A page's validators count only once the run that saw it is released: of a run that was discarded nothing is kept, so
that no change is missed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from sqlalchemy import delete, select, text, update
from sqlalchemy.orm import Session

from aggregator.catalog.page_plans import KnownPage, PagePlan, address_key
from aggregator.db.copy import copy_rows
from aggregator.db.models import (
    CrawlFrontierRow,
    PageRow,
    PageVisitRow,
    QuarantinedOfferRow,
    RunRow,
)
from aggregator.domain.crawling import (
    NO_VALIDATORS,
    FeedVisit,
    KnownSitemap,
    PageVisit,
    PlannedPage,
    Validators,
)
from aggregator.domain.stores import Store

_TABLE = PageVisitRow.__tablename__
# How long the offers of a listed page are kept that gives nothing to read.
MISSED_DAYS = 3


def known_pages(session: Session, store_id: int, *, reader: str) -> dict[bytes, KnownPage]:
    """The store's pages by the key of their address; `reader` names who would read them now."""
    rows = session.execute(
        select(
            PageRow.address_key,
            PageRow.url,
            PageRow.listed_in,
            PageRow.is_listed,
            PageRow.lastmod,
            PageRow.reader.is_not_distinct_from(reader),
            PageRow.first_seen_at,
            PageRow.checked_at,
            PageRow.checks,
            PageRow.changes,
        ).where(PageRow.store_id == store_id, PageRow.kind == "page")
    )
    return {key: KnownPage(*values) for key, *values in rows}


def known_sitemaps(session: Session, store_id: int) -> list[KnownSitemap]:
    """The store's sitemaps that can be asked for conditionally."""
    rows = session.execute(
        select(PageRow.url, PageRow.etag, PageRow.last_modified, PageRow.holds).where(
            PageRow.store_id == store_id,
            PageRow.kind == "sitemap",
            PageRow.etag.is_not(None) | PageRow.last_modified.is_not(None),
        )
    )
    return [
        KnownSitemap(url, Validators(etag, last_modified), tuple(children))
        for url, etag, last_modified, children in rows
    ]


def reader_of(store: Store) -> str:
    """Who reads the store's pages now: another version or other rules may read the same page otherwise."""
    rules = json.dumps(
        [
            dict(store.reading_rules),
            repr(store.offer_rules),
            store.options.get("offer_key"),
            store.options.get("columns"),
            store.currency,
            store.country,
        ],
        sort_keys=True,
    )
    return f"{version('click2cart')}/{hashlib.blake2b(rules.encode(), digest_size=8).hexdigest()}"


def has_frontier(session: Session, run_id: int) -> bool:
    """Whether this run's listing was read already, by a reader that died since."""
    return session.get(CrawlFrontierRow, run_id) is not None


def keep_frontier(session: Session, run_id: int, plan: PagePlan, *, reader: str, problem: str | None) -> None:
    """Write down what the run is to fetch; from then on it can be taken up where it stopped."""
    session.add(
        CrawlFrontierRow(
            run_id=run_id, listed=plan.listed, skipped=plan.skipped, reader=reader, problem=problem
        )
    )
    session.flush()
    columns = ("run_id", "position", "address_key", "url", "listed_in", "lastmod", "is_sample", "state")
    states = [(row, "waiting") for row in plan.visits] + [(row, "unlisted") for row in plan.unlisted]
    copy_rows(
        session,
        _TABLE,
        columns,
        (
            (run_id, position, row.address_key, row.url, row.listed_in, row.lastmod, row.is_sample, state)
            for position, (row, state) in enumerate(states)
        ),
    )
    copy_rows(
        session,
        _TABLE,
        (
            "run_id",
            "position",
            "address_key",
            "url",
            "kind",
            "state",
            "outcome",
            "etag",
            "last_modified",
            "holds",
        ),
        (
            (
                run_id,
                position,
                address_key(sitemap.url),
                sitemap.url,
                "sitemap",
                "visited",
                "read",
                sitemap.validators.etag,
                sitemap.validators.last_modified,
                _array(sitemap.children),
            )
            for position, sitemap in enumerate(plan.sitemaps, len(states))
        ),
    )


def feed_validators(session: Session, store_id: int, url: str, *, reader: str) -> Validators:
    """What the store's feed can be asked for by, where the catalogue stands as this feed last said."""
    row = session.execute(
        select(PageRow.etag, PageRow.last_modified).where(
            PageRow.store_id == store_id,
            PageRow.address_key == address_key(url),
            PageRow.kind == "feed",
            PageRow.reader == reader,
        )
    ).one_or_none()
    return Validators(*row) if row is not None else NO_VALIDATORS


def keep_feed(session: Session, run_id: int, feed: FeedVisit, *, reader: str) -> None:
    """Write down that the run has read its feed to the end, or found it unchanged."""
    session.add(CrawlFrontierRow(run_id=run_id, listed=1, reader=reader))
    session.add(
        PageVisitRow(
            run_id=run_id,
            position=0,
            address_key=address_key(feed.url),
            url=feed.url,
            kind="feed",
            state="visited",
            outcome="unchanged" if feed.is_unchanged else "read",
            etag=feed.validators.etag,
            last_modified=feed.validators.last_modified,
        )
    )
    session.flush()


def frontier_problem(session: Session, run_id: int) -> str | None:
    """What kept the run's listing from being read to its end."""
    return session.scalar(select(CrawlFrontierRow.problem).where(CrawlFrontierRow.run_id == run_id))


def waiting_pages(
    session: Session, run_id: int, store_id: int, *, after: int, limit: int, reader: str
) -> list[PlannedPage]:
    """The next pages that the run is to fetch, behind position `after`."""
    rows = session.execute(
        select(
            PageVisitRow.position, PageVisitRow.url, PageRow.etag, PageRow.last_modified, PageRow.body_digest
        )
        .outerjoin(
            PageRow,
            (PageRow.store_id == store_id)
            & (PageRow.address_key == PageVisitRow.address_key)
            & (PageRow.reader == reader),
        )
        .where(PageVisitRow.run_id == run_id, PageVisitRow.position > after, PageVisitRow.state == "waiting")
        .order_by(PageVisitRow.position)
        .limit(limit)
    )
    return [
        PlannedPage(position, url, Validators(etag, last_modified), digest.hex() if digest else None)
        for position, url, etag, last_modified, digest in rows
    ]


def note_visits(session: Session, run_id: int, visits: Sequence[PageVisit]) -> None:
    """Write down what came of pages, in the transaction that stages their offers."""
    if not visits:
        return
    rows = [
        {
            "position": visit.position,
            "outcome": visit.outcome,
            "etag": visit.validators.etag,
            "last_modified": visit.validators.last_modified,
            "body_digest": visit.body_digest,
            "price_digest": visit.price_digest,
            "holds": list(visit.holds),
        }
        for visit in visits
    ]
    session.execute(
        text(
            """
            update page_visits v
            set state = 'visited', outcome = x.outcome, etag = x.etag, last_modified = x.last_modified,
                body_digest = decode(x.body_digest, 'hex'), price_digest = decode(x.price_digest, 'hex'),
                holds = coalesce(x.holds, '{}')
            from jsonb_to_recordset(cast(:rows as jsonb)) as x(
                position bigint, outcome text, etag text, last_modified text, body_digest text,
                price_digest text, holds text[])
            where v.run_id = :run and v.position = x.position
            """
        ),
        {"rows": json.dumps(rows).replace("\\u0000", ""), "run": run_id},
    )


def take_up_frontier(session: Session, run_id: int, *, attempt: int) -> bool:
    """Hand what a dead reader staged to the next attempt; False where its listing was not read to the end.

    A feed is one file: it is read anew.
    """
    feed = select(PageVisitRow.position).where(PageVisitRow.run_id == run_id, PageVisitRow.kind == "feed")
    if session.scalar(feed) is not None:
        drop_frontier(session, run_id)
    if not has_frontier(session, run_id):
        return False
    session.execute(
        update(QuarantinedOfferRow).where(QuarantinedOfferRow.run_id == run_id).values(attempt=attempt)
    )
    return True


def drop_frontier(session: Session, run_id: int) -> None:
    """Forget what the run planned and saw: it was discarded or cancelled."""
    for table in (PageVisitRow, CrawlFrontierRow):
        session.execute(delete(table).where(table.run_id == run_id))


def build_kept_offers(session: Session, parameters: dict[str, Any]) -> None:
    """Temporary table `kept_offers(external_id, is_checked, is_missed)`: of listed pages not read anew.

    Those of pages answered with 304 are checked; those of pages that were only listed are not. Missed are those of
    pages that gave nothing to read this time: they stay for some days, since a listed page without its offer is
    a fault more often than a word. Of a feed answered with 304 all the store's offers are checked. Takes `run`, `store`
    and `is_complete`. Empty for a run that did neither.
    """
    session.execute(text("drop table if exists kept_offers"))
    session.execute(
        text(
            """
            create temporary table kept_offers on commit drop as
            select held.external_id, bool_or(held.is_checked) as is_checked, bool_and(held.is_missed) as is_missed
            from (
                select unnest(p.holds) as external_id, coalesce(v.outcome = 'unchanged', false) as is_checked,
                       coalesce(v.outcome = 'barren', false) as is_missed
                from pages p
                left join page_visits v on v.run_id = :run and v.address_key = p.address_key
                where p.store_id = :store and p.kind = 'page' and (p.is_listed or v.outcome = 'unchanged')
                  and exists (select from crawl_frontiers f where f.run_id = :run)
                  and (v.state is null or v.outcome = 'unchanged' or (v.state = 'waiting' and :is_complete)
                       or (v.outcome = 'barren' and p.checked_at > now() - make_interval(days => :missed_days)))
                union all
                select o.external_id, true, false
                from page_visits v join offers o on o.store_id = :store and o.gone_at is null
                where v.run_id = :run and v.kind = 'feed' and v.outcome = 'unchanged'
            ) held
            group by held.external_id
            """
        ),
        {**parameters, "missed_days": MISSED_DAYS},
    )
    session.execute(text("analyze kept_offers"))


def missed_pages(session: Session, run_id: int, store_id: int) -> tuple[int, str]:
    """How many listed pages gave nothing to read though they held offers before, and the address of one.

    Ask before the visits are merged.
    """
    row = session.execute(
        text(
            """
            select count(*), coalesce(min(v.url), '')
            from page_visits v join pages p on p.store_id = :store and p.address_key = v.address_key
            where v.run_id = :run and v.outcome = 'barren' and p.holds <> '{}'
            """
        ),
        {"run": run_id, "store": store_id},
    ).one()
    return int(row[0]), str(row[1])


def merge_visits(session: Session, run: RunRow) -> None:
    """Keep what a released run learned of the store's pages, and forget its frontier."""
    # Whatever else changed the catalogue: a feed that is "not changed" since would not bring it back.
    session.execute(delete(PageRow).where(PageRow.store_id == run.store_id, PageRow.kind == "feed"))
    frontier = session.get(CrawlFrontierRow, run.id)
    if frontier is None:
        return
    parameters = {
        "run": run.id,
        "store": run.store_id,
        "at": run.started_at,
        "reader": frontier.reader,
        "missed_days": MISSED_DAYS,
    }
    if run.is_complete:
        session.execute(text(_LEARN_FEED), {**parameters, "attempt": run.attempt})
    for statement in _LEARN if run.is_complete else _LEARN[:3]:
        session.execute(text(statement), parameters)
    session.execute(text(_FORGET_QUARANTINED), {**parameters, "attempt": run.attempt})
    drop_frontier(session, run.id)


_LEARN = (
    # A page that was read, or is as it was.
    """
    insert into pages as p
        (store_id, address_key, url, kind, listed_in, lastmod, etag, last_modified, body_digest, price_digest,
         reader, holds, first_seen_at, checked_at, changed_at, checks)
    select :store, v.address_key, v.url, v.kind, v.listed_in, v.lastmod, v.etag, v.last_modified, v.body_digest,
           v.price_digest, :reader, v.holds, :at, :at, :at, 1
    from page_visits v
    where v.run_id = :run and v.kind = 'page'
      and (v.outcome in ('read', 'unchanged')
           or v.outcome = 'barren' and not exists (
               select from pages k
               where k.store_id = :store and k.address_key = v.address_key and k.holds <> '{}'))
    on conflict (store_id, address_key) do update
    set url = excluded.url, kind = excluded.kind, listed_in = excluded.listed_in, is_listed = true,
        lastmod = excluded.lastmod, reader = excluded.reader, checked_at = excluded.checked_at,
        checks = p.checks + 1,
        etag = excluded.etag, last_modified = excluded.last_modified, body_digest = excluded.body_digest,
        price_digest = coalesce(excluded.price_digest, p.price_digest),
        holds = case when excluded.price_digest is null then p.holds else excluded.holds end,
        changes = p.changes + (excluded.price_digest is not null
                               and excluded.price_digest is distinct from p.price_digest)::int,
        changed_at = case when excluded.price_digest is not null
                               and excluded.price_digest is distinct from p.price_digest
                          then excluded.changed_at else p.changed_at end
    """,
    # A page that is gone, or closed to us, holds nothing; it is asked for again as if it were new.
    """
    update pages p
    set holds = '{}', etag = null, last_modified = null, body_digest = null, price_digest = null, lastmod = null,
        checked_at = :at
    from page_visits v
    where v.run_id = :run and v.outcome in ('gone', 'refused')
      and p.store_id = :store and p.address_key = v.address_key
    """,
    # A page that held offers and gives nothing to read: its offers stay for a while, and it is asked for anew.
    """
    update pages p
    set etag = null, last_modified = null, body_digest = null, lastmod = null,
        holds = case when p.checked_at > now() - make_interval(days => :missed_days) then p.holds else '{}' end
    from page_visits v
    where v.run_id = :run and v.outcome = 'barren' and p.holds <> '{}'
      and p.store_id = :store and p.address_key = v.address_key
    """,
    # The rest is for complete runs only. What is no longer listed:
    """
    update pages p set is_listed = false
    from page_visits v
    where v.run_id = :run and v.state = 'unlisted' and p.store_id = :store and p.address_key = v.address_key
    """,
    # Sitemaps, but those only whose pages are all known by now: of others an answer "not changed" would hide some.
    """
    insert into pages
        (store_id, address_key, url, kind, etag, last_modified, holds, first_seen_at, checked_at)
    select distinct on (v.address_key) :store, v.address_key, v.url, v.kind, v.etag, v.last_modified, v.holds, :at, :at
    from page_visits v
    where v.run_id = :run and v.kind = 'sitemap'
    order by v.address_key, v.position
    on conflict (store_id, address_key) do update
    set etag = excluded.etag, last_modified = excluded.last_modified, holds = excluded.holds,
        kind = excluded.kind, checked_at = excluded.checked_at
    """,
    """
    update pages p set etag = null, last_modified = null
    where p.store_id = :store and p.kind = 'sitemap'
      and exists (
          select from page_visits v
          where v.run_id = :run and v.listed_in = p.address_key
            and (v.state = 'waiting' or v.outcome in ('failed', 'gone', 'refused')))
    """,
)

# Only where all of it could be read: of the rest, "not changed" would say nothing.
_LEARN_FEED = """
    insert into pages
        (store_id, address_key, url, kind, etag, last_modified, reader, first_seen_at, checked_at, checks)
    select :store, v.address_key, v.url, 'feed', v.etag, v.last_modified, :reader, :at, :at, 1
    from page_visits v
    where v.run_id = :run and v.kind = 'feed'
      and not exists (
          select from quarantined_offers q where q.run_id = :run and q.attempt = :attempt)
    on conflict (store_id, address_key) do update
    set url = excluded.url, kind = excluded.kind, etag = excluded.etag, last_modified = excluded.last_modified,
        reader = excluded.reader, holds = '{}', checked_at = excluded.checked_at
"""

# What nobody could read is read again next time, whatever the page says of itself.
_FORGET_QUARANTINED = """
    update pages p set etag = null, last_modified = null, body_digest = null, lastmod = null
    from page_visits v
    where v.run_id = :run and v.outcome = 'read' and p.store_id = :store and p.address_key = v.address_key
      and exists (
          select from quarantined_offers q
          where q.run_id = :run and q.attempt = :attempt and q.external_id = any(v.holds))
"""


def sample_of(session: Session, run: RunRow) -> tuple[int, int]:
    """(sampled, wrong): pages fetched to test lastmod, and those whose prices had moved against its word.

    Ask before the visits are merged.
    """
    row = session.execute(
        text(
            """
            select count(*),
                   count(*) filter (where v.outcome = 'read' and v.price_digest is distinct from p.price_digest)
            from page_visits v join pages p on p.store_id = :store and p.address_key = v.address_key
            where v.run_id = :run and v.is_sample and v.outcome in ('read', 'unchanged')
            """
        ),
        {"run": run.id, "store": run.store_id},
    ).one()
    return int(row[0]), int(row[1])


def requests_since(session: Session, store_id: int, since: datetime) -> int:
    """How many requests the store's runs made since then."""
    rows = session.scalars(
        select(RunRow.requests).where(RunRow.store_id == store_id, RunRow.started_at >= since.astimezone(UTC))
    )
    return sum(rows)


def _array(values: Iterable[str]) -> str:
    """Texts in PostgreSQL's own notation of arrays."""
    quoted = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in quoted) + "}"
