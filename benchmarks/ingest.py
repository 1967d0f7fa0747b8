"""Ingestion: a first load, an unchanged re-crawl and one with 5 % changes, beside raw COPY and the ORM."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from decimal import Decimal

from sqlalchemy import text

from aggregator.catalog.ingest import OFFER_COLUMNS, release_run, stage_offers
from aggregator.catalog.runs import open_run
from aggregator.catalog.stores import NewStore, register_store
from aggregator.db.models import OfferRow
from aggregator.db.session import Sessions
from aggregator.domain.normalization import normalize_offer
from aggregator.domain.offers import RawOffer
from aggregator.domain.runs import CrawlCounts
from benchmarks.scratch import Stopwatch, print_table, scratch_database

BATCH = 5_000


def raw_offers(count: int, changed: float = 0.0) -> Iterator[RawOffer]:
    """Offers of a plausible width; the share `changed` of them asks another price."""
    every = int(1 / changed) if changed else 0
    for number in range(count):
        price = Decimal(1000 + number % 90_000).scaleb(-2)
        if every and number % every == 0:
            price += 1
        yield RawOffer(
            external_id=f"sku-{number:07d}",
            url=f"https://shop.example/products/item-{number:07d}",
            title=f"Acme Kettle KT-{number % 9973:04d} 1.7 l stainless steel, series {number % 31}",
            price=price,
            price_currency="EUR",
            availability="InStock",
            brand="Acme",
            mpn=f"KT-{number % 9973:04d}",
            sku=f"sku-{number:07d}",
            category="Kitchen > Kettles",
            image_url=f"https://shop.example/images/{number:07d}.jpg",
            source="benchmark",
        )


def crawl(sessions: Sessions, count: int, changed: float = 0.0) -> tuple[float, float]:
    """(wall seconds of all, wall seconds of the release alone)."""
    with Stopwatch() as whole:
        with sessions.begin() as session:
            ticket = open_run(session, "bench", trigger="command", worker="bench")
        assert ticket is not None
        batch: list[RawOffer] = []
        for offer in raw_offers(count, changed):
            batch.append(offer)
            if len(batch) == BATCH:
                with sessions.begin() as session:
                    stage_offers(session, ticket, batch, CrawlCounts(requests=1, bytes_received=1))
                batch = []
        with Stopwatch() as release, sessions.begin() as session:
            release_run(session, ticket, is_complete=True)
    return whole.wall, release.wall


def raw_copy(sessions: Sessions, count: int) -> float:
    """Wall seconds of COPYing the same columns from one blob into a logged table without an index."""
    with sessions.begin() as session:
        session.execute(text("create table raw_copy as select * from offers limit 0"))
        connection = session.connection().connection.driver_connection
        assert connection is not None
        columns = ", ".join(OFFER_COLUMNS)
        with connection.cursor() as cursor:
            with cursor.copy(f"copy (select {columns} from offers limit {count}) to stdout") as copy:
                blob = b"".join(bytes(part) for part in copy)
            with Stopwatch() as watch, cursor.copy(f"copy raw_copy ({columns}) from stdin") as copy:
                copy.write(blob)
        session.execute(text("drop table raw_copy"))
    return watch.wall


def orm(sessions: Sessions, count: int) -> float:
    """Wall seconds of SQLAlchemy's add_all of the same offers, for scale."""
    offers = [normalize_offer(raw) for raw in raw_offers(count)]
    with sessions.begin() as session:
        store = register_store(
            session, NewStore(url="https://orm.example", platform="generic", name="ORM", slug="orm")
        )
        store_id = session.scalar(text("select id from stores where public_id = :id"), {"id": store.id})
    with Stopwatch() as watch, sessions.begin() as session:
        session.add_all(
            OfferRow(
                store_id=store_id,
                external_id=offer.external_id,
                url=offer.url,
                title=offer.title,
                brand=offer.brand,
                mpn=offer.mpn,
                sku=offer.sku,
                category=offer.category,
                image_url=offer.image_url,
                price=offer.price.amount,
                price_currency="EUR",
                digest=b"",
                first_seen_at=text("now()"),
                changed_at=text("now()"),
            )
            for offer in offers
            if not hasattr(offer, "reason")
        )
    return watch.wall


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--offers", type=int, default=200_000)
    count = parser.parse_args().offers // BATCH * BATCH
    with Stopwatch() as normalizing:
        for offer in raw_offers(count):
            normalize_offer(offer)
    with scratch_database() as sessions:
        with sessions.begin() as session:
            register_store(
                session,
                NewStore(
                    url="https://shop.example", platform="generic", name="Bench", slug="bench", currency="EUR"
                ),
            )
        timings = {
            "first crawl": crawl(sessions, count),
            "unchanged re-crawl": crawl(sessions, count),
            "re-crawl, 5 % changed": crawl(sessions, count, 0.05),
        }
        copy_wall = raw_copy(sessions, count)
        few = min(count, 5_000)
        orm_wall = orm(sessions, few) * count / few
    rows: list[tuple[object, ...]] = [("raw COPY, no index", f"{count / copy_wall:,.0f}", "1.00", "")]
    rows += [
        (name, f"{count / whole:,.0f}", f"{copy_wall / whole:.3f}", f"{copy_wall / release:.3f}")
        for name, (whole, release) in timings.items()
    ]
    rows.append(
        (
            f"ORM add_all ({few:,} offers, scaled)",
            f"{count / orm_wall:,.0f}",
            f"{copy_wall / orm_wall:.3f}",
            "",
        )
    )
    rows.append(("normalization alone", f"{count / normalizing.wall:,.0f}", "", ""))
    print_table(
        f"Ingestion of {count:,} offers, from RawOffer to released",
        ("step", "offers/s", "× raw COPY", "release alone × raw COPY"),
        rows,
    )


if __name__ == "__main__":
    main()
