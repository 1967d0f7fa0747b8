"""Accounts as their owners meet them: pages, mails, codes, and what strangers may not do."""

from __future__ import annotations

import base64
import io
import json
import re
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from flask import Flask
from PIL import Image
from sqlalchemy import func, select, text, update

from aggregator.accounts import passwords
from aggregator.accounts.phones import ask_phone, confirm_phone, find_phone
from aggregator.accounts.privacy import EXPORTS as ACCOUNT_EXPORTS
from aggregator.accounts.privacy import delete_due_accounts
from aggregator.accounts.sign_in import invite
from aggregator.db.models import (
    AccountAddressRow,
    AccountPictureRow,
    AccountRow,
    AccountSessionRow,
    AuditEntryRow,
    CartLineRow,
    CartRow,
    CheckoutRow,
    MailedTokenRow,
    NoticeRow,
)
from aggregator.db.session import Sessions
from aggregator.domain.identifiers import new_public_id
from aggregator.settings import Settings
from aggregator.shopping.account_data import EXPORTS
from aggregator.shopping.guest_merging import GuestTokens, merge_guest
from tests.integration.conftest import Browser, ShopWindow
from web import create_app

PASSWORD = "a kettle on the moon"
OTHER_PASSWORD = "three spoons in a drawer"
ADDRESS = {
    "name": "Ada Byron",
    "street_address": "St James's Square 12",
    "postal_code": "10115",
    "address_locality": "Berlin",
    "address_country": "DE",
}


@pytest.fixture
def site_settings(site_settings: Settings) -> Settings:
    """The demo's: what would be mailed is read in the inbox."""
    return replace(site_settings, inbox="of the demo", is_demo=True)


def new_address() -> str:
    """An address of this test alone: attempts are counted beyond the test's transaction."""
    return f"{new_public_id()}@shop.example"


def link_in_inbox(browser: Browser, address: str, path: str) -> str:
    """The newest link of that kind that was mailed to the address, without its host."""
    found = re.search(rf"({path}/[\w-]{{20,}})", browser.page(f"/inbox?to={address}"))
    assert found, f"no {path} link to {address}"
    return found[1]


def code_in_inbox(browser: Browser, number: str) -> str:
    found = re.search(r"(\d{6}) is your Click2Cart code", browser.page("/inbox").replace("&#43;", "+"))
    assert found
    return found[1]


def registered(browser: Browser, address: str, password: str = PASSWORD) -> str:
    """Register and finish it by the mailed link; returns the address."""
    assert browser.post("/register", email=address, password=password).status_code == 303
    link = link_in_inbox(browser, address, "/activate")
    assert browser.post(link).status_code == 303
    return address


def sign_in(browser: Browser, address: str, password: str = PASSWORD, **form: str) -> int:
    return browser.post("/login", email=address, password=password, **form).status_code


def is_signed_in(browser: Browser) -> bool:
    return browser.get("/account").status_code == 200


def session_cookie(browser: Browser) -> str:
    cookie = browser.client.get_cookie("click2cart_account")
    assert cookie
    return cookie.value


# Registration


def test_a_registration_is_finished_by_the_mailed_link_and_signs_in(
    browser: Browser, sessions: Sessions
) -> None:
    address = new_address()
    answer = browser.post("/register", email=f" {address.upper()} ", password=PASSWORD)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/mail-sent/register")
    assert not is_signed_in(browser)
    with sessions() as session:
        assert session.scalar(select(func.count()).where(AccountRow.email == address)) == 0

    link = link_in_inbox(browser, address, "/activate")
    assert "Finish and sign in" in browser.page(link)
    assert not is_signed_in(browser)
    assert browser.post(link).status_code == 303

    assert address in browser.page("/account")
    assert browser.post(link).status_code == 410
    browser.post("/logout")
    assert sign_in(browser, address) == 303


def test_on_another_device_the_link_asks_for_the_password_that_was_chosen(app: Flask) -> None:
    somebody, owner = Browser(app), Browser(app)
    address = new_address()
    somebody.post("/register", email=address, password=PASSWORD)
    link = link_in_inbox(owner, address, "/activate")

    assert "Enter the password that you chose there" in owner.page(link)
    assert owner.post(link).status_code == 400
    assert owner.post(link, password="a guess of the owner").status_code == 400
    assert not is_signed_in(owner)
    for _ in range(4):
        owner.post(link, password="a guess of the owner")
    assert owner.post(link, password=PASSWORD).status_code == 410


