"""Signing in: links that work once, passwords, sessions, roles, limits on attempts, the audit log."""

from __future__ import annotations

import socket
import statistics
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from click.testing import CliRunner
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from aggregator.accounts import passwords, rate_limits
from aggregator.accounts.rate_limits import Limit, RateLimits
from aggregator.accounts.roles import PERMISSIONS, ROLES, may
from aggregator.accounts.sign_in import (
    SignedIn,
    find_signed_in,
    invite,
    link_address,
    set_password,
    sign_in,
    sign_out,
    sign_out_everywhere,
    use_sign_in_link,
)
from aggregator.accounts.tokens import token_hash
from aggregator.catalog.retention import forget_old
from aggregator.cli.operators import operators
from aggregator.db.models import (
    AccountRoleRow,
    AccountRow,
    AccountSessionRow,
    AuditEntryRow,
    RateLimitRow,
    SignInLinkRow,
)
from aggregator.db.session import Sessions
from aggregator.domain.errors import EnvironmentProblem, InvalidInput, NotFound, TooManyAttempts
from aggregator.domain.identifiers import new_public_id
from aggregator.secrets import StoreSecrets, derived_key, secret_key
from aggregator.settings import Settings

PASSWORD = "a kettle on the moon"


class Clock:
    """What the limits take for the time; it stands still, so that no window ends within a test."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    standing = Clock()

    class StandingDatetime(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return standing.now

    monkeypatch.setattr(rate_limits, "datetime", StandingDatetime)
    return standing


def new_address() -> str:
    """An address of this test alone: attempts are counted beyond the test's transaction."""
    return f"{new_public_id()}@shop.example"


def signed_in(session: Session, email: str) -> tuple[SignedIn, str]:
    """An operator who used their link; with the session's token."""
    token = use_sign_in_link(session, invite(session, email, "operator"))
    person = find_signed_in(session, token)
    assert person is not None
    return person, token


def audit_actions(session: Session) -> list[str]:
    return list(session.scalars(select(AuditEntryRow.action).order_by(AuditEntryRow.id)))


def test_an_invitation_makes_an_account_whose_link_signs_in(session: Session) -> None:
    link = invite(session, "  Ada@Shop.Example ", "operator")

    person = find_signed_in(session, use_sign_in_link(session, link))

    assert person is not None
    assert (person.email, person.roles) == ("ada@shop.example", frozenset({"operator"}))
    assert session.scalars(select(AccountRow.activated_at)).one() is not None
    assert audit_actions(session) == ["account.invited", "account.signed_in"]


def test_a_second_invitation_adds_its_role_and_voids_the_first_link(session: Session) -> None:
    first = invite(session, "ada@shop.example", "operator")
    second = invite(session, "ADA@shop.example", "admin")
    third = invite(session, "ada@shop.example", "admin")

    for link in (first, second):
        with pytest.raises(InvalidInput):
            use_sign_in_link(session, link)
    person = find_signed_in(session, use_sign_in_link(session, third))
    assert person is not None
    assert person.roles == {"operator", "admin"}
    assert session.scalar(select(func.count()).select_from(AccountRow)) == 1
    assert session.scalar(select(func.count()).select_from(AccountRoleRow)) == 2


def test_a_link_works_once(session: Session) -> None:
    link = invite(session, "ada@shop.example", "operator")
    use_sign_in_link(session, link)
    with pytest.raises(InvalidInput, match="was used or is too old; ask for a new one"):
        use_sign_in_link(session, link)


def test_a_link_used_twice_at_once_signs_in_once(sessions: Sessions) -> None:
    with sessions.begin() as session:
        link = invite(session, "ada@shop.example", "operator")
    barrier = threading.Barrier(4)
    outcomes: list[bool] = []

    def use() -> None:
        barrier.wait()
        try:
            with sessions.begin() as session:
                use_sign_in_link(session, link)
            outcomes.append(True)
        except InvalidInput:
            outcomes.append(False)

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == [False, False, False, True]


