"""What `click2cart up` tells the person who started it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest
from sqlalchemy import func, select

from aggregator.accounts.sign_in import use_sign_in_link
from aggregator.db.models import SignInLinkRow
from aggregator.db.session import Sessions
from aggregator.settings import Settings
from workers.broker import broker_answers
from workers.cli import offer_sign_in

OFFER = """
from aggregator.settings import Settings
from workers.cli import offer_sign_in
offer_sign_in(Settings.from_env())
"""


def test_a_terminal_gets_a_sign_in_link_that_works_once(settings: Settings, sessions: Sessions) -> None:
    assert settings.database_url
    terminal, theirs = pty.openpty()
    try:
        program = subprocess.run(
            [sys.executable, "-c", OFFER],
            stderr=theirs,
            env={
                **os.environ,
                "DATABASE_URL": settings.database_url,
                "CLICK2CART_DATA_DIR": str(settings.data_dir),
                "PORT": "5123",
            },
            timeout=60,
            check=False,
        )
        printed = os.read(terminal, 4096).decode().strip()
    finally:
        os.close(theirs)
        os.close(terminal)
    assert program.returncode == 0
    words, _, token = printed.rpartition("/login/link/")
    assert words == "sign in to the operations pages (once, within 15 minutes): http://127.0.0.1:5123"
    with sessions.begin() as session:
        assert use_sign_in_link(session, token)


def test_a_log_gets_no_link(
    settings: Settings, sessions: Sessions, capsys: pytest.CaptureFixture[str]
) -> None:
    offer_sign_in(settings)
    assert capsys.readouterr().err == (
        "to sign in to the operations pages: click2cart operators invite you@example.org\n"
    )
    with sessions.begin() as session:
        assert session.scalar(select(func.count()).select_from(SignInLinkRow)) == 0


def test_a_broker_is_asked_whether_it_is_there(settings: Settings) -> None:
    assert settings.redis_url
    assert broker_answers(settings.redis_url)
    assert not broker_answers("redis://127.0.0.1:1/0")
