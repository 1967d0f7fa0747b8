"""The operations console's forms: settings, secrets, schedule, import and export, people, alarms, the audit log."""

from __future__ import annotations

import json
import re

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from aggregator.accounts.staff import list_staff
from aggregator.catalog.alarms import raise_alarm
from aggregator.catalog.store_settings import get_store_settings
from aggregator.catalog.stores import NewStore, register_store
from aggregator.db.models import AuditEntryRow, StoreRow
from aggregator.db.session import Sessions
from aggregator.secrets import StoreSecrets
from aggregator.settings import Settings
from tests.integration.conftest import Browser
from tests.integration.shop_rows import store_row
from tests.integration.test_web_pages import words

SHOP = "/operations/stores/shop"
FORM = {
    "name": "The Shop",
    "country": "de",
    "currency": "eur",
    "tax_basis": "included",
    "option.crawl_delay": "2,5".replace(",", "."),
    "option.checkout_link_template": "https://shop.example/add?id={id}&qty={quantity}",
    "rule-0-min_order": "10",
    "rule-0-from-0": "",
    "rule-0-cost-0": "4,90",
    "rule-0-from-1": "50",
    "rule-0-cost-1": "0",
    "rule-1-country": "at",
    "rule-1-min_order": "",
    "rule-1-from-0": "0",
    "rule-1-cost-0": "9.90",
    "rule-1-per_item": "0,50",
    "rule-1-per_kg": "1.10",
    "rule-1-delivery_days": "5",
    "rule-2-country": "",
    "rule-2-min_order": "",
    "rule-2-from-0": "",
    "rule-2-cost-0": "",
}


@pytest.fixture
def shop(sessions: Sessions) -> None:
    with sessions.begin() as session:
        register_store(
            session, NewStore(url="https://shop.example", platform="shopify", name="Shop", slug="shop")
        )


@pytest.fixture
def operator(browser: Browser, sessions: Sessions, shop: None) -> Browser:
    browser.sign_in(sessions, "operator")
    return browser


@pytest.fixture
def admin(browser: Browser, sessions: Sessions, shop: None) -> Browser:
    browser.sign_in(sessions, "admin")
    return browser


def seen(browser: Browser) -> str:
    found = re.search(r'name="seen" value="([^"]+)"', browser.page(f"{SHOP}/settings"))
    assert found
    return found[1]


def last_entry(session: Session) -> AuditEntryRow:
    return session.scalars(select(AuditEntryRow).order_by(AuditEntryRow.id.desc()).limit(1)).one()


def test_settings_are_saved_as_the_form_says(operator: Browser, sessions: Sessions) -> None:
    answer = operator.post(f"{SHOP}/settings", **FORM, seen=seen(operator))
    assert (answer.status_code, answer.headers["Location"]) == (303, SHOP)
    with sessions() as session:
        settings = get_store_settings(session, "shop")
        entry = last_entry(session)
    document = settings.to_json()
    assert (document["name"], document["country"], document["currency"]) == ("The Shop", "DE", "EUR")
    assert document["shipping"] == {
        "tiers": [{"min_subtotal": "0", "cost": "4.90"}, {"min_subtotal": "50", "cost": "0"}],
        "min_order": "10",
    }
    assert document["shipping_by_country"] == {
        "AT": {
            "tiers": [{"min_subtotal": "0", "cost": "9.90"}],
            "min_order": None,
            "per_item": "0.50",
            "per_kg": "1.10",
            "delivery_days": 5,
        }
    }
    assert document["options"]["crawl_delay"] == "2.5"
    assert entry.action == "store_settings_changed"
    assert entry.detail["changes"]["name"] == {"from": "Shop", "to": "The Shop"}
    # The form shows what was saved, so that saving it again changes nothing.
    page = operator.page(f"{SHOP}/settings")
    assert 'value="4.90"' in page
    assert 'value="https://shop.example/add?id={id}&amp;qty={quantity}"' in page
    text = words(operator.page("/operations/audit?subject=store:shop"))
    assert "ada@example.org Settings changed store:shop" in text


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"currency": "BTC"}, "is no currency"),
        ({"country": "Germany"}, "is no country"),
        ({"rule-1-country": ""}, "two rules for the same country"),
        ({"rule-0-cost-0": "cheap"}, "is no amount"),
        ({"rule-2-from-0": "100"}, ""),
        ({"option.crawl_delay": "0"}, "crawl_delay"),
        ({"option.checkout_link_template": "https://shop.example/{sku}"}, "cannot be filled in"),
    ],
)
def test_a_form_that_cannot_be_saved_keeps_what_was_typed(
    operator: Browser, change: dict[str, str], problem: str
) -> None:
    answer = operator.post(f"{SHOP}/settings", **{**FORM, **change}, seen=seen(operator))
    if not problem:
        assert answer.status_code == 303  # a tier without a cost in a rule without one is no rule
        return
    assert answer.status_code == 400
    assert problem in answer.text
    assert 'value="The Shop"' in answer.text


