"""Looking at chosen offers before checkout: what stores say, what is believed, what counts in the next plan."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from aggregator import platforms
from aggregator.db.models import (
    CheckoutRow,
    LiveCheckOfferRow,
    LiveCheckRow,
    OfferPriceRow,
    OfferRow,
    StoreCrawlStateRow,
    StoreRow,
)
from aggregator.db.session import Sessions
from aggregator.domain.checkouts import Checkout
from aggregator.domain.errors import Conflict, FetchFailed, NotFound
from aggregator.domain.live_checks import KnownPrices, is_doubtful
from aggregator.domain.money import Money
from aggregator.domain.offers import OfferState
from aggregator.domain.stores import NOT_DETECTED, HandOff, HandOffLine, Store
from aggregator.domain.vocabulary import Availability
from aggregator.fetching import Fetcher
from aggregator.platforms import HandOffBuilder, StorePlatform
from aggregator.settings import Settings
from aggregator.shopping.carts import add_to_cart, plan_cart
from aggregator.shopping.handoffs import (
    build_checkout,
    check_again,
    get_checkout,
    replan_checkout,
    set_hand_off_state,
)
from aggregator.shopping.live_checks import (
    GIVEN_UP_AFTER,
    begin_check,
    find_live_check,
    finish_check,
    forget_old_checks,
    fresh_offers,
    keep_states,
)
from spiders.offer_checks import check_stores
from tests.integration.shop_rows import cart_of, offer_row, product_row, store_row
from workers.checking import checking
from workers.context import WorkContext

ASSUMED = Decimal("5.90")
Answer = Callable[[Store, Sequence[HandOffLine]], list[OfferState]]
_answers: dict[str, Answer] = {}


def _check(store: Store, lines: Sequence[HandOffLine], fetcher: Fetcher) -> list[OfferState]:
    return _answers[store.slug](store, lines)


telling = StorePlatform(
    name="telling",
    title="Telling",
    detect=lambda evidence: NOT_DETECTED,
    spider="nowhere:Nothing",
    check_offers=_check,
    handoff=HandOffBuilder(
        "cart_link",
        lambda store, lines: HandOff(kind="cart_link", url=f"{store.url}/fill", replaces_cart=True),
    ),
)


@pytest.fixture(autouse=True)
def platform(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A store platform of somebody else's whose stores say what a test has them say."""
    found = [EntryPoint("telling", f"{__name__}:telling", platforms.ENTRY_POINT_GROUP)]
    monkeypatch.setattr(platforms, "entry_points", lambda group: found)
    platforms.installed_platforms.cache_clear()
    _answers.clear()
    yield
    platforms.installed_platforms.cache_clear()


def state(line: HandOffLine | str, price: str | None = "10.00", **changes: object) -> OfferState:
    told = OfferState(
        external_id=line if isinstance(line, str) else line.external_id,
        price=Money(Decimal(price), "EUR") if price else None,
        availability=Availability.IN_STOCK,
        checked_at=datetime.now(UTC),
    )
    return replace(told, **changes)  # type: ignore[arg-type]  # a test's own field names


def cart_at(session: Session, *slugs: str, price: str = "10.00", quantity: int = 2) -> str:
    """A cart with one product at each of these new stores; its token."""
    products = [product_row(session, f"Article of {slug}") for slug in slugs]
    for slug, product in zip(slugs, products, strict=True):
        offer_row(session, store_row(session, slug, platform="telling"), product, price, number=1)
    return cart_of(session, *(product.public_id for product in products), quantity=quantity)


def check_out(session: Session, token: str) -> Checkout:
    return build_checkout(session, token, assumed_shipping=ASSUMED)


def look(session: Session, *told: OfferState) -> None:
    """Do the check that waits: each offer is answered by the state of its id, or not at all."""
    check = begin_check(session)
    assert check is not None
    by_id = {one.external_id: one for one in told}
    for store in check.stores:
        if all(line.external_id in by_id for line in store.lines):
            keep_states(session, store.rows, [by_id[line.external_id] for line in store.lines])
    finish_check(session, check.id)