def test_a_link_is_valid_for_fifteen_minutes(session: Session) -> None:
    link = invite(session, "ada@shop.example", "operator")
    row = session.execute(select(SignInLinkRow.expires_at)).one()
    assert abs(row.expires_at - datetime.now(UTC) - timedelta(minutes=15)) < timedelta(seconds=30)

    session.execute(update(SignInLinkRow).values(expires_at=datetime.now(UTC)))

    with pytest.raises(InvalidInput):
        use_sign_in_link(session, link)


def test_only_hashes_of_tokens_and_passwords_are_kept(session: Session) -> None:
    link = invite(session, "ada@shop.example", "operator")
    token = use_sign_in_link(session, link)
    person = find_signed_in(session, token)
    assert person is not None
    set_password(session, person.account_id, PASSWORD, keep_session_token=token)

    assert session.scalars(select(SignInLinkRow.token_hash)).one() == token_hash(link)
    assert session.scalars(select(AccountSessionRow.token_hash)).one() == token_hash(token)
    kept = session.scalars(select(AccountRow.password_hash)).one()
    assert kept is not None
    assert kept.startswith("$argon2id$")


@pytest.mark.parametrize(
    "email", ["", "ada", "@shop.example", "ada@", "a b@c", "a@b\x00", "a@b@c", "a@\ud800"]
)
def test_refuses_what_is_no_mail_address(session: Session, email: str) -> None:
    with pytest.raises(InvalidInput, match="is not a mail address"):
        invite(session, email, "operator")


def test_refuses_a_role_that_there_is_not(session: Session) -> None:
    with pytest.raises(InvalidInput, match="no role 'root'; use one of shopper, seller"):
        invite(session, "ada@shop.example", "root")


def test_signs_in_with_the_password(session: Session) -> None:
    email = new_address()
    person, _ = signed_in(session, email)
    set_password(session, person.account_id, PASSWORD)

    token = sign_in(session, f" {email.upper()} ", PASSWORD)

    assert find_signed_in(session, token) == person
    assert audit_actions(session)[-1] == "account.signed_in"


def test_a_composed_and_a_decomposed_letter_are_the_same_password(session: Session) -> None:
    email = new_address()
    person, _ = signed_in(session, email)
    set_password(session, person.account_id, "caf\u00e9 on the moon")
    assert find_signed_in(session, sign_in(session, email, "cafe\u0301 on the moon")) == person


def test_every_failed_sign_in_gets_the_same_answer(session: Session) -> None:
    known, without_password, never_used = new_address(), new_address(), new_address()
    person, _ = signed_in(session, known)
    set_password(session, person.account_id, PASSWORD)
    signed_in(session, without_password)
    invite(session, never_used, "operator")
    session.execute(
        update(AccountRow)
        .where(AccountRow.email == never_used)
        .values(password_hash=session.scalars(select(AccountRow.password_hash).limit(1)).one())
    )

    answers = set()
    attempts = [
        (known, "wrong"),
        (known, ""),
        (known, PASSWORD * 100),
        (new_address(), PASSWORD),
        (without_password, PASSWORD),
        (never_used, PASSWORD),
        (f"no address {new_public_id()}\x00", PASSWORD),
        (f"{new_public_id()}\ud800@x.example", "\ud800"),
    ]
    for email, password in attempts:
        with pytest.raises(InvalidInput) as caught:
            sign_in(session, email, password)
        answers.add(str(caught.value))

    assert answers == {"this address and password do not belong together; try again or use a link"}


