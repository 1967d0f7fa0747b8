"""What operators see of stores, runs and the whole."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from aggregator.catalog.ingest import release_run, stage_offers
from aggregator.catalog.runs import cancel_run, open_run
from aggregator.catalog.stores import (
    NewStore,
    get_run,
    get_store_summary,
    get_totals,
    list_runs,
    list_stores,
    register_store,
    request_crawl,
)
from aggregator.db.session import Sessions
from aggregator.domain.errors import Conflict, InvalidInput, NotFound
from aggregator.domain.offers import RawOffer
from aggregator.domain.runs import CrawlCounts


def new_store(name: str, url: str = "") -> NewStore:
    return NewStore(url=url or f"https://{name}.example/", platform="generic", name=name.title(), slug=name)


def crawl(session: Session, slug: str, prices: list[str]) -> str:
    ticket = open_run(session, slug, trigger="operator", worker="test")
    assert ticket is not None
    offers = [
        RawOffer(
            external_id=str(number),
            url=f"https://s.example/{number}",
            title="Cup",
            price=price,
            price_currency="EUR",
        )
        for number, price in enumerate(prices)
    ]
    stage_offers(session, ticket, offers, CrawlCounts(requests=3, bytes_received=99))
    return release_run(session, ticket, is_complete=True).run


def test_stores_are_listed_with_their_offers_last_run_and_quarantine(session: Session) -> None:
    for name in ("zeta", "alpha"):
        register_store(session, new_store(name))
    run = crawl(session, "zeta", ["1.00", "2.00", "?"])
    alpha, zeta = list_stores(session)
    assert (alpha.slug, alpha.offer_count, alpha.last_run, alpha.checked_at) == ("alpha", 0, None, None)
    assert (zeta.offer_count, zeta.open_quarantine) == (2, 1)
    assert zeta.last_run is not None
    assert (zeta.last_run.id, zeta.last_run.seen, zeta.last_run.requests) == (run, 3, 3)
    assert get_store_summary(session, "zeta") == zeta
    assert get_run(session, run) == list_runs(session, store_slug="zeta")[0]
    assert get_totals(session).pending_offers == 2


def test_runs_are_listed_running_ones_first_or_of_one_state(session: Session) -> None:
    for name in ("zeta", "alpha"):
        register_store(session, new_store(name))
    ticket = open_run(session, "zeta", trigger="operator", worker="test")
    assert ticket is not None
    ended = [crawl(session, "alpha", ["1.00"]) for _ in range(3)][::-1]
    session.execute(
        text("update runs set started_at = started_at + id * interval '1 second' where state <> 'running'")
    )
    assert [run.id for run in list_runs(session)] == [ticket.public_id, *ended]
    assert [run.id for run in list_runs(session, limit=2)] == [ticket.public_id, ended[0]]
    assert [run.id for run in list_runs(session, state="finished", limit=2)] == ended[:2]
    assert list_runs(session, state="held") == []


def test_a_store_registered_twice_is_one_store_and_a_taken_slug_is_refused(session: Session) -> None:
    first = register_store(session, new_store("alpha"))
    assert register_store(session, new_store("alpha", "https://www.alpha.example/shop")).id == first.id
    with pytest.raises(InvalidInput, match="taken"):
        register_store(session, new_store("alpha", "https://other.example/"))
    assert (
        register_store(session, new_store("alpha", "https://other.example/"), may_move=True).url
        == "https://other.example/"
    )


def test_a_known_address_needs_no_slug_to_be_the_same_store(session: Session) -> None:
    first = register_store(session, new_store("alpha", "https://shop.example"))
    again = register_store(session, NewStore(url="https://shop.example", platform="generic", name="Shop"))
    assert (again.id, again.slug) == (first.id, "alpha")


def test_two_processes_that_register_one_store_at_once_do_not_make_two(sessions: Sessions) -> None:
    waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    with sessions() as first, sessions() as second, ThreadPoolExecutor(1) as other:
        register_store(first, new_store("alpha"))
        late = other.submit(register_store, second, new_store("alpha"))
        with sessions() as watcher:
            while not watcher.scalar(text(waiting)):
                watcher.rollback()
                assert not late.done()
        first.commit()
        with pytest.raises(Conflict, match="alpha is being registered by another process; try again"):
            late.result(30)


def test_a_chosen_name_stands_when_the_store_is_added_again(session: Session) -> None:
    register_store(session, replace(new_store("alpha"), name="My Alpha"))
    register_store(session, replace(new_store("alpha"), name="ALPHA | cheap things", is_name_proposed=True))
    assert get_store_summary(session, "alpha").name == "My Alpha"


def test_a_slug_is_made_from_the_host(session: Session) -> None:
    store = register_store(
        session, NewStore(url="http://www.My-Shop.example:8080/x", platform="generic", name="x")
    )
    assert store.slug == "my-shop-example-8080"


def test_a_cancelled_run_frees_its_store(session: Session) -> None:
    register_store(session, new_store("alpha"))
    ticket = open_run(session, "alpha", trigger="operator", worker="test")
    assert ticket is not None
    cancel_run(session, ticket.public_id)
    assert get_run(session, ticket.public_id).state == "cancelled"
    assert open_run(session, "alpha", trigger="operator", worker="test") is not None


def test_what_is_not_there_is_not_found(session: Session) -> None:
    for call in (
        lambda: get_run(session, "x"),
        lambda: get_store_summary(session, "x"),
        lambda: request_crawl(session, "x"),
    ):
        with pytest.raises(NotFound):
            call()