def found_states(session: Session, token: str, checkout: Checkout) -> dict[str, str]:
    check = get_checkout(session, token, checkout.id).check
    assert check is not None
    return {
        str(session.scalar(select(OfferRow.external_id).where(OfferRow.public_id == offer_id))): offer.state
        for offer_id, offer in check.offers.items()
    }


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({}, "same"),
        ({"price": Money(Decimal("11.50"), "EUR")}, "changed"),
        ({"price": Money(Decimal("8.00"), "EUR"), "availability": None}, "changed"),
        ({"stock_level": 2}, "same"),
        ({"stock_level": 1}, "changed"),
        ({"availability": Availability.SOLD_OUT}, "sold_out"),
        ({"availability": Availability.OUT_OF_STOCK, "price": None}, "sold_out"),
        (
            {"availability": None, "price": None, "problem": "is no longer listed", "is_gone": True},
            "sold_out",
        ),
        ({"price": None, "availability": None, "problem": "cannot be reached"}, "unverified"),
        ({"price": Money(Decimal("1000.00"), "EUR")}, "doubtful"),
        ({"price": Money(Decimal("1.00"), "EUR")}, "doubtful"),
        ({"price": Money(Decimal("0.10"), "EUR")}, "doubtful"),
        ({"price": Money(Decimal("10.00"), "USD")}, "doubtful"),
    ],
)
def test_what_a_store_says_is_put_beside_what_was_planned(
    session: Session, told: dict[str, Any], expected: str
) -> None:
    token = cart_at(session, "near")
    checkout = check_out(session, token)
    assert found_states(session, token, checkout) == {"near-1": "waiting"}

    look(session, replace(state("near-1"), **told))

    assert found_states(session, token, checkout) == {"near-1": expected}
    check = get_checkout(session, token, checkout.id).check
    assert check is not None
    (offer,) = check.offers.values()
    assert (check.is_open, offer.before) == (False, Money(Decimal("10.00"), "EUR"))


def test_the_next_plan_takes_what_was_said(session: Session) -> None:
    product = product_row(session, "Kettle")
    for slug, price in (("near", "10.00"), ("far", "12.00")):
        offer_row(session, store_row(session, slug, platform="telling"), product, price, number=1)
    _, token = add_to_cart(session, None, product.public_id, 1)
    assert token is not None
    checkout = check_out(session, token)
    assert [step.store_name for step in checkout.steps] == ["Near"]

    look(session, state("near-1", "15.00"))

    again = replan_checkout(session, token, checkout.id, assumed_shipping=ASSUMED)
    assert [(step.store_name, step.subtotal.plain()) for step in again.steps] == [("Far", "12.00")]
    # What nobody looked at yet is looked at now; it is dearer still, and the first store is best after all.
    look(session, state("far-1", "16.00"))
    last = replan_checkout(session, token, again.id, assumed_shipping=ASSUMED)
    assert [(step.store_name, step.subtotal.plain()) for step in last.steps] == [("Near", "15.00")]
    # It was said minutes ago, so that the store is not asked a second time.
    assert begin_check(session) is None
    assert found_states(session, token, last) == {"near-1": "same"}
    assert session.scalar(select(OfferRow.price).where(OfferRow.external_id == "near-1")) == Decimal("10.00")


def test_what_is_sold_out_leaves_the_plan_until_a_crawl_sees_it_again(session: Session) -> None:
    token = cart_at(session, "near")
    check_out(session, token)
    look(session, state("near-1", availability=Availability.SOLD_OUT))
    assert plan_cart(session, token, assumed_shipping=ASSUMED).stores == ()

    session.execute(update(StoreRow).values(checked_at=datetime.now(UTC) + timedelta(seconds=1)))

    assert len(plan_cart(session, token, assumed_shipping=ASSUMED).stores) == 1


def test_what_a_crawl_read_since_is_looked_at_anew(session: Session) -> None:
    token = cart_at(session, "near")
    check_out(session, token)
    look(session, state("near-1", "11.00"))
    session.execute(update(StoreRow).values(checked_at=datetime.now(UTC) + timedelta(seconds=1)))
    checkout = check_out(session, token)
    assert checkout.steps[0].subtotal.plain() == "20.00"
    assert found_states(session, token, checkout) == {"near-1": "waiting"}


def test_a_doubted_price_is_never_planned_with(session: Session) -> None:
    token = cart_at(session, "near")
    checkout = check_out(session, token)
    look(session, state("near-1", "0.10"))
    again = replan_checkout(session, token, checkout.id, assumed_shipping=ASSUMED)
    assert again.total == checkout.total
    # It is still told, though nobody is asked anew.
    assert found_states(session, token, again) == {"near-1": "doubtful"}


def test_what_was_said_counts_for_some_minutes_only(session: Session) -> None:
    token = cart_at(session, "near")
    check_out(session, token)
    look(session, state("near-1", "11.00"))
    assert plan_cart(session, token, assumed_shipping=ASSUMED).stores[0].subtotal.plain() == "22.00"

    session.execute(update(LiveCheckOfferRow).values(checked_at=datetime.now(UTC) - timedelta(minutes=11)))

    assert plan_cart(session, token, assumed_shipping=ASSUMED).stores[0].subtotal.plain() == "20.00"