@pytest.fixture
def full_hashes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hashes as costly as they are in earnest, that of nobody too."""
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher())
    passwords._hash_of_nobody.cache_clear()
    yield
    passwords._hash_of_nobody.cache_clear()


def test_an_unknown_address_takes_as_long_as_a_wrong_password(session: Session, full_hashes: None) -> None:
    email = new_address()
    person, _ = signed_in(session, email)
    set_password(session, person.account_id, PASSWORD)

    def seconds(address: str) -> float:
        began = time.process_time()
        with pytest.raises(InvalidInput):
            sign_in(session, address, "wrong")
        return time.process_time() - began

    seconds(new_address())  # the first one makes the hash that stands in for a missing one
    wrong = statistics.median(seconds(email) for _ in range(3))
    unknown = statistics.median(seconds(new_address()) for _ in range(3))

    # Without the same work an unknown address would be tens of times quicker.
    assert unknown > wrong / 3


def test_a_hash_of_weaker_parameters_is_renewed_at_sign_in(session: Session) -> None:
    email = new_address()
    signed_in(session, email)
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    session.execute(update(AccountRow).values(password_hash=weak))

    sign_in(session, email, PASSWORD)

    renewed = session.scalars(select(AccountRow.password_hash)).one()
    assert renewed != weak
    sign_in(session, email, PASSWORD)
    assert session.scalars(select(AccountRow.password_hash)).one() == renewed


@pytest.mark.parametrize("password", ["", "short", "x" * 11, "x" * 257])
def test_refuses_a_password_that_is_too_short_or_too_long(session: Session, password: str) -> None:
    person, token = signed_in(session, new_address())
    with pytest.raises(InvalidInput, match="12 to 256 characters"):
        set_password(session, person.account_id, password)
    assert find_signed_in(session, token) == person


def test_a_new_password_ends_all_sessions_but_the_one_that_set_it(session: Session) -> None:
    email = new_address()
    person, here = signed_in(session, email)
    _, elsewhere = signed_in(session, email)

    set_password(session, person.account_id, PASSWORD, keep_session_token=here)

    assert find_signed_in(session, here) == person
    assert find_signed_in(session, elsewhere) is None
    assert audit_actions(session)[-2:] == ["account.password_set", "account.signed_out_everywhere"]


def test_signing_out_ends_this_session_only(session: Session) -> None:
    email = new_address()
    person, here = signed_in(session, email)
    _, elsewhere = signed_in(session, email)

    sign_out(session, here)
    sign_out(session, here)
    sign_out(session, None)

    assert find_signed_in(session, here) is None
    assert find_signed_in(session, elsewhere) == person


def test_signing_out_everywhere_ends_every_session_of_that_account(session: Session) -> None:
    person, first = signed_in(session, new_address())
    _, second = signed_in(session, person.email)
    other, others_token = signed_in(session, new_address())

    assert sign_out_everywhere(session, person.account_id) == 2

    assert [find_signed_in(session, token) for token in (first, second, others_token)] == [None, None, other]


def test_a_session_ends_by_itself(session: Session) -> None:
    _, token = signed_in(session, new_address())
    session.execute(update(AccountSessionRow).values(expires_at=datetime.now(UTC)))
    assert find_signed_in(session, token) is None


@pytest.mark.parametrize("token", [None, "", "made up", "\x00", "\ud800", "x" * 100_000])
def test_a_made_up_token_signs_nobody_in(session: Session, token: str | None) -> None:
    signed_in(session, new_address())
    assert find_signed_in(session, token) is None


def test_an_unknown_account_has_no_password_to_set(session: Session) -> None:
    with pytest.raises(NotFound):
        set_password(session, -1, PASSWORD)


def test_the_audit_log_holds_no_address(session: Session) -> None:
    person, token = signed_in(session, "ada@shop.example")
    set_password(session, person.account_id, PASSWORD, keep_session_token=token)
    public_id = session.scalars(select(AccountRow.public_id)).one()
    entries = session.execute(
        select(
            AuditEntryRow.account_id, AuditEntryRow.action, AuditEntryRow.subject, AuditEntryRow.detail
        ).order_by(AuditEntryRow.id)
    ).all()
    assert [tuple(entry) for entry in entries] == [
        (None, "account.invited", public_id, {"role": "operator"}),
        (person.account_id, "account.signed_in", public_id, {"by": "link"}),
        (person.account_id, "account.password_set", public_id, {}),
        (person.account_id, "account.signed_out_everywhere", public_id, {}),
    ]


def test_operators_and_admins_operate_and_admins_alone_manage_accounts() -> None:
    allowed = {permission: [role for role in ROLES if may({role}, permission)] for permission in PERMISSIONS}
    assert allowed == {
        "operate": ["operator", "admin"],
        "manage_stores": ["admin"],
        "manage_accounts": ["admin"],
    }
    assert not may((), "operate")
    assert not may({"somebody"}, "operate")
    with pytest.raises(KeyError):
        may({"admin"}, "fly")


# Limits on attempts


def test_the_eleventh_attempt_on_an_address_is_refused_even_with_the_right_password(session: Session) -> None:
    email = new_address()
    person, _ = signed_in(session, email)
    set_password(session, person.account_id, PASSWORD)
    for _ in range(10):
        with pytest.raises(InvalidInput):
            sign_in(session, email, "wrong")

    with pytest.raises(TooManyAttempts) as caught:
        sign_in(session, email, PASSWORD)

    assert 0 < caught.value.retry_after <= 900
    sign_in_elsewhere = new_address()
    with pytest.raises(InvalidInput):
        sign_in(session, sign_in_elsewhere, PASSWORD)


def test_attempts_of_one_client_on_many_addresses_are_limited(session: Session) -> None:
    client = new_public_id()
    limits = RateLimits()
    for _ in range(50):
        limits.count(session, Limit("sign-in-client", attempts=50, seconds=900), client)
    with pytest.raises(TooManyAttempts):
        sign_in(session, new_address(), PASSWORD, client=client, limits=limits)


@pytest.mark.parametrize("broker", ["answers", "is down", "is not set"])
def test_counts_whether_the_broker_answers_or_not(session: Session, settings: Settings, broker: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed_port = server.getsockname()[1]
    url = {
        "answers": settings.redis_url,
        "is down": f"redis://127.0.0.1:{closed_port}/0",
        "is not set": None,
    }[broker]
    limits, subject = RateLimits(url), new_public_id()
    limit = Limit("test", attempts=3, seconds=86_400)

    for _ in range(3):
        limits.count(session, limit, subject)
    with pytest.raises(TooManyAttempts):
        limits.count(session, limit, subject)
    limits.count(session, limit, new_public_id())
    limits.count(session, replace(limit, kind="other"), subject)


def test_counts_in_the_broker_while_it_answers(session: Session, settings: Settings) -> None:
    counted = session.scalar(select(func.count()).select_from(RateLimitRow))
    RateLimits(settings.redis_url).count(session, Limit("test", 3, 86_400), new_public_id())
    assert session.scalar(select(func.count()).select_from(RateLimitRow)) == counted


def test_goes_on_counting_when_the_broker_takes_calls_but_falls_silent(session: Session) -> None:
    limit, subject = Limit("test", attempts=1, seconds=86_400), new_public_id()
    with socket.create_server(("127.0.0.1", 0)) as server:
        silent = RateLimits(f"redis://127.0.0.1:{server.getsockname()[1]}/0")
        silent.count(session, limit, subject)
        with pytest.raises(TooManyAttempts):
            silent.count(session, limit, subject)


def test_an_attempt_counts_although_its_request_is_rolled_back(sessions: Sessions) -> None:
    limit, subject = Limit("test", attempts=2, seconds=86_400), new_public_id()
    for _ in range(2):
        with sessions() as session:
            RateLimits().count(session, limit, subject)
            session.rollback()
    with sessions() as session, pytest.raises(TooManyAttempts):
        RateLimits().count(session, limit, subject)


def test_attempts_at_the_same_time_all_count(sessions: Sessions) -> None:
    limit, subject = Limit("test", attempts=20, seconds=86_400), new_public_id()
    refused: list[int] = []

    def attempt() -> None:
        for _ in range(5):
            with sessions() as session:
                try:
                    RateLimits().count(session, limit, subject)
                except TooManyAttempts:
                    refused.append(1)

    threads = [threading.Thread(target=attempt) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(refused) == 10


def test_the_next_window_begins_at_zero(session: Session, clock: Clock) -> None:
    clock.now = datetime(2026, 3, 1, 12, 59, 50, tzinfo=UTC)
    limit, subject = Limit("test", attempts=1, seconds=3600), new_public_id()
    RateLimits().count(session, limit, subject)
    with pytest.raises(TooManyAttempts) as caught:
        RateLimits().count(session, limit, subject)
    assert caught.value.retry_after == 10

    clock.now += timedelta(seconds=10)
    RateLimits().count(session, limit, subject)


def test_old_windows_are_forgotten(session: Session) -> None:
    now = datetime.now(UTC)
    for days in (0, 2, 3):
        session.add(RateLimitRow(key=f"k{days}", window_starts_at=now - timedelta(days=days), attempts=1))
    session.flush()
    forget_old(session)
    assert session.scalars(
        select(RateLimitRow.key).where(RateLimitRow.key.in_(["k0", "k2", "k3"]))
    ).all() == ["k0"]


# The secret key


def test_generates_the_secret_key_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    first = secret_key(settings)
    assert len(first) == 64
    assert secret_key(settings) == first
    path = tmp_path / "data" / "secret_key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["secret_key"]


def test_processes_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    barrier, keys = threading.Barrier(8), []

    def read() -> None:
        barrier.wait()
        keys.append(secret_key(settings))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(keys) == 8
    assert len(set(keys)) == 1


def test_the_setting_goes_before_the_file(tmp_path: Path) -> None:
    assert secret_key(Settings(data_dir=tmp_path, secret_key="k" * 32)) == "k" * 32
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InvalidInput, match="CLICK2CART_SECRET_KEY: shorter than 16"):
        secret_key(Settings(data_dir=tmp_path, secret_key="short"))


def test_refuses_a_key_that_others_can_read_or_that_cannot_be_kept(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    secret_key(settings)
    (tmp_path / "secret_key").chmod(0o644)
    with pytest.raises(EnvironmentProblem, match="can be read by other users; run: chmod 600"):
        secret_key(settings)
    (tmp_path / "a file").touch()
    with pytest.raises(EnvironmentProblem, match="cannot keep the secret key"):
        secret_key(Settings(data_dir=tmp_path / "a file"))


def test_each_purpose_has_a_key_of_its_own(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    assert derived_key(settings, "cookies") == derived_key(settings, "cookies")
    assert derived_key(settings, "cookies") != derived_key(settings, "store options")
    assert len(derived_key(settings, "cookies")) == 32


def test_seals_store_options_so_that_only_the_same_key_opens_them(tmp_path: Path) -> None:
    mine = StoreSecrets.from_settings(Settings(data_dir=tmp_path, secret_key="k" * 32))
    theirs = StoreSecrets.from_settings(Settings(data_dir=tmp_path, secret_key="j" * 32))
    options = {"access_token": "geheim-\u00e4\u00f6", "region": ""}
    sealed = mine.seal(options)
    assert set(sealed) == set(options)
    assert "geheim" not in str(sealed)
    assert mine.open(sealed) == options
    with pytest.raises(EnvironmentProblem, match="sealed with another secret key"):
        theirs.open(sealed)
    with pytest.raises(EnvironmentProblem):
        mine.open({"access_token": "not sealed at all"})


# The command


def test_the_sign_in_link_is_printed_to_a_terminal_only(settings: Settings) -> None:
    environment = {"DATABASE_URL": settings.database_url}
    result = CliRunner().invoke(operators, ["invite", "ada@shop.example"], env=environment)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "the sign-in link is printed to a terminal only" in result.stderr


@pytest.mark.parametrize(
    ("changes", "origin"),
    [
        ({}, "http://127.0.0.1:5000"),
        ({"host": "0.0.0.0", "port": 8080}, "http://127.0.0.1:8080"),
        ({"host": "::1"}, "http://[::1]:5000"),
        ({"allowed_hosts": frozenset({"shop.example"})}, "http://127.0.0.1:5000"),
        ({"allowed_hosts": frozenset({"shop.example"}), "secure_cookies": True}, "https://shop.example"),
    ],
)
def test_the_link_leads_to_the_site_as_a_browser_reaches_it(
    tmp_path: Path, changes: dict[str, object], origin: str
) -> None:
    settings = replace(Settings(data_dir=tmp_path), **changes)
    assert link_address(settings, "t-o_k") == f"{origin}/login/link/t-o_k"
