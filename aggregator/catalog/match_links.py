"""What the matcher found out about pairs, as the catalogue keeps it: links, doubtful pairs, relations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from aggregator.db.copy import copy_rows
from aggregator.domain.errors import NotFound
from aggregator.domain.identifiers import new_public_id
from aggregator.domain.products import Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchLink:
    """Two offers compared: how sure, why, and what follows ("merged" or "doubtful")."""

    offer_id: int
    other_offer_id: int
    probability: float
    outcome: str
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class OfferRelation:
    """Two offers whose products belong together without being one; `kind` as in `offer_relations`."""

    offer_id: int
    other_offer_id: int
    kind: str


def keep_links(
    session: Session,
    links: Iterable[MatchLink],
    *,
    compared: Sequence[int],
    model_version: str,
    relations: Iterable[OfferRelation] = (),
) -> None:
    """Keep what was found about the offers just compared, in place of what was known about them before.

    Doubtful pairs wait for a person, unless one has decided already; what a person reported stays in the
    queue whatever the matcher thinks. What is known already is not written again.
    """
    links = list(links)
    _stage(session, "compared_offers", ("offer_id bigint",), ((offer_id,) for offer_id in compared))
    # Both ways, so that each of the two offers says why it is where it is.
    merged = {
        pair: link
        for link in links
        if link.outcome == "merged"
        for pair in ((link.offer_id, link.other_offer_id), (link.other_offer_id, link.offer_id))
    }
    _stage(
        session,
        "found_links",
        ("offer_id bigint", "other_offer_id bigint", "probability float8", "evidence jsonb"),
        ((*pair, link.probability, evidence_json(link.evidence)) for pair, link in merged.items()),
    )
    doubtful = {
        (min(link.offer_id, link.other_offer_id), max(link.offer_id, link.other_offer_id)): link
        for link in links
        if link.outcome == "doubtful"
    }
    _stage(
        session,
        "found_doubts",
        (
            "public_id text",
            "left_offer_id bigint",
            "right_offer_id bigint",
            "probability float8",
            "evidence jsonb",
        ),
        (
            (new_public_id(), *pair, link.probability, evidence_json(link.evidence))
            for pair, link in doubtful.items()
        ),
    )
    _stage(
        session,
        "found_relations",
        ("offer_id bigint", "other_offer_id bigint", "kind text"),
        ((one.offer_id, one.other_offer_id, one.kind) for one in relations),
    )
    _keep_merged(session, model_version)
    _keep_doubtful(session, model_version)
    _keep_relations(session)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPair:
    """What the catalogue knows about a pair: the matcher's evidence, if it is kept, and a person's standing word.

    `outcome` is "merged" or "apart" by where the offers are now, "doubtful" while the pair waits.
    """

    titles: tuple[tuple[str, str, str], tuple[str, str, str]]
    outcome: str
    probability: float | None
    evidence: tuple[Evidence, ...]
    model_version: str
    word: str | None
    said_by: str | None
    said_at: datetime | None


def get_known_pair(session: Session, offer_id: str, other_offer_id: str) -> KnownPair:
    """What is known about two offers (public ids); raises NotFound. `titles` are (id, store, title) of each."""
    offers = {
        row.public_id: row
        for row in session.execute(
            text(
                """
                select o.id, o.public_id, o.title, o.product_id, s.name as store
                from offers o join stores s on s.id = o.store_id where o.public_id in (:one, :other)
                """
            ),
            {"one": offer_id, "other": other_offer_id},
        )
    }
    for wanted in (offer_id, other_offer_id):
        if wanted not in offers:
            raise NotFound("offer", wanted)
    one, other = offers[offer_id], offers[other_offer_id]
    pair = {"low": min(one.id, other.id), "high": max(one.id, other.id)}
    found = session.execute(
        text(
            """
            select probability, evidence, model_version, false as is_open
            from match_links where offer_id = :low and other_offer_id = :high and outcome = 'merged'
            union all
            select probability, evidence, model_version, settled_at is null
            from match_reviews
            where left_offer_id = :low and right_offer_id = :high and evidence <> '[]'::jsonb
            limit 1
            """
        ),
        pair,
    ).first()
    said = session.execute(
        text(
            """
            select v.verdict, v.created_at, a.email from match_verdicts v left join accounts a on a.id = v.account_id
            where v.left_offer_id = :low and v.right_offer_id = :high and v.withdrawn_at is null
            """
        ),
        pair,
    ).first()
    is_one = one.product_id is not None and one.product_id == other.product_id
    waits = found is not None and found.is_open and not is_one
    return KnownPair(
        titles=((one.public_id, one.store, one.title), (other.public_id, other.store, other.title)),
        outcome="merged" if is_one else "doubtful" if waits else "apart",
        probability=found.probability if found else None,
        evidence=tuple(Evidence(**item) for item in found.evidence) if found else (),
        model_version=found.model_version if found else "",
        word=said.verdict if said else None,
        said_by=said.email if said else None,
        said_at=said.created_at if said else None,
    )


def evidence_json(evidence: Iterable[Evidence]) -> list[dict[str, Any]]:
    """The evidence as it is stored."""
    return [
        {"comparison": item.comparison, "level": item.level, "weight": item.weight, "sentence": item.sentence}
        for item in evidence
    ]


def _stage(session: Session, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Fill a table of this transaction's own."""
    session.execute(
        text(f"create temporary table if not exists {table} ({', '.join(columns)}) on commit delete rows")
    )
    session.execute(text(f"truncate {table}"))
    copy_rows(session, table, [column.split()[0] for column in columns], rows)
    session.execute(text(f"analyze {table}"))