def test_registering_a_known_address_answers_the_same_after_the_same_work_and_tells_its_owner(
    app: Flask, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, unknown = registered(browser, new_address()), new_address()
    stranger = Browser(app)
    hashed: list[str] = []
    hash_password = passwords.hash_password
    monkeypatch.setattr(passwords, "hash_password", lambda text: hashed.append(text) or hash_password(text))

    answers = []
    for address in (known, unknown):
        answer = stranger.post("/register", email=address, password=OTHER_PASSWORD)
        answers.append((answer.status_code, answer.headers["Location"], answer.text))

    assert answers[0] == answers[1]
    assert hashed == [OTHER_PASSWORD] * 2
    assert "You have an account already" in stranger.page(f"/inbox?to={known}")
    assert sign_in(stranger, known, OTHER_PASSWORD) == 401


@pytest.mark.parametrize(("email", "password"), [("no address", PASSWORD), ("ada@shop.example", "short")])
def test_what_cannot_be_registered_is_said_beside_the_form(
    browser: Browser, email: str, password: str
) -> None:
    answer = browser.post("/register", email=email, password=password)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert email in answer.text


def test_registering_one_address_again_and_again_is_limited(browser: Browser) -> None:
    address = new_address()
    answers = [browser.post("/register", email=address, password=PASSWORD).status_code for _ in range(5)]
    assert answers == [303, 303, 303, 303, 429]


# Recovery and change of address


def test_a_forgotten_password_is_set_anew_by_mail_and_ends_every_session(
    app: Flask, browser: Browser
) -> None:
    address = registered(browser, new_address())
    elsewhere = Browser(app)
    assert elsewhere.post("/recover", email=address).headers["Location"] == "/mail-sent/recover"
    link = link_in_inbox(elsewhere, address, "/recover")
    assert elsewhere.post(link, password="short").status_code == 400

    assert elsewhere.post(link, password=OTHER_PASSWORD).status_code == 303

    assert is_signed_in(elsewhere)
    assert not is_signed_in(browser)
    assert elsewhere.post(link, password=PASSWORD).status_code == 410
    assert sign_in(browser, address, PASSWORD) == 401
    assert sign_in(browser, address, OTHER_PASSWORD) == 303


def test_recovery_answers_the_same_for_an_unknown_address_after_the_same_work(
    browser: Browser, sessions: Sessions
) -> None:
    known, unknown = registered(browser, new_address()), new_address()
    browser.post("/logout")
    answers, work = [], []
    for address in (known, unknown):
        answer = browser.post("/recover", email=address)
        answers.append((answer.status_code, answer.headers["Location"], answer.text))
        with sessions() as session:
            tokens = select(func.count()).where(
                MailedTokenRow.email == address, MailedTokenRow.purpose == "recover"
            )
            mails = select(func.count()).where(
                NoticeRow.recipient == address,
                NoticeRow.content["subject"].astext != "Finish your registration",
            )
            work.append((session.scalar(tokens), session.scalar(mails)))
    assert answers[0] == answers[1]
    assert work == [(1, 1), (1, 1)]
    assert "There is no account with this address" in browser.page(f"/inbox?to={unknown}")


def test_a_new_address_counts_once_it_is_confirmed_there_and_the_old_one_is_told(browser: Browser) -> None:
    old, new = registered(browser, new_address()), new_address()
    assert browser.post("/account/mail", email=new, password="wrong").status_code == 400
    assert browser.post("/account/mail", email=new, password=PASSWORD).status_code == 303
    assert old in browser.page("/account")

    assert browser.post(link_in_inbox(browser, new, "/account/mail")).status_code == 303

    assert new in browser.page("/account")
    assert "Your mail address was changed" in browser.page(f"/inbox?to={old}")
    browser.post("/logout")
    assert [sign_in(browser, old), sign_in(browser, new)] == [401, 303]


def test_an_address_of_another_account_cannot_be_taken_and_the_answer_does_not_tell(
    app: Flask, browser: Browser
) -> None:
    theirs = registered(Browser(app), new_address())
    mine = registered(browser, new_address())
    assert browser.post("/account/mail", email=theirs, password=PASSWORD).status_code == 303
    assert "Your address was asked for by another account" in browser.page(f"/inbox?to={theirs}")
    assert mine in browser.page("/account")


# Sessions


def test_each_sign_in_makes_a_new_session_and_new_form_tokens_and_ends_the_old_one(browser: Browser) -> None:
    address = registered(browser, new_address())
    before, form_before = session_cookie(browser), browser.form_token()

    browser.post("/login", email=address, password=PASSWORD)

    after = session_cookie(browser)
    assert after != before
    forged = browser.client.post("/account/name", data={"csrf_token": form_before, "name": "Eve"})
    assert forged.status_code == 400
    browser.client.set_cookie("click2cart_account", before)
    assert not is_signed_in(browser)


def test_browsers_are_listed_and_signed_out_one_by_one_or_all(app: Flask, browser: Browser) -> None:
    address = registered(browser, new_address())
    phone = Browser(app)
    phone.client.environ_base["HTTP_USER_AGENT"] = "Mozilla/5.0 (iPhone; ...) Version/17 Mobile Safari/604.1"
    sign_in(phone, address)

    page = browser.page("/account/security")
    assert "Safari on iPhone" in page
    ends = re.findall(r"/account/sessions/(\w+)/end", page)
    assert len(ends) == 1
    assert browser.post(f"/account/sessions/{ends[0]}/end").status_code == 303
    assert (is_signed_in(browser), is_signed_in(phone)) == (True, False)

    sign_in(phone, address)
    assert browser.post("/account/sessions/end").status_code == 303
    assert (is_signed_in(browser), is_signed_in(phone)) == (False, False)


def test_a_form_without_its_token_changes_nothing(browser: Browser) -> None:
    registered(browser, new_address())
    for path in (
        "/account/name",
        "/account/addresses",
        "/account/data/delete",
        "/account/sessions/end",
        "/login",
    ):
        assert browser.client.post(path, data={"name": "Eve"}).status_code == 400, path
    assert is_signed_in(browser)


# The cart comes along


def cart_lines(sessions: Sessions, address: str) -> dict[str, int]:
    with sessions() as session:
        rows = session.execute(
            select(CartLineRow.product_id, CartLineRow.quantity)
            .join(CartRow, CartRow.id == CartLineRow.cart_id)
            .join(AccountRow, AccountRow.id == CartRow.account_id)
            .where(AccountRow.email == address)
        )
        return {str(product): quantity for product, quantity in rows}


def test_a_guests_cart_goes_into_the_accounts_and_adds_up(
    app: Flask, browser: Browser, sessions: Sessions, shop_window: ShopWindow
) -> None:
    browser.post("/cart/lines", product=shop_window.kettle, quantity="2")
    address = registered(browser, new_address())
    assert sorted(cart_lines(sessions, address).values()) == [2]
    assert browser.client.get_cookie("click2cart_cart") is None

    other = Browser(app)
    other.post("/cart/lines", product=shop_window.kettle, quantity="3")
    other.post("/cart/lines", product=shop_window.mug, quantity="1")
    assert sign_in(other, address) == 303
    assert sorted(cart_lines(sessions, address).values()) == [1, 5]
    assert "Mug" in browser.page("/cart")

    # Once more with nothing new changes nothing, and another browser's change is everybody's.
    assert sign_in(other, address) == 303
    browser.post("/cart/lines", product=shop_window.mug, quantity="1")
    assert sorted(cart_lines(sessions, address).values()) == [2, 5]
    other.post("/logout")
    assert "Mug" not in other.page("/cart")


def test_what_hangs_on_a_guests_cart_comes_along_and_the_sum_ends_at_the_most(
    browser: Browser, sessions: Sessions, shop_window: ShopWindow
) -> None:
    address = registered(browser, new_address())
    browser.post("/cart/lines", product=shop_window.kettle, quantity="998")
    browser.post("/logout")
    browser.post("/cart/lines", product=shop_window.kettle, quantity="5")
    with sessions.begin() as session:
        guest = session.scalars(select(CartRow).where(CartRow.account_id.is_(None))).one()
        session.add(CheckoutRow(cart_id=guest.id, plan={}))
    sign_in(browser, address)
    assert list(cart_lines(sessions, address).values()) == [999]
    with sessions() as session:
        owner = session.scalars(
            select(AccountRow.email)
            .join(CartRow, CartRow.account_id == AccountRow.id)
            .join(CheckoutRow, CheckoutRow.cart_id == CartRow.id)
        ).one()
        assert session.scalar(select(func.count()).where(CartRow.account_id.is_(None))) == 0
    assert owner == address


def test_two_sign_ins_at_once_merge_a_guests_cart_once(
    app: Flask, browser: Browser, sessions: Sessions, site_settings: Settings, shop_window: ShopWindow
) -> None:
    address = registered(browser, new_address())
    guest = Browser(app)
    guest.post("/cart/lines", product=shop_window.kettle, quantity="2")
    cookie = guest.client.get_cookie("click2cart_cart")
    assert cookie
    with sessions() as session:
        account_id = session.scalars(select(AccountRow.id).where(AccountRow.email == address)).one()
    barrier, merged = threading.Barrier(4), []

    def merge() -> None:
        barrier.wait()
        with sessions.begin() as session:
            merged.append(
                merge_guest(session, site_settings, account_id, GuestTokens(cart=cookie.value)).cart_lines
            )

    threads = [threading.Thread(target=merge) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(merged) == [0, 0, 0, 1]
    assert list(cart_lines(sessions, address).values()) == [2]


# Profile, picture, addresses


def picture(size: tuple[int, int] = (900, 600), kind: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    image = Image.new("RGB", size, "teal")
    exif = Image.Exif()
    exif[0x010F] = "a camera that nobody need know"
    image.save(buffer, kind, exif=exif)
    return buffer.getvalue()


def upload(browser: Browser, content: bytes) -> int:
    # Built by hand: the test client leaves the file open that it builds large ones in.
    parts = (
        b'--x\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n',
        browser.form_token().encode(),
        b'\r\n--x\r\nContent-Disposition: form-data; name="picture"; filename="me.jpg"\r\n\r\n',
        content,
        b"\r\n--x--\r\n",
    )
    return browser.client.post(
        "/account/picture", data=b"".join(parts), content_type="multipart/form-data; boundary=x"
    ).status_code


def test_a_picture_is_drawn_anew_without_what_the_camera_wrote(browser: Browser, sessions: Sessions) -> None:
    registered(browser, new_address())
    assert upload(browser, picture()) == 303
    answer = browser.get("/account/picture")
    assert answer.mimetype == "image/webp"
    drawn = Image.open(io.BytesIO(answer.data))
    assert (drawn.format, drawn.size, dict(drawn.getexif())) == ("WEBP", (320, 320), {})
    again = browser.get("/account/picture", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    assert browser.post("/account/picture", remove="1").status_code == 303
    assert browser.get("/account/picture").status_code == 404


def bomb() -> bytes:
    """A PNG of 90 megapixels in some kilobytes."""
    buffer = io.BytesIO()
    Image.new("1", (10_000, 9_000)).save(buffer, "PNG")
    return buffer.getvalue()


def test_what_is_no_usable_picture_is_refused(browser: Browser, sessions: Sessions) -> None:
    registered(browser, new_address())
    refused = {
        "nothing": b"",
        "svg": b"<svg onload='1'/>",
        "gif": b"GIF89a" + b"\0" * 100,
        "cut off": picture()[:400],
        "bomb": bomb(),
        "tiny": picture((8, 8)),
    }
    assert {name: upload(browser, content) for name, content in refused.items()} == dict.fromkeys(
        refused, 400
    )
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(AccountPictureRow)) == 0


def test_uploads_end_at_their_limit(browser: Browser) -> None:
    registered(browser, new_address())
    assert upload(browser, b"\xff\xd8" + b"\0" * 9_000_000) == 400
    huge = browser.client.post(
        "/account/picture", data=b"\0" * 10_500_000, content_type="multipart/form-data; boundary=x"
    )
    assert huge.status_code == 413
    too_much = browser.client.post("/account/name", data={"csrf_token": "x", "name": "x" * 1_100_000})
    assert too_much.status_code == 413


def test_the_address_book_keeps_one_default_and_nothing_readable(
    browser: Browser, sessions: Sessions
) -> None:
    registered(browser, new_address())
    assert browser.post("/account/addresses", **{**ADDRESS, "address_country": "XX"}).status_code == 400
    assert browser.post("/account/addresses", **ADDRESS).status_code == 303
    second = {**ADDRESS, "street_address": "Rue de Rivoli 1", "address_country": "FR"}
    browser.post("/account/addresses", **second, is_default="1")

    page = browser.page("/account/addresses")
    assert "Rue de Rivoli 1" in page
    assert "France" in page
    with sessions() as session:
        rows = session.scalars(select(AccountAddressRow).order_by(AccountAddressRow.id)).all()
    assert [row.is_default for row in rows] == [False, True]
    assert "Rivoli" not in str([row.content_sealed for row in rows])

    first, last = (row.public_id for row in rows)
    browser.post(f"/account/addresses/{first}", **{**ADDRESS, "name": "Ada Lovelace"})
    assert "Ada Lovelace" in browser.page(f"/account/addresses/{first}")
    browser.post(f"/account/addresses/{last}", remove="1")
    with sessions() as session:
        assert session.scalars(select(AccountAddressRow.is_default)).all() == [True]


# Phone


def test_a_phone_is_proved_by_a_code_and_signs_in(browser: Browser, sessions: Sessions) -> None:
    number = f"+49170{int(datetime.now(UTC).timestamp() * 1000) % 10**8:08}"
    registered(browser, new_address())
    page = browser.post(
        "/account/phone", phone=f"  {number[:3]} {number[3:]}", present_password=PASSWORD
    ).text
    token = re.search(r'name="token" value="([^"]+)"', page)
    assert token
    assert browser.post("/account/phone/code", token=token[1], code="000000x").status_code == 400
    code = code_in_inbox(browser, number)
    assert browser.post("/account/phone/code", token=token[1], code=code).status_code == 303
    with sessions() as session:
        kept = session.scalars(select(AccountRow)).one()
    assert number not in str((kept.phone_sealed, kept.phone_hash))
    browser.post("/logout")

    page = browser.post("/login/phone", phone=number).text
    token = re.search(r'name="token" value="([^"]+)"', page)
    assert token
    code = code_in_inbox(browser, number)
    assert browser.post("/login/phone/code", token=token[1], code=code).status_code == 303
    assert is_signed_in(browser)
    assert browser.post("/login/phone/code", token=token[1], code=code).status_code == 401


def test_a_number_that_two_accounts_prove_at_once_is_the_later_ones(
    browser: Browser, sessions: Sessions, site_settings: Settings
) -> None:
    number = f"+49172{int(datetime.now(UTC).timestamp() * 1000) % 10**8:08}"
    with sessions.begin() as session:
        for name in ("ada", "grace"):
            invite(session, f"{name}@example.org", "shopper")
        first, second = session.scalars(select(AccountRow.id).order_by(AccountRow.id))
        tokens = {one: ask_phone(session, site_settings, one, number) for one in (first, second)}
    later, earlier = re.findall(r"(\d{6}) is your Click2Cart code", browser.page("/inbox"))
    answers: list[bool] = []

    def confirm_later() -> None:
        with sessions.begin() as other:
            answers.append(confirm_phone(other, site_settings, second, tokens[second], later))

    with sessions.begin() as session:
        assert confirm_phone(session, site_settings, first, tokens[first], earlier)
        thread = threading.Thread(target=confirm_later)
        thread.start()
        wait_for_a_lock(sessions)
    thread.join()
    assert answers == [True]
    with sessions() as session:
        assert find_phone(session, site_settings, first) is None
        assert find_phone(session, site_settings, second) == number


def wait_for_a_lock(sessions: Sessions) -> None:
    """Until another transaction waits for one that is open."""
    waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    give_up_at = time.monotonic() + 10
    with sessions() as session:
        while not session.scalar(text(waiting)):
            assert time.monotonic() < give_up_at, "nothing waits"
            session.rollback()


def test_a_number_that_nobody_has_gets_the_same_page_and_no_message(
    browser: Browser, sessions: Sessions
) -> None:
    number = f"+49171{int(datetime.now(UTC).timestamp() * 1000) % 10**8:08}"
    answer = browser.post("/login/phone", phone=number)
    assert answer.status_code == 200
    assert "If an account has this number" in answer.text
    with sessions() as session:
        assert session.scalar(select(func.count()).where(NoticeRow.channel == "sms")) == 0
    token = re.search(r'name="token" value="([^"]+)"', answer.text)
    assert token
    answers = [
        browser.post("/login/phone/code", token=token[1], code=f"{guess:06}").status_code
        for guess in range(7)
    ]
    assert answers == [401] * 7


# Second factor


def turn_on_second_factor(browser: Browser) -> tuple[pyotp.TOTP, list[str]]:
    page = browser.post("/account/second-factor", present_password=PASSWORD).text
    found = re.search(r'<code class="key">([A-Z2-7]+)</code>', page)
    assert found
    totp = pyotp.TOTP(found[1])
    page = browser.post("/account/second-factor/confirm", code=totp.now()).text
    return totp, re.findall(r"<li><code>([\w-]+)</code></li>", page)


def test_the_second_factor_is_asked_after_the_password_and_no_code_works_twice(browser: Browser) -> None:
    address = registered(browser, new_address())
    totp, codes = turn_on_second_factor(browser)
    assert len(codes) == 10
    browser.post("/logout")

    answer = browser.post("/login", email=address, password=PASSWORD)
    assert "Your second factor" in answer.text
    assert not is_signed_in(browser)
    challenge = re.search(r'name="challenge" value="([^"]+)"', answer.text)
    assert challenge
    # The code that turned it on was used; a recovery code stands in, once.
    assert browser.post("/login/second", challenge=challenge[1], code=totp.now()).status_code == 401
    assert browser.post("/login/second", challenge=challenge[1], code=codes[0].upper()).status_code == 303
    assert is_signed_in(browser)
    browser.post("/logout")
    answer = browser.post("/login", email=address, password=PASSWORD)
    challenge = re.search(r'name="challenge" value="([^"]+)"', answer.text)
    assert challenge
    answers = [
        browser.post("/login/second", challenge=challenge[1], code=code).status_code
        for code in (codes[0], "000000", "x", "", codes[0], codes[1])
    ]
    assert answers == [401] * 6
    assert not is_signed_in(browser)


def test_recovery_by_mail_does_not_go_around_the_second_factor(browser: Browser) -> None:
    address = registered(browser, new_address())
    turn_on_second_factor(browser)
    browser.post("/logout")
    browser.post("/recover", email=address)
    answer = browser.post(link_in_inbox(browser, address, "/recover"), password=OTHER_PASSWORD)
    assert "Your second factor" in answer.text
    assert not is_signed_in(browser)


# Passkeys (a real one signs in in the browser's test)


def client_data(challenge: str) -> str:
    said = {"type": "webauthn.get", "challenge": challenge, "origin": "http://localhost"}
    return base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "credential",
    [
        None,
        [],
        "x",
        {},
        {"response": {}},
        {"response": {"clientDataJSON": 7}},
        {"response": {"clientDataJSON": "!!"}},
        {"response": {"clientDataJSON": client_data("made-up")}},
        {"id": "x", "rawId": "x", "type": "public-key", "response": {"clientDataJSON": "{challenge}"}},
        {
            "id": "AAAA",
            "rawId": "AAAA",
            "type": "public-key",
            "response": {"clientDataJSON": "{challenge}", "authenticatorData": "AAAA", "signature": "AAAA"},
        },
    ],
)
def test_what_no_passkey_signed_opens_nothing(browser: Browser, credential: object) -> None:
    registered(browser, new_address())
    headers = {"X-CSRFToken": browser.form_token()}
    for begin, finish, form in (
        ("/account/passkeys/options", "/account/passkeys", {"present_password": PASSWORD}),
        ("/login/passkey/options", "/login/passkey", {}),
    ):
        options = browser.client.post(begin, json=form, headers=headers).get_json()
        sent = json.dumps({"credential": credential}).replace(
            "{challenge}", client_data(options["challenge"])
        )
        answer = browser.client.post(finish, data=sent, content_type="application/json", headers=headers)
        assert answer.status_code in {400, 401}
        assert "this passkey was not taken" in answer.get_json()["problem"]
    assert browser.client.post("/login/passkey", data=b"x", headers=headers).status_code == 401


def test_pages_that_show_secrets_are_kept_by_no_cache(browser: Browser) -> None:
    registered(browser, new_address())
    assert browser.get("/account/security").headers["Cache-Control"] == "no-store"


def test_what_cannot_be_taken_back_asks_for_the_password(browser: Browser) -> None:
    registered(browser, new_address())
    refused = {
        path: browser.post(path, present_password="wrong", password=OTHER_PASSWORD, **form).status_code
        for path, form in {
            "/account/password": {},
            "/account/phone": {"phone": "+49 170 1234567"},
            "/account/second-factor": {},
            "/account/second-factor/off": {},
            "/account/tokens": {"name": "x", "scopes": "cart:read"},
            "/account/data/delete": {},
        }.items()
    }
    assert set(refused.values()) == {400}


# Data


def test_the_export_holds_everything_and_the_deletion_leaves_no_word(
    app: Flask, browser: Browser, sessions: Sessions, shop_window: ShopWindow
) -> None:
    browser.post("/cart/lines", product=shop_window.kettle, quantity="2")
    address = registered(browser, new_address())
    browser.post("/account/addresses", **ADDRESS)
    browser.post("/account/name", name="Ada")

    answer = browser.post("/account/data/export")
    assert "attachment" in answer.headers["Content-Disposition"]
    document = answer.get_json()
    assert set(document) == {"format", "exported_at", *EXPORTS}
    assert document["account"] == {**document["account"], "email": address, "name": "Ada"}
    assert document["addresses"][0]["address"]["street_address"] == ADDRESS["street_address"]
    assert document["carts"][0]["lines"][0]["quantity"] == 2
    assert document["activity"][0]["action"] == "account.registered"
    assert document["account"]["picture"] is None
    assert "hash" not in answer.text
    assert "sealed" not in answer.text

    assert browser.post("/account/data/delete", present_password=PASSWORD).status_code == 303
    assert not is_signed_in(browser)
    with sessions.begin() as session:
        assert delete_due_accounts(session, now=datetime.now(UTC) + timedelta(days=29)) == 0
    browser.post("/login", email=address, password=PASSWORD)
    assert browser.post("/account/data/keep").status_code == 303
    browser.post("/account/data/delete", present_password=PASSWORD)
    with sessions.begin() as session:
        assert delete_due_accounts(session, now=datetime.now(UTC) + timedelta(days=31)) == 1
    with sessions() as session:
        for table in (AccountRow, AccountAddressRow, CartRow, AccountSessionRow, NoticeRow, MailedTokenRow):
            assert session.scalar(select(func.count()).select_from(table)) == 0, table
        entries = session.execute(select(AuditEntryRow.account_id, AuditEntryRow.detail)).all()
    assert entries
    assert {entry.account_id for entry in entries} == {None}
    assert "Ada" not in str(entries)
    assert "@" not in str(entries)


def test_every_table_that_belongs_to_an_account_is_exported_and_goes_with_it() -> None:
    of_accounts = {
        (table.name, key.ondelete)
        for table in AccountRow.metadata.tables.values()
        for key in table.foreign_keys
        if key.column.table.name == "accounts"
    }
    # Who did something as an operator stays without the name of who it was.
    assert {rule for _table, rule in of_accounts} == {"CASCADE", "SET NULL"}
    own = {table for table, rule in of_accounts if rule == "CASCADE"}
    held_in = {
        "account": {"account_roles", "account_pictures"},
        "addresses": {"account_addresses"},
        "sessions": {"account_sessions"},
        "apps": {"app_sign_ins"},
        "api_tokens": {"api_tokens"},
        "passkeys": {"passkeys"},
        "carts": {"carts"},
        "alerts": {
            "alerts",
            "alert_events",
            "alert_wishes",
            "push_subscriptions",
            "alert_messengers",
            "notices",
        },
    }
    # Keys to the account, of which nothing but their use is told.
    keys = {"sign_in_links", "mailed_tokens", "account_challenges", "recovery_codes"}
    assert own - keys == set().union(*held_in.values()), "a table of accounts that no export tells of"
    assert set(held_in) <= set(EXPORTS)
    assert set(ACCOUNT_EXPORTS) <= set(EXPORTS)


# The inbox


def test_the_inbox_is_there_for_this_machine_in_the_demo_alone(
    app: Flask, browser: Browser, site_settings: Settings, sessions: Sessions
) -> None:
    assert browser.get("/inbox").status_code == 200
    assert browser.get("/inbox", environ_base={"REMOTE_ADDR": "192.0.2.7"}).status_code == 404
    named = create_app(replace(site_settings, allowed_hosts=frozenset({"shop.example"})), sessions)
    assert Browser(named).get("/inbox", base_url="http://shop.example").status_code == 404
    for inbox in ("", "1"):
        with_server = create_app(replace(site_settings, inbox=inbox), sessions)
        assert Browser(with_server).get("/inbox").status_code == 404
    assert site_settings.database_url is not None


def test_an_invited_operators_session_of_before_still_works(browser: Browser, sessions: Sessions) -> None:
    browser.sign_in(sessions, "operator")
    with sessions.begin() as session:
        session.execute(update(AccountSessionRow).values(last_seen_at=None, device=None, opened_by=None))
    assert "Unknown device" in browser.page("/account/security")
