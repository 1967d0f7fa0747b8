"""A store read page by page goes wrong, in the real crawl process; shoppers see no harm."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from tests import fault_shop as faults
from tests.fault_shop import FaultShop
from tests.integration.fault_world import PAGES, World

# A crawl process holds this much at most, whatever a store sends.
BOUND = 260_000_000
ONE = "/p/A003"
METADATA = "http://169.254.169.254/latest/meta-data/"
Prepare = Callable[[FaultShop], None]


def some(shop: FaultShop, behaviour: faults.Behaviour, every: int = 3) -> None:
    for sku in list(shop.articles)[::every]:
        shop.misbehave(f"/p/{sku}", behaviour)


def check_reconciled(world: World) -> None:
    wrong = "seen <> new + changed + unchanged + held + quarantined"
    assert world.value(f"select count(*) from runs where {wrong}") == 0
    assert world.value("select count(*) from offers") == 48
    assert world.value("select count(*) from offer_prices") == 48
    assert world.value("select count(*) from offers where gone_at is not null") == 0


def open_alarms(world: World) -> set[str]:
    return set(world.column("select kind from alarms where state <> 'closed'"))


# What is wrong; the state that its run ends in; the alarms that are open then.
PERSISTENT: dict[str, tuple[Prepare, str, set[str]]] = {
    "every page is empty": (lambda s: s.misbehave("/p/", faults.empty), "held", {"run_held"}),
    "every page is a captcha": (lambda s: s.misbehave("/p/", faults.captcha), "held", {"run_held"}),
    "a third of the pages are captchas": (lambda s: some(s, faults.captcha), "finished", {"yield_drop"}),
    "every page answers 403": (
        lambda s: s.misbehave("/p/", faults.says("no", 403)), "failed", {"store_unreachable"},
    ),
    "the layout changed": (lambda s: s.misbehave("/p/", faults.other_layout), "held", {"run_held"}),
    "every price is 100 times as high": (
        lambda s: s.change(faults.times_hundred), "held", {"run_held"},
    ),
    "a third of the prices are 100 times as high": (
        lambda s: s.change(faults.times_hundred, every=3), "finished", {"quarantine_growth", "yield_drop"},
    ),
    "every price is in another currency": (lambda s: s.change(faults.in_dollars), "held", {"run_held"}),
    "a third of the prices are in another currency": (
        lambda s: s.change(faults.in_dollars, every=3), "held", {"run_held"},
    ),
    "every page is cut short": (lambda s: s.misbehave("/p/", faults.cut_short), "held", {"run_held"}),
    "everything is sold out at once": (lambda s: s.change(faults.sold_out), "held", {"run_held"}),
    "the sitemaps go round in circles": (
        lambda s: s.misbehave("/sitemap.xml", faults.sitemap_loop), "failed", {"store_unreachable"},
    ),
    "the sitemap is gone": (
        lambda s: s.misbehave("/sitemap.xml", faults.says("gone", 404)), "failed", {"store_unreachable"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", PERSISTENT)
def test_a_store_gone_wrong_opens_an_alarm_and_changes_no_price(world: World, fault: str) -> None:
    prepare, state, alarms = PERSISTENT[fault]
    prepare(world.shops[PAGES])
    report = world.crawl(PAGES)
    assert (report.state, open_alarms(world)) == (state, alarms), report
    assert world.shown() == world.good
    check_reconciled(world)
    assert world.peak_bytes < BOUND


ROBOTS: dict[str, Prepare] = {
    "forbids everything": lambda s: setattr(s, "robots", "User-agent: *\nDisallow: /\n"),
    "answers 503": lambda s: s.misbehave("/robots.txt", faults.says("busy", 503)),
}


@pytest.mark.parametrize("fault", ROBOTS)
def test_a_robots_file_that_closes_the_store_is_obeyed(world: World, fault: str) -> None:
    shop = world.shops[PAGES]
    ROBOTS[fault](shop)
    report = world.crawl_by_command(PAGES)
    assert (report["state"], open_alarms(world)) == ("failed", {"robots_disallow"}), report
    assert set(shop.asked) == {"/robots.txt"}
    assert world.shown() == world.good
    check_reconciled(world)


# One page goes wrong for good: the run is read to its end, that offer stays as it was and grows old.
BARREN: dict[str, Prepare] = {
    "is empty": lambda s: s.misbehave(ONE, faults.empty),
    "redirects without end": lambda s: s.misbehave(ONE, faults.endless_redirect),
    "redirects to the cloud's metadata": lambda s: s.misbehave(ONE, faults.redirect(METADATA)),
    "redirects to this machine": lambda s: s.misbehave(ONE, faults.redirect("http://127.0.0.1:9/")),
    "is a bomb of 2 GB in 2 MB of gzip": lambda s: s.misbehave(ONE, faults.zip_bomb(2 << 30)),
    "has 2 GB and says so": lambda s: s.misbehave(ONE, faults.huge(2 << 30, is_announced=True)),
    "has 2 GB and does not say so": lambda s: s.misbehave(ONE, faults.huge(2 << 30, is_announced=False)),
}


@pytest.mark.parametrize("fault", BARREN)
def test_one_page_gone_wrong_costs_nothing_but_the_age_of_its_offer(world: World, fault: str) -> None:
    shop = world.shops[PAGES]
    BARREN[fault](shop)
    report = world.crawl(PAGES)
    assert (report.state, report.unchanged, report.gone) == ("finished", 23, 0), report
    assert world.shown() == world.good
    check_reconciled(world)
    assert world.peak_bytes < BOUND
    assert shop.bytes_sent < 40_000_000
    assert world.column("select external_id from offers join offer_checks on offer_id = offers.id") == [
        ONE.removeprefix("/p/")
    ]
    log = world.column("select message from run_log where run_id = (select max(id) from runs)")
    assert any(ONE in line for line in log), log


TRANSIENT: dict[str, Prepare] = {
    "five answers 500": lambda s: s.misbehave("/p/", faults.says("oops", 500), times=5),
    "three bodies break off": lambda s: s.misbehave("/p/", faults.truncated, times=3),
    "three connections are reset": lambda s: s.misbehave("/p/", faults.reset, times=3),
    "the store asks for patience": lambda s: s.misbehave(
        "/p/", faults.says("slow down", 429, Retry_After="1"), times=2
    ),
    "the sitemap answers 502 once": lambda s: s.misbehave("/sitemap.xml", faults.says("oops", 502), times=1),
}


@pytest.mark.parametrize("fault", TRANSIENT)
def test_what_passes_is_retried_within_the_run(world: World, fault: str) -> None:
    shop = world.shops[PAGES]
    TRANSIENT[fault](shop)
    report = world.crawl(PAGES)
    assert (report.state, report.unchanged, report.problem) == ("finished", 24, None)
    assert open_alarms(world) == set()
    assert world.shown() == world.good
    check_reconciled(world)
    assert len(shop.asked) > len(set(shop.asked))
    if fault != "three connections are reset":  # the client library asks again by itself
        assert (
            world.value("select count(*) from run_log where message like 'Requests were made again: %'") == 1
        )


def test_a_page_that_drips_is_given_up_and_the_rest_is_read(world: World) -> None:
    shop = world.shops[PAGES]
    shop.misbehave(ONE, faults.drip)
    world.settings = world.limited(page_seconds=1)
    report = world.crawl(PAGES)
    assert (report.state, report.unchanged, open_alarms(world)) == ("failed", 23, {"store_unreachable"})
    assert world.shown() == world.good
    check_reconciled(world)


@pytest.mark.prove
def test_a_store_that_drips_everywhere_is_left_alone_soon(world: World) -> None:
    shop = world.shops[PAGES]
    shop.misbehave("/p/", faults.drip)
    world.settings = world.limited(page_seconds=1)
    report = world.crawl(PAGES)
    assert (report.state, open_alarms(world)) == ("failed", {"store_unreachable"})
    assert world.shown() == world.good


def test_an_expired_certificate_is_not_overlooked(world: World, tmp_path: Path) -> None:
    shop = world.shops[PAGES]
    shop.certificate = faults.expired_certificate(tmp_path)
    shop.scheme = "https"
    with world.sessions.begin() as session:
        session.execute(
            text("update stores set url = :url where slug = :slug"), {"url": shop.url, "slug": PAGES}
        )
    report = world.crawl_by_command(PAGES)
    assert (report["state"], open_alarms(world)) == ("failed", {"certificate"}), report
    assert shop.asked == []
    assert world.shown() == world.good


def test_a_name_that_changes_its_address_to_this_machine_is_not_followed(
    world: World, tmp_path: Path
) -> None:
    shop = world.shops[PAGES]
    name = "rebinding.example"
    with world.sessions.begin() as session:
        session.execute(
            text("update stores set url = :url where slug = :slug"),
            {"url": f"http://{name}:{shop.port}", "slug": PAGES},
        )
    connected = tmp_path / "connected"
    path = [str(Path(__file__).parent / "rebinding_names"), os.environ.get("PYTHONPATH", "")]
    report = world.crawl_by_command(
        PAGES,
        PYTHONPATH=os.pathsep.join(filter(None, path)),
        TEST_REBINDING_NAME=name,
        TEST_REBINDING_LOG=str(connected),
    )
    assert report["state"] == "failed"
    # The first answer of the name was believed and connected to, every later one refused.
    tried = connected.read_text().split()
    assert set(tried) == {"93.184.215.14"}
    assert shop.asked == []
    assert open_alarms(world) != set()
    assert world.shown() == world.good
