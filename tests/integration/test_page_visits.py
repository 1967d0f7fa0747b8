"""Crawling the same pages again: what is not changed costs next to nothing, and nothing that changed is missed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select, update

from aggregator.catalog.circuits import get_crawl_states
from aggregator.catalog.ingest import IngestReport, settle_held_run
from aggregator.catalog.offers import CHECKED_AT
from aggregator.db.models import OfferCheckRow, OfferRow, PageRow, PageVisitRow, RunRow, StoreRow
from aggregator.db.session import Sessions
from aggregator.settings import Settings
from tests.integration.page_site import PageSite, Shop, registered, served

OLD, NEW = "2026-01-01T00:00:00Z", "2026-02-02T00:00:00Z"


@pytest.fixture
def site() -> Iterator[PageSite]:
    with served(PageSite({number: f"{number}.00" for number in range(1, 31)})) as site:
        yield site


@pytest.fixture
def shop(site: PageSite, settings: Settings, sessions: Sessions) -> Shop:
    return registered(
        site, replace(settings, allow_private_hosts=frozenset({f"127.0.0.1:{site.port}"})), sessions
    )


def counts(report: IngestReport) -> tuple[str, int, int, int, int]:
    return report.state, report.new, report.changed, report.unchanged, report.gone


def price(sessions: Sessions, number: int) -> Decimal | None:
    with sessions.begin() as session:
        return session.scalar(
            select(OfferRow.price).where(OfferRow.external_id == f"sku-{number}", OfferRow.gone_at.is_(None))
        )


def checked(sessions: Sessions) -> dict[str, datetime]:
    with sessions.begin() as session:
        rows = session.execute(
            select(OfferRow.external_id, CHECKED_AT)
            .join(StoreRow, StoreRow.id == OfferRow.store_id)
            .outerjoin(OfferCheckRow, OfferCheckRow.offer_id == OfferRow.id)
        )
        return dict(rows.all())


def test_pages_without_lastmod_are_asked_for_conditionally(shop: Shop) -> None:
    assert counts(shop.crawl()) == ("finished", 30, 0, 0, 0)
    before = checked(shop.sessions)
    shop.site.prices[7] = "7.70"
    assert counts(shop.crawl()) == ("finished", 0, 1, 29, 0)
    assert shop.site.pages_asked(200) == ["/p/7"]
    assert len(shop.site.pages_asked(304)) == 29
    assert price(shop.sessions, 7) == Decimal("7.70")
    # An answer 304 is a check.
    assert min(checked(shop.sessions).values()) > max(before.values())
    with shop.sessions.begin() as session:
        run = session.scalars(select(RunRow).order_by(RunRow.id.desc()).limit(1)).one()
        assert (run.not_modified, run.pages, run.pages_without_offers, run.listed) == (29, 1, 0, 30)
        assert run.stage_seconds.keys() == {"fetching", "reading", "staging", "releasing"}
        assert run.seen == 30


def test_the_same_bytes_are_not_read_again_without_validators(shop: Shop) -> None:
    shop.site.has_etags = False
    shop.crawl()
    report = shop.crawl()
    assert counts(report) == ("finished", 0, 0, 30, 0)
    assert len(shop.site.pages_asked(200)) == 30
    with shop.sessions.begin() as session:
        assert session.scalars(select(PageRow.checks).where(PageRow.kind == "page").distinct()).all() == [2]


def test_lastmod_saves_all_but_a_sample_and_listing_is_no_check(shop: Shop) -> None:
    shop.site.lastmods = dict.fromkeys(shop.site.prices, OLD)
    shop.crawl()
    before = checked(shop.sessions)
    shop.site.prices[7], shop.site.lastmods[7] = "7.70", NEW
    assert counts(shop.crawl()) == ("finished", 0, 1, 29, 0)
    fetched = {f"sku-{path.rpartition('/')[2]}" for path in shop.site.pages_asked()}
    assert len(fetched) == 4
    assert price(shop.sessions, 7) == Decimal("7.70")
    after = checked(shop.sessions)
    assert {key for key in after if after[key] > before[key]} == fetched
    # An unchanged sitemap is answered with 304 and lists the same again.
    assert counts(shop.crawl()) == ("finished", 0, 0, 30, 0)
    assert ("/sitemap.xml", 304) in shop.site.asked
    assert len(shop.site.pages_asked()) == 3


def test_lastmod_that_lies_is_found_out_and_ignored(shop: Shop) -> None:
    shop.site.lastmods = dict.fromkeys(shop.site.prices, OLD)
    shop.crawl()
    shop.site.prices = {number: f"{number}.50" for number in shop.site.prices}
    assert shop.crawl().changed == 3
    with shop.sessions.begin() as session:
        state = get_crawl_states(session)["shop"]
    assert (state.lastmod, state.lastmod_sampled, state.lastmod_wrong) == ("ignored", 3, 3)
    assert shop.crawl().changed == 27
    assert price(shop.sessions, 9) == Decimal("9.50")


def test_a_page_that_is_no_longer_listed_is_gone_and_may_come_back(shop: Shop) -> None:
    shop.site.lastmods = dict.fromkeys(shop.site.prices, OLD)
    shop.crawl()
    kept = shop.site.prices.pop(5)
    assert counts(shop.crawl()) == ("finished", 0, 0, 29, 1)
    shop.site.prices[5] = kept
    assert counts(shop.crawl()) == ("finished", 0, 1, 29, 0)
    assert price(shop.sessions, 5) == Decimal("5.00")


def test_of_a_discarded_run_nothing_is_remembered(shop: Shop) -> None:
    shop.crawl()
    shop.site.prices = {number: f"{number}00.00" for number in shop.site.prices}
    held = shop.crawl()
    assert held.state == "held"
    with shop.sessions.begin() as session:
        settle_held_run(session, held.run, accept=False)
        assert session.scalars(select(PageVisitRow)).all() == []
    # The pages are read again, not answered with 304, and held again: no change was lost.
    assert shop.crawl().state == "held"
    assert len(shop.site.pages_asked(200)) == 30


def test_of_an_accepted_run_everything_is(shop: Shop) -> None:
    shop.crawl()
    shop.site.prices = {number: f"{number}00.00" for number in shop.site.prices}
    held = shop.crawl()
    with shop.sessions.begin() as session:
        assert settle_held_run(session, held.run, accept=True).changed == 30
    assert counts(shop.crawl()) == ("finished", 0, 0, 30, 0)
    assert len(shop.site.pages_asked(304)) == 30


def test_a_daily_budget_takes_turns_among_the_pages(
    site: PageSite, settings: Settings, sessions: Sessions
) -> None:
    own = replace(settings, allow_private_hosts=frozenset({f"127.0.0.1:{site.port}"}))
    shop = registered(site, own, sessions, daily_requests="15")
    first = shop.crawl()
    assert (first.state, first.new) == ("finished", 15)
    assert (shop.crawl().state, shop.site.pages_asked()) == ("finished", [])
    with sessions.begin() as session:
        session.execute(update(RunRow).values(started_at=datetime.now(UTC) - timedelta(hours=25)))
    second = shop.crawl()
    assert (second.state, second.new, second.gone, second.unchanged) == ("finished", 15, 0, 15)


def test_other_rules_read_a_page_anew(shop: Shop) -> None:
    shop.crawl()
    with shop.sessions.begin() as session:
        session.execute(update(StoreRow).values(reading_rules={"price": "json_ld"}))
    assert counts(shop.crawl()) == ("finished", 0, 0, 30, 0)
    assert len(shop.site.pages_asked(200)) == 30