def test_settings_that_somebody_changed_meanwhile_are_not_overwritten(
    operator: Browser, sessions: Sessions
) -> None:
    old = seen(operator)
    operator.post(f"{SHOP}/settings", **FORM, seen=old)
    answer = operator.post(f"{SHOP}/settings", **{**FORM, "name": "Late"}, seen=old)
    assert answer.status_code == 409
    assert "somebody else has changed these settings" in answer.text
    with sessions() as session:
        assert get_store_settings(session, "shop").name == "The Shop"


def test_secrets_are_an_admins_and_shown_to_nobody(
    browser: Browser, sessions: Sessions, shop: None, site_settings: Settings
) -> None:
    browser.sign_in(sessions, "operator")
    secret = {"secret.storefront_token": "sesame"}
    assert browser.post(f"{SHOP}/settings", **FORM, **secret, seen=seen(browser)).status_code == 400
    browser.sign_in(sessions, "admin", "admin@example.org")
    assert browser.post(f"{SHOP}/settings", **FORM, **secret, seen=seen(browser)).status_code == 303
    with sessions() as session:
        row = session.scalars(select(StoreRow)).one()
        assert StoreSecrets.from_settings(site_settings).open(row.secret_options) == {
            "storefront_token": "sesame"
        }
        assert "sesame" not in json.dumps(last_entry(session).detail)
    for address in (f"{SHOP}/settings", SHOP, "/operations/stores/export.json", "/operations/audit"):
        assert "sesame" not in browser.page(address)
    assert browser.post(f"{SHOP}/settings", **FORM, seen=seen(browser)).status_code == 303
    with sessions() as session:
        assert get_store_settings(session, "shop").secret_names == ("storefront_token",)
    forgotten = browser.post(
        f"{SHOP}/settings", **{**FORM, "forget.storefront_token": "1"}, seen=seen(browser)
    )
    assert forgotten.status_code == 303
    with sessions() as session:
        assert get_store_settings(session, "shop").secret_names == ()


def test_a_schedule_that_cannot_be_is_explained_and_a_good_one_planned(
    operator: Browser, sessions: Sessions
) -> None:
    refused = operator.post(f"{SHOP}/schedule", kind="cron", cron="30 25 * * *", timezone="Europe/Berlin")
    assert refused.status_code == 400
    assert "&#39;25&#39; is no hour" in refused.text
    assert operator.post(f"{SHOP}/schedule", kind="interval", number="5", unit="seconds").status_code == 400
    form = {"kind": "interval", "number": "6", "unit": "hours", "jitter": "10", "timezone": "Europe/Berlin"}
    assert operator.post(f"{SHOP}/schedule", **form).status_code == 303
    with sessions() as session:
        assert get_store_settings(session, "shop").schedule.to_json() == {
            "interval": 21_600,
            "timezone": "Europe/Berlin",
            "jitter": 600,
        }
    shown = operator.page(
        f"{SHOP}/schedule/next?kind=cron&cron=30+2+*+*+*&timezone=Europe/Berlin&after=2027-03-27"
    )
    assert "Sun, Mar 28, 2027, 03:00" in shown


def test_an_export_is_imported_after_a_look_at_what_it_changes(admin: Browser, sessions: Sessions) -> None:
    exported = admin.get("/operations/stores/export.json")
    assert exported.headers["Content-Disposition"] == 'attachment; filename="click2cart-stores.json"'
    text = exported.text.replace('"name": "Shop"', '"name": "Renamed"')
    page = admin.post("/operations/stores/import", text=text)
    assert page.status_code == 200
    assert "shop changed storefront_token" in words(page.text)
    with sessions() as session:
        assert get_store_settings(session, "shop").name == "Shop"
    assert admin.post("/operations/stores/import", text=text, confirmed="1").status_code == 303
    with sessions() as session:
        assert get_store_settings(session, "shop").name == "Renamed"
    for wrong in ("", "[", '{"stores": []}', "[" * 100_000):
        assert admin.post("/operations/stores/import", text=wrong).status_code == 400


def test_a_store_is_removed_only_by_its_typed_name(admin: Browser, sessions: Sessions) -> None:
    refused = admin.post(f"{SHOP}/remove", slug="shoop")
    assert refused.status_code == 400
    assert "type shop to confirm" in refused.text
    form = {"slug": "shoop", "csrf_token": admin.form_token()}
    german = admin.client.post(f"{SHOP}/remove", data=form, headers={"Accept-Language": "de"})
    assert "Kurzname: das ist nicht der Kurzname des Shops; tippen Sie zur Bestätigung shop" in german.text
    assert admin.post(f"{SHOP}/remove", slug="shop").status_code == 303
    assert "Being removed" in admin.page("/operations")
    assert admin.post(f"{SHOP}/crawl").status_code == 409
    with sessions() as session:
        assert session.scalars(select(StoreRow.next_crawl_at)).one() is None


