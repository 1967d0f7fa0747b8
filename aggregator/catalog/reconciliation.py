"""Whether the books are right: what runs counted against what the tables hold, offer by offer."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Contradiction:
    """One thing that does not add up: what should hold, for how many rows it does not, and the first of them."""

    rule: str
    count: int
    example: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """The sums over all runs that are over, and what contradicts them: with none, each offer is accounted for."""

    runs: int
    seen: int
    new: int
    changed: int
    unchanged: int
    held: int
    quarantined: int
    gone: int
    current_offers: int
    gone_offers: int
    contradictions: tuple[Contradiction, ...]

    @property
    def is_right(self) -> bool:
        """Whether everything adds up."""
        return not self.contradictions


def reconcile(session: Session) -> Reconciliation:
    """Check every run and every offer; reads whole tables, so it is for audits and long tests.

    Runs and quarantine that retention has deleted count as contradictions: call it before they are a month old.
    """
    row = session.execute(_SUMS).one()
    found = []
    for rule, query in _RULES:
        wrong = session.execute(text(query)).scalars().all()
        if wrong:
            found.append(Contradiction(rule, len(wrong), str(wrong[0])))
    sums = {name: int(value) for name, value in row._mapping.items()}
    return Reconciliation(**sums, contradictions=tuple(found))


_SUMS = text(
    """
    select count(*) as runs, coalesce(sum(seen), 0) as seen, coalesce(sum(new), 0) as new,
           coalesce(sum(changed), 0) as changed, coalesce(sum(unchanged), 0) as unchanged,
           coalesce(sum(held), 0) as held, coalesce(sum(quarantined), 0) as quarantined,
           coalesce(sum(gone), 0) as gone,
           (select count(*) from offers where gone_at is null) as current_offers,
           (select count(*) from offers where gone_at is not null) as gone_offers
    from runs where state <> 'running'
    """
)
# (what should hold, a query for the names of what does not)
_RULES = (
    (
        "a run's seen is new + changed + unchanged + held + quarantined",
        """
        select public_id from runs
        where state <> 'running' and seen <> new + changed + unchanged + held + quarantined
        """,
    ),
    (
        "a run's quarantined is what quarantine keeps of it",
        """
        select r.public_id from runs r
        left join quarantined_offers q on q.run_id = r.id and q.attempt = r.attempt
        where r.state in ('finished', 'failed', 'held')
        group by r.id having count(q.id) <> r.quarantined
        """,
    ),
    (
        "a store's offers are those that its runs called new",
        """
        select s.slug from stores s
        left join (select store_id, sum(new) as n from runs group by store_id) r on r.store_id = s.id
        left join (select store_id, count(*) as n from offers group by store_id) o on o.store_id = s.id
        where coalesce(r.n, 0) <> coalesce(o.n, 0)
        """,
    ),
    (
        "an offer's last recorded price is the one it asks",
        """
        select o.public_id from offers o
        left join lateral (
            select price, price_currency, availability from offer_prices p
            where p.offer_id = o.id order by p.recorded_at desc limit 1
        ) last on true
        where (o.price, o.price_currency, o.availability)
              is distinct from (last.price, last.price_currency, last.availability)
        """,
    ),
    (
        "nothing is staged for a run that is over, unless it is held",
        """
        select distinct r.public_id from staged_offers t join runs r on r.id = t.run_id
        where r.state not in ('running', 'held')
        """,
    ),
)