def test_a_store_that_cannot_be_asked_is_unverified_and_can_be_left_out(session: Session) -> None:
    product = product_row(session, "Kettle")
    stores = {slug: store_row(session, slug, platform="telling") for slug in ("near", "far")}
    for slug, price in (("near", "10.00"), ("far", "12.00")):
        offer_row(session, stores[slug], product, price, number=1)
    _, token = add_to_cart(session, None, product.public_id, 1)
    assert token is not None
    checkout = check_out(session, token)

    look(session)

    assert found_states(session, token, checkout) == {"near-1": "unverified"}
    again = replan_checkout(
        session,
        token,
        checkout.id,
        assumed_shipping=ASSUMED,
        without_stores={checkout.steps[0].store_id},
    )
    assert [step.store_name for step in again.steps] == ["Far"]
    # The plan without it was for once.
    assert plan_cart(session, token, assumed_shipping=ASSUMED).stores[0].store_name == "Near"


def test_a_check_that_no_worker_does_is_given_up(session: Session) -> None:
    token = cart_at(session, "near")
    checkout = check_out(session, token)
    session.execute(update(LiveCheckRow).values(created_at=datetime.now(UTC) - GIVEN_UP_AFTER))

    check = get_checkout(session, token, checkout.id).check

    assert check is not None
    assert (check.is_open, check.count("unverified")) == (False, 1)
    assert begin_check(session) is None
    check_again(session, token, checkout.id)
    assert begin_check(session) is not None


def test_asking_twice_makes_one_check(session: Session) -> None:
    token = cart_at(session, "near")
    checkout = check_out(session, token)
    for _ in range(3):
        check_again(session, token, checkout.id)
    assert len(session.scalars(select(LiveCheckRow)).all()) == 1


def test_only_what_failed_is_asked_again(session: Session) -> None:
    token = cart_at(session, "near", "far")
    checkout = check_out(session, token)
    look(session, state("near-1"))
    assert found_states(session, token, checkout) == {"near-1": "same", "far-1": "unverified"}

    check_again(session, token, checkout.id)

    check = begin_check(session)
    assert check is not None
    assert [one.store.slug for one in check.stores] == ["far"]


def test_a_store_whose_circuit_is_open_is_left_alone(session: Session) -> None:
    token = cart_at(session, "near", "far")
    near = session.scalars(select(StoreRow).where(StoreRow.slug == "near")).one()
    retry_at = datetime.now(UTC) + timedelta(hours=1)
    session.add(StoreCrawlStateRow(store_id=near.id, circuit="open", failures=3, retry_at=retry_at))
    session.flush()
    checkout = check_out(session, token)

    check = begin_check(session)

    assert check is not None
    assert [one.store.slug for one in check.stores] == ["far"]
    assert found_states(session, token, checkout)["near-1"] == "unverified"


def test_an_answer_that_comes_too_late_changes_nothing(session: Session) -> None:
    token = cart_at(session, "near")
    checkout = check_out(session, token)
    check = begin_check(session)
    assert check is not None
    finish_check(session, check.id)
    keep_states(session, check.stores[0].rows, [state("near-1", "11.00")])
    assert found_states(session, token, checkout) == {"near-1": "unverified"}


def test_nobody_checks_or_plans_the_checkout_of_another(session: Session) -> None:
    mine, theirs = cart_at(session, "near"), cart_at(session, "far")
    checkout = check_out(session, mine)
    for token in (theirs, None, "", "made up"):
        with pytest.raises(NotFound):
            check_again(session, token, checkout.id)
        with pytest.raises(NotFound):
            replan_checkout(session, token, checkout.id, assumed_shipping=ASSUMED)
    # Whoever holds its signed link may.
    again = replan_checkout(session, None, checkout.id, assumed_shipping=ASSUMED, granted={checkout.id})
    set_hand_off_state(session, None, again.steps[0].id, "bought", granted={again.id})
    with pytest.raises(NotFound):
        set_hand_off_state(session, None, again.steps[0].id, "bought", granted={checkout.id})
    with pytest.raises(Conflict):
        replan_checkout(session, mine, again.id, assumed_shipping=ASSUMED)


def test_what_is_bought_is_not_looked_at(session: Session) -> None:
    token = cart_at(session, "near", "far")
    checkout = check_out(session, token)
    look(session)
    bought = next(step for step in checkout.steps if step.store_name == "Near")
    set_hand_off_state(session, token, bought.id, "bought")
    check_again(session, token, checkout.id)
    assert found_states(session, token, checkout) == {"far-1": "waiting"}


def test_a_cart_of_very_many_offers_is_asked_for_in_one_question(session: Session) -> None:
    token = cart_at(session, "near")
    check_out(session, token)
    look(session, state("near-1", "11.00"))
    offer_id = session.scalars(select(OfferRow.id)).one()
    many = [*range(offer_id + 1, offer_id + 100_000), offer_id]
    assert {key: found.price.plain() for key, found in fresh_offers(session, many).items()} == {
        offer_id: "11.00"
    }
    assert fresh_offers(session, []) == {}


