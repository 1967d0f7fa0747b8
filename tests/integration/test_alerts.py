"""Price alerts: what changed is looked at once, and each account is told when and as often as it wants."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import func, select, text, update

from aggregator.accounts.sign_in import invite
from aggregator.catalog.search_changes import record_search_changes
from aggregator.db.models import (
    AccountRow,
    AlertEventRow,
    AlertRow,
    NoticeRow,
    OfferRow,
    ProductRow,
    StoreRow,
)
from aggregator.db.session import Sessions
from aggregator.domain.alerts import AlertWishes
from aggregator.domain.errors import InvalidInput
from aggregator.domain.money import Money
from aggregator.settings import Settings
from aggregator.shopping.alert_telling import tell_alerts
from aggregator.shopping.alert_watching import alerts_are_due, watch_alerts
from aggregator.shopping.alert_words import stop_token
from aggregator.shopping.alerts import (
    NewAlert,
    Telling,
    change_alert,
    get_alert,
    list_alerts_of,
    set_alert,
    set_telling,
)
from tests.integration.conftest import Browser, ShopWindow

BELOW_15 = Money(Decimal("15.00"), "EUR")


@pytest.fixture
def account(sessions: Sessions, shop_window: ShopWindow) -> int:
    with sessions.begin() as session:
        invite(session, "ada@example.org", "shopper")
        return session.scalars(select(AccountRow.id)).one()


def ask(sessions: Sessions, offer: str, price: str, **changes: object) -> None:
    """The offer asks this price from now on, as a released run would write it."""
    with sessions.begin() as session:
        product = session.scalar(
            update(OfferRow)
            .where(OfferRow.public_id == offer)
            .values(price=Decimal(price), **changes)
            .returning(OfferRow.product_id)
        )
        assert product is not None
        record_search_changes(session, [product])


def watch(sessions: Sessions) -> int:
    with sessions.begin() as session:
        return watch_alerts(session)


def told(sessions: Sessions, settings: Settings, now: datetime | None = None) -> int:
    with sessions.begin() as session:
        return tell_alerts(session, settings, now=now).notices


def set_below(sessions: Sessions, account: int, shop_window: ShopWindow) -> str:
    with sessions.begin() as session:
        return set_alert(
            session, account, NewAlert(product_id=shop_window.kettle, rule="below", amount=BELOW_15)
        ).id


def test_a_drop_is_told_once_and_a_deeper_one_again(
    sessions: Sessions, settings: Settings, account: int, shop_window: ShopWindow
) -> None:
    set_below(sessions, account, shop_window)
    ask(sessions, shop_window.unknown_shipping_offer, "15.50")
    assert watch(sessions) == 0
    ask(sessions, shop_window.unknown_shipping_offer, "14.90")
    with sessions.begin() as session:
        assert alerts_are_due(session)
    assert watch(sessions) == 1
    with sessions.begin() as session:
        assert not alerts_are_due(session)
    assert watch(sessions) == 0
    assert told(sessions, settings) == 1
    assert told(sessions, settings) == 0
    ask(sessions, shop_window.unknown_shipping_offer, "14.90")
    assert watch(sessions) == 0
    ask(sessions, shop_window.unknown_shipping_offer, "13.00")
    assert watch(sessions) == 1
    ask(sessions, shop_window.unknown_shipping_offer, "16.00")
    assert watch(sessions) == 0
    ask(sessions, shop_window.unknown_shipping_offer, "14.00")
    assert watch(sessions) == 1
    with sessions.begin() as session:
        notice = session.scalars(select(NoticeRow)).one()
        assert notice.recipient == "ada@example.org"
        assert "Kettle" in notice.content["subject"]
        assert "€14.90 (shipping unknown) at Wild" in notice.content["text"]
        assert notice.content["headers"]["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


@pytest.mark.parametrize(
    "changes",
    [
        {"availability": "OutOfStock"},
        {"item_condition": "UsedCondition"},
        {"gone_at": datetime(2026, 1, 1, tzinfo=UTC)},
        {"price_currency": "USD"},
    ],
)
def test_what_cannot_be_bought_so_never_fires(
    sessions: Sessions, account: int, shop_window: ShopWindow, changes: dict[str, object]
) -> None:
    set_below(sessions, account, shop_window)
    ask(sessions, shop_window.unknown_shipping_offer, "10.00", **changes)
    assert watch(sessions) == 0


def test_a_price_that_nobody_looked_at_for_two_days_never_fires(
    sessions: Sessions, account: int, shop_window: ShopWindow
) -> None:
    set_below(sessions, account, shop_window)
    with sessions.begin() as session:
        session.execute(
            update(StoreRow)
            .where(StoreRow.slug == "wild")
            .values(checked_at=datetime.now(UTC) - timedelta(hours=49))
        )
    ask(sessions, shop_window.unknown_shipping_offer, "10.00")
    assert watch(sessions) == 0


def test_only_chosen_stores_and_known_totals_count(
    sessions: Sessions, account: int, shop_window: ShopWindow
) -> None:
    with sessions.begin() as session:
        for new in (
            NewAlert(product_id=shop_window.kettle, rule="below", amount=BELOW_15, stores=("north",)),
            NewAlert(product_id=shop_window.kettle, rule="below", amount=BELOW_15, with_shipping=True),
        ):
            set_alert(session, account, new)
    ask(sessions, shop_window.unknown_shipping_offer, "10.00")
    assert watch(sessions) == 0
    ask(sessions, shop_window.cheap_offer, "10.05")  # and 4.90 for shipping
    assert watch(sessions) == 1


def test_an_alert_follows_a_merged_product(sessions: Sessions, account: int, shop_window: ShopWindow) -> None:
    with sessions.begin() as session:
        alert = set_alert(
            session, account, NewAlert(product_id=shop_window.mug, rule="below", amount=BELOW_15)
        )
        change_alert(session, account, alert.id, is_on=True)
        keys = dict(session.execute(select(ProductRow.public_id, ProductRow.id)).all())
        mug, kettle = keys[shop_window.mug], keys[shop_window.kettle]
        session.execute(update(OfferRow).where(OfferRow.product_id == mug).values(product_id=kettle))
        session.execute(update(ProductRow).where(ProductRow.id == mug).values(merged_into_id=kettle))
        record_search_changes(session, [mug, kettle])
    assert watch(sessions) == 1
    with sessions.begin() as session:
        assert get_alert(session, account, alert.id).product.id == shop_window.kettle


def test_quiet_hours_digest_and_the_days_limit_are_kept(
    sessions: Sessions, settings: Settings, account: int, shop_window: ShopWindow
) -> None:
    night = datetime.now(UTC).replace(hour=23, minute=0) + timedelta(days=1)
    with sessions.begin() as session:
        set_telling(
            session,
            account,
            Telling(wishes=AlertWishes(quiet_from=time(22), quiet_until=time(7), most_a_day=1)),
        )
        for product in (shop_window.kettle, shop_window.mug):
            set_alert(
                session,
                account,
                NewAlert(product_id=product, rule="below", amount=Money(Decimal(100), "EUR")),
            )
        record_search_changes(session, list(session.scalars(select(ProductRow.id))))
    assert watch(sessions) == 2
    assert told(sessions, settings, night) == 0
    morning = night + timedelta(hours=9)
    assert told(sessions, settings, morning) == 1  # two alerts in one mail: one a day is the limit
    with sessions.begin() as session:
        assert session.scalars(select(NoticeRow.content["subject"].astext)).one() == "2 price alerts"
        assert session.scalar(select(func.count()).where(AlertEventRow.told_at.is_(None))) == 0


def test_what_cannot_be_is_refused(sessions: Sessions, account: int, shop_window: ShopWindow) -> None:
    alert = set_below(sessions, account, shop_window)
    assert set_below(sessions, account, shop_window) == alert
    with sessions.begin() as session:
        for new in (
            NewAlert(product_id=shop_window.kettle, rule="below"),
            NewAlert(product_id=shop_window.kettle, rule="percent", percent=100),
            NewAlert(product_id=shop_window.kettle, rule="sometimes"),
        ):
            with pytest.raises(InvalidInput):
                set_alert(session, account, new)
        with pytest.raises(InvalidInput):
            set_telling(session, account, Telling(webhook="http://169.254.169.254/"))
        with pytest.raises(InvalidInput):
            set_telling(session, account, Telling(wishes=AlertWishes(time_zone="Nowhere/Land")))
        assert [one.id for one in list_alerts_of(session, account)] == [alert]


def test_the_pages_and_the_link_in_the_mail(
    app: Flask, sessions: Sessions, site_settings: Settings, shop_window: ShopWindow
) -> None:
    browser = Browser(app)
    assert browser.get("/alerts").status_code == 303
    browser.sign_in(sessions, "shopper")
    sent = browser.post("/alerts", product=shop_window.kettle, rule="below", amount="15,00", currency="EUR")
    assert sent.status_code == 303
    assert "Kettle" in browser.page("/alerts")
    with sessions.begin() as session:
        alert = session.scalars(select(AlertRow)).one()
        assert (alert.amount, alert.is_on) == (Decimal("15.0000"), True)
        link = f"/alerts/stop/{stop_token(site_settings, alert.public_id)}"
    stranger = Browser(app)
    assert "Stop this price alert?" in stranger.page(link)
    assert stranger.client.post(link, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    with sessions.begin() as session:
        assert not session.scalars(select(AlertRow.is_on)).one()
    assert stranger.get(f"{link}x").status_code == 404
    kept = browser.post(
        "/alerts/telling", time_zone="Europe/Berlin", quiet_from="22:00", quiet_until="7:00", most_a_day="5"
    )
    assert kept.status_code == 400  # 7:00 is no time of day as forms write it
    fine = browser.post(
        "/alerts/telling",
        time_zone="Europe/Berlin",
        quiet_from="22:00",
        quiet_until="07:00",
        most_a_day="5",
        by_mail="1",
    )
    assert fine.status_code == 303
    assert browser.post(f"/alerts/{alert.public_id}", delete="1").status_code == 303
    assert "No alert yet" in browser.page("/alerts")


def test_the_api_sets_and_ends_alerts(browser: Browser, sessions: Sessions, shop_window: ShopWindow) -> None:
    assert browser.get("/api/v1/alerts").status_code == 401
    browser.sign_in(sessions, "shopper")
    made = browser.client.post(
        "/api/v1/alerts", json={"product_id": shop_window.kettle, "rule": "percent", "percent": 10}
    )
    assert made.status_code == 201
    address = f"/api/v1/alerts/{made.get_json()['id']}"
    rested = browser.client.put(address, json={"is_on": True, "snooze_days": 3}).get_json()
    assert rested["snoozed_until"] is not None
    assert browser.client.delete(address).status_code == 204
    assert browser.get("/api/v1/alerts").get_json() == {"items": []}


def test_a_kill_while_alerts_are_looked_at_loses_and_doubles_nothing(
    sessions: Sessions, settings: Settings, account: int, shop_window: ShopWindow
) -> None:
    set_below(sessions, account, shop_window)
    ask(sessions, shop_window.unknown_shipping_offer, "10.00")
    session = sessions()
    assert watch_alerts(session) == 1
    session.rollback()  # as a killed process leaves it
    session.close()
    assert watch(sessions) == 1
    session = sessions()
    assert tell_alerts(session, settings).notices == 1
    session.rollback()
    session.close()
    assert told(sessions, settings) == 1
    with sessions.begin() as session:
        assert session.scalar(select(func.count()).select_from(NoticeRow)) == 1
        assert session.scalar(text("select count(*) from alert_position")) == 1


def test_a_webhook_is_told_too(
    sessions: Sessions, settings: Settings, account: int, shop_window: ShopWindow
) -> None:
    with sessions.begin() as session:
        set_telling(session, account, Telling(by_mail=False, webhook="https://hooks.example/x"))
    set_below(sessions, account, shop_window)
    ask(sessions, shop_window.unknown_shipping_offer, "10.00")
    assert watch(sessions) == 1
    assert told(sessions, replace(settings, site_url="https://prices.example")) == 1
    with sessions.begin() as session:
        notice = session.scalars(select(NoticeRow)).one()
        (document,) = notice.content["alerts"]
        assert document["price"] == {"amount": "10.00", "currency": "EUR"}
        assert document["product"]["url"].startswith("https://prices.example/products/")
