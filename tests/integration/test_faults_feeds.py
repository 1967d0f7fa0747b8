"""A store read from a feed goes wrong: the faults of pages, met by the fetcher that interfaces share, too."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import psutil
import pytest
from sqlalchemy import text

from tests import fault_shop as faults
from tests.fault_shop import FaultShop, Visit, shelf
from tests.integration.fault_world import FEED, World

METADATA = "http://169.254.169.254/latest/meta-data/"
Prepare = Callable[[FaultShop], None]


def open_alarms(world: World) -> set[str]:
    return set(world.column("select kind from alarms where state <> 'closed'"))


def check_reconciled(world: World) -> None:
    wrong = "seen <> new + changed + unchanged + held + quarantined"
    assert world.value(f"select count(*) from runs where {wrong}") == 0
    assert world.value("select count(*) from offers") == 48
    assert world.value("select count(*) from offer_prices") == 48
    assert world.value("select count(*) from offers where gone_at is not null") == 0


def half(visit: Visit) -> None:
    """A feed whose server always hangs up in the middle."""
    faults.truncated(visit)


FAULTS: dict[str, tuple[Prepare, str, set[str]]] = {
    "is empty": (lambda s: s.misbehave("/feed.xml", faults.empty), "failed", {"store_unreachable"}),
    "is a captcha": (lambda s: s.misbehave("/feed.xml", faults.captcha), "failed", {"store_unreachable"}),
    "answers 403": (
        lambda s: s.misbehave("/feed.xml", faults.says("no", 403)), "failed", {"store_unreachable"},
    ),
    "answers 500 again and again": (
        lambda s: s.misbehave("/feed.xml", faults.says("no", 500)), "failed", {"store_unreachable"},
    ),
    "lists nothing": (lambda s: s.articles.clear(), "held", {"run_held"}),
    "lists a quarter": (
        lambda s: [s.articles.pop(sku) for sku in list(s.articles)[6:]] and None, "held", {"run_held"},
    ),
    "has prices 100 times as high": (lambda s: s.change(faults.times_hundred), "held", {"run_held"}),
    "has another currency": (lambda s: s.change(faults.in_dollars), "held", {"run_held"}),
    "has everything sold out": (lambda s: s.change(faults.sold_out), "held", {"run_held"}),
    "is half of itself": (
        lambda s: s.misbehave("/feed.xml", faults.cut_short), "failed", {"store_unreachable"},
    ),
    "breaks off every time": (lambda s: s.misbehave("/feed.xml", half), "failed", {"store_unreachable"}),
    "redirects without end": (
        lambda s: s.misbehave("/feed.xml", faults.endless_redirect), "failed", {"store_unreachable"},
    ),
    "redirects to the cloud's metadata": (
        lambda s: s.misbehave("/feed.xml", faults.redirect(METADATA)), "failed", {"store_unreachable"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_feed_gone_wrong_opens_an_alarm_and_changes_no_price(world: World, fault: str) -> None:
    prepare, state, alarms = FAULTS[fault]
    prepare(world.shops[FEED])
    report = world.crawl(FEED)
    assert (report.state, open_alarms(world)) == (state, alarms), report
    assert world.shown() == world.good
    check_reconciled(world)


@pytest.mark.parametrize("behaviour", [faults.says("oops", 502), faults.reset], ids=["HTTP 502", "a reset"])
def test_what_passes_is_retried_within_the_run(world: World, behaviour: faults.Behaviour) -> None:
    shop = world.shops[FEED]
    shop.misbehave("/feed.xml", behaviour, times=1)
    report = world.crawl(FEED)
    assert (report.state, report.unchanged, open_alarms(world)) == ("finished", 24, set())
    assert world.shown() == world.good
    check_reconciled(world)
    assert world.value("select count(*) from run_log where message like 'Requests were made again: %'") == 1


@pytest.mark.parametrize(
    "behaviour",
    [
        faults.zip_bomb(4 << 30),
        faults.huge(2_100_000_000, is_announced=True),
    ],
    ids=["a bomb of 4 GB", "a body of 2.1 GB"],
)
def test_a_feed_of_gigabytes_is_read_in_pieces_and_given_up(
    world: World, behaviour: faults.Behaviour
) -> None:
    before = psutil.Process().memory_info().rss
    world.shops[FEED].misbehave("/feed.xml", behaviour)
    report = world.crawl(FEED)
    assert (report.state, open_alarms(world)) == ("failed", {"store_unreachable"}), report
    assert psutil.Process().memory_info().rss - before < 150_000_000
    assert world.shown() == world.good
    check_reconciled(world)


def test_one_broken_row_in_a_hundred_costs_that_row_alone(world: World) -> None:
    shop = world.shops[FEED]
    shop.articles = shelf(1000)
    wrong = iter(
        2 * ["<g:price>abc EUR", "<g:price>12.34.56 EUR", "<g:price>-5.00 EUR", "<g:price>", "<g:price>0 EUR"]
    )

    def broken(visit: Visit) -> None:
        before, *items = visit.shop.feed().decode().split("<item>")
        items = [
            re.sub(r"<g:price>[^<]*", next(wrong), item) if number % 100 == 50 else item
            for number, item in enumerate(items)
        ]
        visit.answer("<item>".join([before, *items]).encode(), Content_Type="application/xml")

    shop.misbehave("/feed.xml", broken)
    report = world.crawl(FEED)
    assert (report.state, report.seen, report.quarantined, report.unchanged) == ("finished", 1000, 10, 24)
    assert open_alarms(world) == {"quarantine_growth"}
    reasons = world.column("select distinct reason from quarantined_offers order by 1")
    assert reasons == ["impossible_price", "no_price", "unreadable_price"]
    now = world.shown()
    assert {key: now.offers[key] for key in world.good.offers} == world.good.offers
    assert now.total == world.good.total
    assert world.value("select count(*) from offers where price < 10") == 0
    assert world.value("select count(*) from offers") == 24 + 990


def test_a_feed_that_drips_is_given_up(world: World) -> None:
    world.shops[FEED].misbehave("/feed.xml", faults.drip)
    world.settings = world.limited(feed_seconds=1)
    report = world.crawl(FEED)
    assert (report.state, open_alarms(world)) == ("failed", {"store_unreachable"})
    assert world.shown() == world.good


def test_a_held_run_and_a_price_that_follows_it(world: World) -> None:
    """Discarded, the catalogue stays; the next good run is released as if nothing had been."""
    shop = world.shops[FEED]
    shop.change(faults.times_hundred)
    assert world.crawl(FEED).state == "held"
    shop.behave()
    sku, article = next(iter(shop.articles.items()))
    shop.articles[sku] = faults.replace(article, price=article.price - Decimal("1.00"))
    report = world.crawl(FEED)
    assert (report.state, report.changed, report.unchanged) == ("finished", 1, 23)
    assert open_alarms(world) == set()


def test_an_expired_certificate_is_not_overlooked(world: World, tmp_path: Path) -> None:
    shop = world.shops[FEED]
    shop.certificate = faults.expired_certificate(tmp_path)
    shop.scheme = "https"
    with world.sessions.begin() as session:
        session.execute(
            text(
                "update stores set url = :url, options = options || jsonb_build_object('feed_url', cast(:url as text))"
                " where slug = :slug"
            ),
            {"url": f"{shop.url}/feed.xml", "slug": FEED},
        )
    report = world.crawl_by_command(FEED)
    assert (report["state"], open_alarms(world)) == ("failed", {"certificate"}), report
    assert shop.asked == []
    assert world.shown() == world.good