def test_people_are_invited_once_and_the_last_admin_stays(admin: Browser, sessions: Sessions) -> None:
    page = admin.post("/operations/people", email="Grace@example.org ", role="operator")
    assert page.status_code == 200
    link = re.search(r"(/login/link/[\w-]+)<", page.text)
    assert link
    other = Browser(admin.client.application)
    assert other.post(link[1]).status_code == 303
    assert other.get("/operations").status_code == 200
    assert link[1] not in admin.page("/operations/people")
    # Whoever has an account keeps the way in that is theirs alone.
    again = admin.post("/operations/people", email="grace@example.org", role="admin")
    assert again.status_code == 303
    assert admin.post("/operations/people", email="nobody", role="operator").status_code == 400
    with sessions() as session:
        staff = {member.email: member for member in list_staff(session)}
    assert staff["grace@example.org"].roles == ("admin", "operator")
    assert admin.post(f"/operations/people/{staff['grace@example.org'].id}/remove").status_code == 303
    assert other.get("/operations").status_code == 303
    last = admin.post(f"/operations/people/{staff['ada@example.org'].id}/remove")
    assert last.status_code == 409
    assert "this is the only admin" in last.text


def test_an_alarm_is_seen_to(operator: Browser, sessions: Sessions) -> None:
    with sessions.begin() as session:
        store = session.scalars(select(StoreRow)).one()
        raise_alarm(
            session,
            "store_stale",
            subject="shop",
            store_id=store.id,
            message="Shop was not read to its end for 30 hours; its prices grow old.",
            figures={"age_seconds": 108_000},
        )
    page = operator.page("/operations/alarms")
    assert "Not read for too long Open Shop was not read to its end for 30 hours" in words(page)
    assert "Not read for 30 hr" in words(page)
    german = words(operator.get("/operations/alarms", headers={"Accept-Language": "de"}).text)
    assert (
        "Zu lange nicht gelesen Offen Shop wurde so lange nicht zu Ende gelesen: 30 Stunden. Die Preise veralten."
        in german
    )
    assert "Nicht gelesen seit 30 Std." in german
    action = re.search(r'action="(/operations/alarms/[^"]+/acknowledge)"', page)
    assert action
    assert operator.post(action[1], next=SHOP).headers["Location"] == SHOP
    assert "Not read for too long Seen to" in words(operator.page("/operations/alarms"))
    assert operator.post(action[1], next="https://evil.example").headers["Location"] == "/operations/alarms"


def test_stores_are_filtered_and_sorted_by_the_address(operator: Browser, sessions: Sessions) -> None:
    with sessions.begin() as session:
        register_store(
            session, NewStore(url="https://zoo.example", platform="generic", name="Zoo", slug="zoo")
        )
    assert operator.post("/operations/stores/zoo/pause").status_code == 303
    names = re.compile(r'data-row href="/operations/stores/([a-z]+)"')
    assert names.findall(operator.page("/operations")) == ["shop", "zoo"]
    assert names.findall(operator.page("/operations?show=paused")) == ["zoo"]
    assert names.findall(operator.page("/operations?q=SHOPI")) == ["shop"]
    assert names.findall(operator.page("/operations?sort=next")) == ["shop", "zoo"]
    assert "No store is like that." in operator.page("/operations?q=nothing")
    assert operator.post("/operations/stores/zoo/resume").status_code == 303
    assert names.findall(operator.page("/operations?show=paused")) == []


def test_settings_of_a_store_whose_plug_in_is_missing_say_so_and_can_be_changed(
    browser: Browser, sessions: Sessions
) -> None:
    with sessions.begin() as session:
        store_row(session, "orphan", platform="nowhere").options = {"collection": "kettles"}
    browser.sign_in(sessions, "admin")
    page = browser.page("/operations/stores/orphan/settings")
    assert "nowhere is not installed here" in page
    seen = re.search(r'name="seen" value="([^"]+)"', page)
    assert seen
    saved = browser.post(
        "/operations/stores/orphan/settings",
        seen=seen[1],
        name="Orphan",
        currency="EUR",
        tax_basis="included",
    )
    assert saved.status_code == 303
    with sessions() as session:
        settings = get_store_settings(session, "orphan")
    assert (settings.name, settings.currency, settings.options) == (
        "Orphan",
        "EUR",
        {"collection": "kettles"},
    )
