"""Reading the same feed again: an unchanged one costs one answer 304, and nothing that changed is missed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from aggregator.catalog.ingest import IngestReport
from aggregator.catalog.runs import open_run
from aggregator.catalog.stores import NewStore, register_store
from aggregator.db.models import OfferCheckRow, PageRow, PageVisitRow, RunRow, StoreRow
from aggregator.db.session import Sessions
from aggregator.domain.crawling import FeedVisit, Validators
from aggregator.settings import Settings
from spiders.frontier import StoredFrontier
from tests.integration.page_site import PageSite, Shop, served

HEAD = "id,title,link,price,availability,sale_price,sale_price_effective_date"


@dataclass
class FeedSite(PageSite):
    """Serves its prices as a feed."""

    sale: str = ""

    def answer(self, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        if path != "/feed.csv" or path in self.answers:
            return super().answer(path, headers)
        rows = [
            f"sku-{number},Kettle {number},{self.base}/p/{number},{price},in stock,,"
            for number, price in self.prices.items()
        ]
        rows[0] = rows[0].removesuffix(",,") + (self.sale or ",,")
        return self._conditional("\n".join([HEAD, *rows]).encode(), "text/csv", headers)


@pytest.fixture
def site() -> Iterator[FeedSite]:
    with served(FeedSite({number: f"{number}.00 EUR" for number in range(1, 31)})) as site:
        assert isinstance(site, FeedSite)
        yield site


@pytest.fixture
def shop(site: FeedSite, settings: Settings, sessions: Sessions) -> Shop:
    options = {"feed_url": f"{site.base}/feed.csv"}
    with sessions.begin() as session:
        register_store(
            session,
            NewStore(url=site.base, platform="merchant_feed", name="Shop", slug="shop", options=options),
        )
    allowed = replace(settings, allow_private_hosts=frozenset({f"127.0.0.1:{site.port}"}))
    return Shop(site, allowed, sessions)


def counts(report: IngestReport) -> tuple[str, int, int, int, int]:
    return report.state, report.new, report.changed, report.unchanged, report.gone


def feed_answers(shop: Shop) -> list[int]:
    return [status for path, status in shop.site.asked if path == "/feed.csv"]


def test_an_unchanged_feed_costs_one_304_and_its_offers_are_checked(shop: Shop) -> None:
    assert counts(shop.crawl()) == ("finished", 30, 0, 0, 0)
    for _ in range(2):
        before = datetime.now(UTC)
        assert counts(shop.crawl()) == ("finished", 0, 0, 30, 0)
        assert feed_answers(shop) == [304]
        with shop.sessions.begin() as session:
            run = session.scalars(select(RunRow).order_by(RunRow.id.desc()).limit(1)).one()
            assert (run.not_modified, run.seen, run.is_complete) == (1, 30, True)
            assert session.scalars(select(PageVisitRow)).all() == []
            store = session.scalars(select(StoreRow)).one()
            times = session.scalars(select(OfferCheckRow.checked_at)).all()
            # Offers without a row of their own were checked with their store.
            assert min([*times, store.checked_at or before]) >= before
    shop.site.prices[7] = "7.70 EUR"
    del shop.site.prices[30]
    assert counts(shop.crawl()) == ("finished", 0, 1, 28, 1)
    assert feed_answers(shop) == [200]
    assert counts(shop.crawl()) == ("finished", 0, 0, 29, 0)
    assert feed_answers(shop) == [304]


def test_a_feed_is_read_whole_where_another_reader_may_read_it_otherwise(shop: Shop) -> None:
    shop.crawl()
    with shop.sessions.begin() as session:
        session.execute(update(StoreRow).values(country="AT"))
    assert shop.crawl().state == "finished"
    assert feed_answers(shop) == [200]


@pytest.mark.parametrize("row", ["no price", "99999999 EUR"])
def test_a_feed_that_could_not_be_read_whole_is_read_again(shop: Shop, row: str) -> None:
    shop.site.prices[3] = "3.00 EUR"
    shop.crawl()
    shop.site.prices[3] = row
    assert shop.crawl().quarantined == 1
    assert shop.crawl().quarantined == 1
    assert feed_answers(shop) == [200]
    shop.site.prices[3] = "3.00 EUR"
    assert shop.crawl().unchanged == 30
    shop.crawl()
    assert feed_answers(shop) == [304]


def test_a_feed_whose_sale_ends_later_is_read_again(shop: Shop) -> None:
    assert isinstance(shop.site, FeedSite)
    ends = datetime.now(UTC) + timedelta(days=1)
    shop.site.sale = f",0.80 EUR,2026-01-01T00:00+0000/{ends.isoformat()}"
    assert counts(shop.crawl()) == ("finished", 30, 0, 0, 0)
    shop.crawl()
    assert feed_answers(shop) == [200]
    shop.site.sale = ",0.80 EUR,2026-01-01T00:00+0000/2026-02-01T00:00+0000"
    shop.crawl()
    shop.crawl()
    assert feed_answers(shop) == [304]


def test_after_a_run_that_failed_the_feed_is_read_whole(shop: Shop) -> None:
    shop.crawl()
    shop.site.answers["/feed.csv"] = (404, {}, b"")
    assert shop.crawl().state == "failed"
    del shop.site.answers["/feed.csv"]
    assert counts(shop.crawl()) == ("finished", 0, 0, 30, 0)
    assert feed_answers(shop) == [200]


def test_a_reader_that_died_after_a_304_is_followed_by_one_that_asks_again(shop: Shop) -> None:
    shop.crawl()
    with shop.sessions.begin() as session:
        ticket = open_run(session, "shop", trigger="command", worker="first")
        assert ticket is not None
        kept = session.scalars(select(PageRow).where(PageRow.kind == "feed")).one()
        url, validators = kept.url, Validators(kept.etag, kept.last_modified)
    frontier = StoredFrontier(shop.sessions, ticket)
    frontier.feed = FeedVisit(url, validators, True)
    frontier.keep_feed()
    with shop.sessions.begin() as session:
        session.execute(
            update(RunRow)
            .where(RunRow.id == ticket.run_id)
            .values(heartbeat_at=RunRow.heartbeat_at - timedelta(hours=1))
        )
    shop.site.prices[7] = "7.70 EUR"
    assert counts(shop.crawl()) == ("finished", 0, 1, 29, 0)
    assert feed_answers(shop) == [200]