def _keep_merged(session: Session, model_version: str) -> None:
    for side in ("offer_id", "other_offer_id"):
        session.execute(
            text(
                f"""
                delete from match_links l using compared_offers c
                where l.{side} = c.offer_id
                  and not exists (select from found_links f
                                  where f.offer_id = l.offer_id and f.other_offer_id = l.other_offer_id)
                """
            )
        )
    session.execute(
        text(
            """
            insert into match_links (offer_id, other_offer_id, probability, evidence, outcome, model_version)
            select f.*, 'merged', :version from found_links f
            on conflict (offer_id, other_offer_id) do update
            set probability = excluded.probability, evidence = excluded.evidence,
                outcome = excluded.outcome, model_version = excluded.model_version, created_at = now()
            where (match_links.probability, match_links.evidence, match_links.outcome, match_links.model_version)
                  is distinct from
                  (excluded.probability, excluded.evidence, excluded.outcome, excluded.model_version)
            """
        ),
        {"version": model_version},
    )


def _keep_doubtful(session: Session, model_version: str) -> None:
    for side in ("left_offer_id", "right_offer_id"):
        session.execute(
            text(
                f"""
                delete from match_reviews r using compared_offers c
                where r.{side} = c.offer_id and r.settled_at is null and r.reported_at is null
                  and not exists (select from found_doubts f where f.left_offer_id = r.left_offer_id
                                                               and f.right_offer_id = r.right_offer_id)
                """
            )
        )
    # What became one product by another way is no question any more.
    session.execute(
        text(
            """
            delete from match_reviews r using offers l, offers g
            where r.settled_at is null and r.reported_at is null
              and l.id = r.left_offer_id and g.id = r.right_offer_id and l.product_id = g.product_id
            """
        )
    )
    session.execute(
        text(
            """
            insert into match_reviews
                (public_id, left_offer_id, right_offer_id, probability, evidence, model_version)
            select f.*, :version from found_doubts f
            on conflict (left_offer_id, right_offer_id) do update
            set probability = excluded.probability, evidence = excluded.evidence,
                model_version = excluded.model_version
            where match_reviews.settled_at is null
              and (match_reviews.probability, match_reviews.evidence, match_reviews.model_version)
                  is distinct from (excluded.probability, excluded.evidence, excluded.model_version)
            """
        ),
        {"version": model_version},
    )
    # The rule is told in docs/matching.md: how open the question is, how many offers it moves, whether
    # they can be bought, and what a shopper could save by the answer.
    session.execute(
        text(
            """
            update match_reviews r set value = v.value
            from (
                select r.id, round((
                    greatest(4 * r.probability * (1 - r.probability), 0.05)
                    * ln(1 + greatest(lp.offer_count, 1) + greatest(gp.offer_count, 1))
                    * (0.25 + 0.375 * lp.is_available::int + 0.375 * gp.is_available::int)
                    * (1 + case when l.price_currency = g.price_currency and greatest(l.price, g.price) > 0
                                then abs(l.price - g.price) / greatest(l.price, g.price) else 0 end)
                )::numeric, 4)::float8 as value
                from found_doubts f
                join match_reviews r using (left_offer_id, right_offer_id)
                join offers l on l.id = r.left_offer_id join products lp on lp.id = l.product_id
                join offers g on g.id = r.right_offer_id join products gp on gp.id = g.product_id
            ) v
            where r.id = v.id and r.value <> v.value
            """
        )
    )


def _keep_relations(session: Session) -> None:
    for side in ("offer_id", "other_offer_id"):
        session.execute(
            text(
                f"""
                delete from offer_relations r using compared_offers c
                where r.{side} = c.offer_id
                  and not exists (select from found_relations f where f.offer_id = r.offer_id
                                    and f.other_offer_id = r.other_offer_id and f.kind = r.kind)
                """
            )
        )
    session.execute(
        text(
            """
            insert into offer_relations (offer_id, other_offer_id, kind)
            select distinct offer_id, other_offer_id, kind from found_relations on conflict do nothing
            """
        )
    )