def test_old_checks_are_forgotten(session: Session) -> None:
    token = cart_at(session, "near")
    checkout = check_out(session, token)
    assert forget_old_checks(session) == 0
    assert forget_old_checks(session, now=datetime.now(UTC) + timedelta(days=2)) == 1
    row = session.scalars(select(CheckoutRow.id).where(CheckoutRow.public_id == checkout.id)).one()
    assert find_live_check(session, row) is None


@pytest.mark.parametrize(
    ("now", "history", "elsewhere", "doubted"),
    [
        ("14.00", (), None, False),
        ("19.00", (), None, False),
        ("51.00", (), None, True),
        ("100.00", (), None, True),
        ("100.00", ("95.00",), None, False),
        ("100.00", (), "60.00", False),
        ("1000.00", (), "60.00", True),
        ("1.00", (), None, True),
        ("1.00", ("1.20",), None, False),
        ("2.50", (), None, False),
    ],
)
def test_doubts_as_a_run_would(
    session: Session, now: str, history: tuple[str, ...], elsewhere: str | None, doubted: bool
) -> None:
    product = product_row(session, "Kettle")
    offer = offer_row(session, store_row(session, "near", platform="telling"), product, "10.00", number=1)
    for days, price in enumerate(history, start=1):
        recorded_at = datetime.now(UTC) - timedelta(days=days)
        session.add(
            OfferPriceRow(
                offer_id=offer.id,
                recorded_at=recorded_at,
                price=Decimal(price),
                price_currency="EUR",
                price_kind="regular",
            )
        )
    if elsewhere:
        offer_row(session, store_row(session, "far", platform="telling"), product, elsewhere, number=1)
    _, token = add_to_cart(session, None, product.public_id, 1)
    assert token is not None
    checkout = check_out(session, token)
    look(session, state("near-1", now))
    assert (found_states(session, token, checkout)["near-1"] == "doubtful") is doubted


def test_a_factor_of_exactly_ten_is_doubted_where_a_store_allows_larger_jumps() -> None:
    known = KnownPrices(
        price=Money(Decimal("10.00"), "EUR"),
        lowest=Decimal(9),
        highest=Decimal(11),
        elsewhere=None,
        jump=Decimal(50),
    )
    assert is_doubtful(Money(Decimal("100.00"), "EUR"), known)
    assert not is_doubtful(Money(Decimal("130.00"), "EUR"), known)


def committed_cart(sessions: Sessions, *slugs: str) -> tuple[str, Checkout]:
    with sessions.begin() as session:
        token = cart_at(session, *slugs)
        return token, check_out(session, token)


def test_stores_are_asked_at_once_and_no_longer_than_they_may_take(
    sessions: Sessions, settings: Settings
) -> None:
    committed_cart(sessions, "quick", "slow", "broken", "mute")
    is_over = threading.Event()

    def mute(store: Store, lines: Sequence[HandOffLine]) -> list[OfferState]:
        is_over.wait(30)
        return []

    def broken(store: Store, lines: Sequence[HandOffLine]) -> list[OfferState]:
        raise FetchFailed(store.url, "cannot be reached")

    _answers.update(
        quick=lambda store, lines: [state(line) for line in lines],
        slow=lambda store, lines: [] if is_over.wait(0.2) else [state(line) for line in lines],
        broken=broken,
        mute=mute,
    )
    with sessions.begin() as session:
        check = begin_check(session)
    assert check is not None
    told: dict[str, OfferState] = {}
    began = time.monotonic()
    check_stores(
        settings,
        sessions,
        check.stores,
        lambda one, states: told.update({one.store.slug: states[0]}),
        seconds=1.0,
    )
    took = time.monotonic() - began
    is_over.set()
    assert 0.9 < took < 2.5
    assert set(told) == {"quick", "slow", "broken"}
    assert (told["broken"].price, told["broken"].problem) == (None, "cannot be reached")


def test_a_worker_does_the_checks_that_wait(sessions: Sessions, settings: Settings, tmp_path: Path) -> None:
    def wrong(store: Store, lines: Sequence[HandOffLine]) -> list[OfferState]:
        return [state("another")]

    _answers.update(near=lambda store, lines: [state(line, "11.00") for line in lines], far=wrong)
    token, checkout = committed_cart(sessions, "near", "far")
    with checking(WorkContext(settings, sessions)):
        give_up_at = time.monotonic() + 20
        while True:
            with sessions() as session:
                check = get_checkout(session, token, checkout.id).check
                if check is not None and not check.is_open:
                    states = found_states(session, token, checkout)
                    break
            assert time.monotonic() < give_up_at
            time.sleep(0.05)
    assert states == {"near-1": "changed", "far-1": "unverified"}
