"""Alerts reach their account by browsers, messengers, signed webhooks and a feed, in its language."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import socket
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import urlsplit

import http_ece
import jwt
import pytest
from apprise.plugins.discord import NotifyDiscord
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import Flask
from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from aggregator.accounts.profiles import set_language
from aggregator.accounts.sessions import sign_out_everywhere
from aggregator.accounts.sign_in import invite
from aggregator.db.models import (
    AccountRow,
    AlertEventRow,
    AlertMessengerRow,
    AlertRow,
    AlertWishesRow,
    NoticeRow,
    OfferRow,
    ProductRow,
    PushSubscriptionRow,
)
from aggregator.db.session import Sessions
from aggregator.domain.errors import InvalidInput, NotDelivered, NotFound
from aggregator.domain.identifiers import new_public_id
from aggregator.domain.messengers import read_messenger_address
from aggregator.domain.money import Money
from aggregator.notifications.messengers import send_to_messenger
from aggregator.notifications.outbox import outbox_state
from aggregator.settings import Settings
from aggregator.shopping.account_data import export_account
from aggregator.shopping.alert_browsers import add_browser, find_subscription, list_browsers, remove_browser
from aggregator.shopping.alert_channels import find_webhook_key, renew_webhook_key, reseal_alert_channels
from aggregator.shopping.alert_messengers import (
    MOST_MESSENGERS,
    add_messenger,
    find_messenger,
    list_messengers,
    remove_messenger,
)
from aggregator.shopping.alert_telling import tell_alerts
from aggregator.shopping.alerts import NewAlert, Telling, set_alert, set_telling
from tests.integration.conftest import Browser, ShopWindow
from tests.integration.test_alarms import Hook, webhook_catcher
from workers.telling import deliver_notices

DISCORD = "discord://123456789012345678/" + "aB_-" * 16


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Phone:
    """A browser with its push service, which holds what was sent until the browser reads it."""

    service: Hook
    auth: bytes = b"sixteen bytes of"
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def keys(self) -> dict[str, str]:
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return {"p256dh": encoded(point), "auth": encoded(self.auth)}

    def subscribe(self, session: Session, settings: Settings, account: int) -> str:
        return add_browser(
            session, settings, account, endpoint=self.service.url, **self.keys, device="Firefox, Linux"
        ).id

    def read(self, index: int = -1) -> dict[str, str]:
        """A message, if it is really from the site: its service checks the signature, the browser decrypts."""
        headers, body = self.service.posts[index]
        found = re.fullmatch(r"vapid t=([^,]+), k=(\S+)", headers["Authorization"])
        assert found
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), decoded(found[2]))
        parts = urlsplit(self.service.url)
        jwt.decode(found[1], public, algorithms=["ES256"], audience=f"{parts.scheme}://{parts.netloc}")
        assert headers["Content-Encoding"] == "aes128gcm"
        plain = http_ece.decrypt(body, private_key=self.key, auth_secret=self.auth, version="aes128gcm")
        message: dict[str, str] = json.loads(plain)
        return message


@pytest.fixture
def account(sessions: Sessions, shop_window: ShopWindow) -> int:
    with sessions.begin() as session:
        invite(session, "ada@example.org", "shopper")
        return session.scalars(select(AccountRow.id)).one()


def on_loopback(settings: Settings, hook: Hook) -> Settings:
    return replace(
        settings,
        site_url="https://prices.example",
        allow_private_hosts=frozenset({urlsplit(hook.url).netloc}),
    )


def fire(session: Session, account: int, product: str) -> None:
    """An alert of the account that has just fired."""
    alert = set_alert(
        session, account, NewAlert(product_id=product, rule="below", amount=Money(Decimal(15), "EUR"))
    )
    key = session.scalars(select(AlertRow.id).where(AlertRow.public_id == alert.id)).one()
    session.execute(
        insert(AlertEventRow).values(
            public_id=new_public_id(),
            alert_id=key,
            account_id=account,
            price=Decimal("14.90"),
            total=Decimal("19.80"),
            currency="EUR",
            store_name="Wild",
        )
    )


def told(sessions: Sessions, settings: Settings) -> tuple[int, int]:
    """What fired is told; (sent, not sent)."""
    with sessions.begin() as session:
        tell_alerts(session, settings)
    return deliver_notices(settings, sessions)


def test_a_browser_gets_what_it_alone_can_read_until_it_is_gone(
    sessions: Sessions, site_settings: Settings, account: int, shop_window: ShopWindow
) -> None:
    with webhook_catcher() as service:
        settings, phone = on_loopback(site_settings, service), Phone(service)
        with sessions.begin() as session:
            set_telling(session, account, Telling(by_mail=False))
            browser = phone.subscribe(session, settings, account)
            # The same browser again is the same one, with what it says now.
            browser = phone.subscribe(session, settings, account)
            sealed = session.scalars(select(PushSubscriptionRow.content_sealed)).one()
            assert "127.0.0.1" not in sealed
            fire(session, account, shop_window.kettle)
        assert told(sessions, settings) == (1, 0)
        message = phone.read()
        with sessions() as session:
            notice = session.scalars(select(NoticeRow)).one()
            assert (notice.recipient, notice.account_id) == (browser, account)
            assert message == {
                "id": notice.public_id,
                "title": "Alfi Kettle K-100",
                "text": "Alfi Kettle K-100 is at or below your price: €14.90 (€19.80 with shipping) at Wild",
                "url": f"https://prices.example/products/{shop_window.kettle}",
                "tag": session.scalars(select(AlertRow.public_id)).one(),
            }
        service.status = 410
        with sessions.begin() as session:
            fire(session, account, shop_window.mug)
        assert told(sessions, settings) == (0, 1)
        with sessions.begin() as session:
            assert list_browsers(session, account) == ()
            assert session.scalars(select(NoticeRow.state).order_by(NoticeRow.id)).all() == [
                "sent",
                "given_up",
            ]
            # It is nothing that an operator could mend.
            assert outbox_state(session).given_up == 0
            fire(session, account, shop_window.lonely)
        assert told(sessions, settings) == (0, 0)


def test_nothing_is_posted_into_a_private_network(
    sessions: Sessions, site_settings: Settings, account: int, shop_window: ShopWindow
) -> None:
    with webhook_catcher() as inside, webhook_catcher() as service:
        settings = on_loopback(site_settings, service)
        service.status, service.location = 307, inside.url
        with sessions.begin() as session:
            set_telling(session, account, Telling(by_mail=False))
            Phone(service).subscribe(session, settings, account)
            hidden = Phone(Hook(url=inside.url.replace("http:", "https:")))
            hidden.subscribe(session, settings, account)
            fire(session, account, shop_window.kettle)
        assert told(sessions, settings) == (0, 2)
        assert inside.posts == []
        with sessions() as session:
            problems = session.execute(
                select(NoticeRow.state, NoticeRow.problem).order_by(NoticeRow.id)
            ).all()
        assert [state for state, _problem in problems] == ["given_up", "given_up"]
        assert all("no address of the open internet" in (problem or "") for _state, problem in problems)


def test_a_messenger_is_written_to_and_a_store_mentions_nobody(
    sessions: Sessions,
    site_settings: Settings,
    account: int,
    shop_window: ShopWindow,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with webhook_catcher() as discord, webhook_catcher() as elsewhere:
        monkeypatch.setattr(NotifyDiscord, "notify_url", discord.url)
        settings = replace(site_settings, site_url="https://prices.example")
        with sessions.begin() as session:
            set_telling(session, account, Telling(by_mail=False))
            set_language(session, account, "de")
            added = add_messenger(session, settings, account, f" {DISCORD}/ ")
            assert (added.service, added.shown) == ("Discord", "\N{HORIZONTAL ELLIPSIS}aB_-")
            assert DISCORD[-20:] not in session.scalars(select(AlertMessengerRow.address_sealed)).one()
            session.execute(
                update(ProductRow).values(title="@everyone <!channel> [free](https://evil.example)")
            )
            fire(session, account, shop_window.kettle)
        assert told(sessions, settings) == (1, 0)
        (_headers, body) = discord.posts[0]
        written = json.dumps(json.loads(body), ensure_ascii=False)
        assert "hat Ihren Preis erreicht: 14,90" in written
        assert f"https://prices.example/products/{shop_window.kettle}" in written
        assert not {"@everyone", "<!channel>", "[free]"} & set(
            re.findall(r"@everyone|<!channel>|\[free\]", written)
        )
        # It fails, it leads elsewhere: it is tried again later, and the outbox goes on.
        for discord.status, discord.location in ((500, None), (302, elsewhere.url)):
            with sessions.begin() as session:
                fire(session, account, shop_window.mug)
            assert told(sessions, settings) == (0, 1)
        assert elsewhere.posts == []
        with sessions() as session:
            waiting = session.scalars(select(NoticeRow.problem).where(NoticeRow.state == "waiting")).all()
            assert waiting == ["it did not take the message"] * 2


def test_a_messenger_that_does_not_answer_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(NotifyDiscord, "notify_url", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(NotDelivered, match="did not answer within") as raised:
            send_to_messenger(read_messenger_address(DISCORD), "Kettle", "10 EUR", within=0.2)
        assert not raised.value.is_final


def test_a_webhook_is_signed_with_its_accounts_own_key(
    sessions: Sessions, site_settings: Settings, account: int, shop_window: ShopWindow
) -> None:
    with webhook_catcher() as hook:
        settings = on_loopback(site_settings, hook)
        with sessions.begin() as session:
            set_telling(session, account, Telling(by_mail=False))
            session.execute(update(AlertWishesRow).values(webhook=hook.url))
            old = renew_webhook_key(session, settings, account)
            key = renew_webhook_key(session, settings, account)
            # What else is kept of how one is told leaves the key alone.
            set_telling(session, account, Telling(by_mail=False, webhook="https://hooks.example/x"))
            session.execute(update(AlertWishesRow).values(webhook=hook.url))
            fire(session, account, shop_window.kettle)
        assert told(sessions, settings) == (1, 0)
    ((headers, body),) = hook.posts

    def signature(with_key: str) -> str:
        signed = headers["Click2Cart-Timestamp"].encode() + b"." + body
        return "sha256=" + hmac.new(with_key.encode(), signed, hashlib.sha256).hexdigest()

    assert headers["Click2Cart-Signature"] == signature(key) != signature(old)


def test_everything_is_sealed_and_sealed_anew(
    sessions: Sessions, site_settings: Settings, account: int
) -> None:
    settings = replace(site_settings, secret_key="the first secret of all")
    renewed = replace(
        site_settings,
        secret_key="the second secret of all",
        previous_secret_keys=("the first secret of all",),
    )
    endpoint = Phone(Hook(url="https://push.example/x"))
    with sessions.begin() as session:
        browser = endpoint.subscribe(session, settings, account)
        messenger = add_messenger(session, settings, account, DISCORD)
        key = renew_webhook_key(session, settings, account)
        assert reseal_alert_channels(session, renewed) == 3
        alone = replace(renewed, previous_secret_keys=())
        found = find_subscription(session, alone, browser)
        assert found is not None
        assert found.endpoint == "https://push.example/x"
        assert find_messenger(session, alone, messenger.id) == read_messenger_address(DISCORD)
        assert find_webhook_key(session, alone, account) == key
        # Found again by its address under the new key, too.
        assert endpoint.subscribe(session, alone, account) != browser
        assert len(list_browsers(session, account)) == 1
        exported = json.dumps(export_account(session, alone, account)["alerts"])
        assert DISCORD in exported
        assert key not in exported


def test_strangers_end_nothing_and_there_is_an_end_to_adding(
    sessions: Sessions, site_settings: Settings, account: int
) -> None:
    phone = Phone(Hook(url="https://push.example/x"))
    with sessions.begin() as session:
        invite(session, "eve@example.org", "shopper")
        eve = session.scalars(select(AccountRow.id).where(AccountRow.email == "eve@example.org")).one()
        browser = phone.subscribe(session, site_settings, account)
        messenger = add_messenger(session, site_settings, account, DISCORD)
        assert add_messenger(session, site_settings, account, DISCORD) == messenger
        with pytest.raises(NotFound):
            remove_browser(session, eve, browser)
        with pytest.raises(NotFound):
            remove_messenger(session, eve, messenger.id)
        for number in range(MOST_MESSENGERS - 1):
            add_messenger(session, site_settings, account, f"ntfy://topic-{number}")
        with pytest.raises(InvalidInput, match="there are 10 messengers"):
            add_messenger(session, site_settings, account, "ntfy://one-more")
        # The same browser with another account is that one's.
        phone.subscribe(session, site_settings, eve)
        assert list_browsers(session, account) == ()
        assert len(list_browsers(session, eve)) == 1
        sign_out_everywhere(session, eve)
        assert list_browsers(session, eve) == ()
        remove_messenger(session, account, messenger.id)
        assert len(list_messengers(session, site_settings, account)) == MOST_MESSENGERS - 1


def test_the_feed_opens_by_its_present_address_alone(
    app: Flask, sessions: Sessions, shop_window: ShopWindow
) -> None:
    browser, reader = Browser(app), Browser(app)
    browser.sign_in(sessions, "shopper")
    with sessions.begin() as session:
        account = session.scalars(select(AccountRow.id)).one()
        fire(session, account, shop_window.kettle)
        fire(session, account, shop_window.mug)
        set_language(session, account, "fr")

    def address_of(page: str) -> str:
        found = re.search(r"/alerts/feed/[\w-]+\.atom", page)
        assert found
        return found[0]

    first = address_of(browser.post("/alerts/feed").text)
    answer = reader.get(first)
    assert answer.content_type.startswith("application/atom+xml")
    titles = re.findall(r"<title>([^<]+)</title>", answer.text)
    assert titles[0] == "Alertes de prix"
    assert [title.partition(" a atteint votre prix")[0] for title in titles[1:]] == [
        "Mug",
        "Alfi Kettle K-100",
    ]
    again = reader.get(first, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.text) == (304, "")
    second = address_of(browser.post("/alerts/feed").text)
    assert reader.get(first).status_code == 404
    assert reader.get(second).status_code == 200
    assert browser.post("/alerts/feed", stop="1").status_code == 303
    assert reader.get(second).status_code == 404


def test_the_page_adds_and_removes_channels(app: Flask, sessions: Sessions, shop_window: ShopWindow) -> None:
    browser = Browser(app)
    browser.sign_in(sessions, "shopper")
    refused = browser.post("/alerts/messengers", messenger="json://localhost/")
    assert refused.status_code == 400
    assert "this is no address of a messenger that we write to" in refused.text
    assert browser.post("/alerts/messengers", messenger="https://ntfy.sh/my-topic").status_code == 303
    page = browser.page("/alerts")
    assert "ntfy.sh" in page
    assert "my-topic" not in page
    (leave,) = re.findall(r'action="(/alerts/messengers/\w+/remove)"', page)
    assert browser.post(leave).status_code == 303
    assert "/alerts/messengers/" not in browser.page("/alerts").replace('"/alerts/messengers"', "")
    key = browser.post("/alerts/webhook-key")
    assert key.headers["Cache-Control"] == "no-store"
    with sessions() as session:
        account = session.scalars(select(AccountRow.id)).one()
        assert (find_webhook_key(session, app.extensions["click2cart.settings"], account) or "-") in key.text


def test_a_browser_subscribes_over_the_api(
    browser: Browser, sessions: Sessions, shop_window: ShopWindow
) -> None:
    assert browser.get("/api/v1/alerts/browsers").status_code == 401
    browser.sign_in(sessions, "shopper")
    phone = Phone(Hook(url="https://push.example/x"))
    given = {"endpoint": "https://push.example/x", "expirationTime": None, "keys": phone.keys}
    made = browser.client.post("/api/v1/alerts/browsers", json=given)
    assert made.status_code == 201
    listed = browser.get("/api/v1/alerts/browsers").get_json()
    assert listed["items"] == [made.get_json()]
    assert len(decoded(listed["application_server_key"])) == 65
    for broken in (
        {**given, "endpoint": "http://10.0.0.1/"},
        {**given, "keys": {"p256dh": "x", "auth": "y"}},
    ):
        assert browser.client.post("/api/v1/alerts/browsers", json=broken).status_code == 400
    address = f"/api/v1/alerts/browsers/{made.get_json()['id']}"
    assert browser.client.delete(address).status_code == 204
    assert browser.client.delete(address).status_code == 404


def test_mails_speak_the_accounts_language(
    app: Flask, sessions: Sessions, site_settings: Settings, shop_window: ShopWindow
) -> None:
    german = Browser(app)
    german.client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "de-AT"
    german.post("/register", email="new@example.org", password="a kettle on the moon")
    german.post("/recover", email="nobody@example.org")
    german.sign_in(sessions, "shopper", "ada@example.org")
    # Whoever asks, the account is written to in its own language, which it changes where it chooses another.
    Browser(app).post("/recover", email="ada@example.org")
    german.post("/language", language="fr")
    with sessions.begin() as session:
        account = session.scalars(select(AccountRow.id).where(AccountRow.email == "ada@example.org")).one()
        fire(session, account, shop_window.kettle)
        tell_alerts(session, replace(site_settings, site_url="https://prices.example"))
    with sessions() as session:
        mails = session.scalars(select(NoticeRow).order_by(NoticeRow.id)).all()
        assert [mail.content["subject"].partition("\N{NO-BREAK SPACE}:")[0] for mail in mails] == [
            "Schließen Sie Ihre Anmeldung ab",
            "Es gibt kein Konto mit dieser Adresse",
            "Setzen Sie ein neues Passwort",
            "Alfi Kettle K-100 a atteint votre prix",
        ]
        assert [mail.content["headers"]["Content-Language"] for mail in mails] == ["de", "de", "de", "fr"]
        assert "lang=fr" in mails[3].content["html"]


def test_nothing_of_an_accounts_notices_stays_behind_it(
    sessions: Sessions, site_settings: Settings, account: int, shop_window: ShopWindow
) -> None:
    with sessions.begin() as session:
        add_messenger(session, site_settings, account, DISCORD)
        Phone(Hook(url="https://push.example/x")).subscribe(session, site_settings, account)
        set_telling(session, account, Telling(webhook="https://hooks.example/x"))
        fire(session, account, shop_window.kettle)
        assert tell_alerts(session, site_settings, now=datetime.now(UTC)).notices == 4
        session.execute(AccountRow.__table__.delete())
        for row in (NoticeRow, AlertMessengerRow, PushSubscriptionRow, AlertEventRow):
            assert session.scalar(select(func.count()).select_from(row)) == 0
        assert session.scalar(select(func.count()).select_from(OfferRow)) > 0
