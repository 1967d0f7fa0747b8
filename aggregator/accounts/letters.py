"""The mails and messages about accounts, written into the outbox of notices."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from html import escape

from sqlalchemy.orm import Session

from aggregator.accounts.links import site_origin
from aggregator.accounts.mailed_tokens import LIFETIMES
from aggregator.domain.identifiers import new_public_id
from aggregator.domain.notices import NewNotice
from aggregator.notifications.outbox import ACCOUNT_TOPIC as TOPIC
from aggregator.notifications.outbox import put_notices
from aggregator.settings import Settings

_NOT_YOU = "If this was not you, there is nothing to do: without the link nothing happens."


def mail_activation(session: Session, settings: Settings, email: str, token: str) -> None:
    """To a new address: the link that makes the account."""
    _post(
        session,
        email,
        "Finish your registration",
        ["You, or somebody with your address, asked for an account.", "Press the link to finish:"],
        f"{site_origin(settings)}/activate/{token}",
        ["The link works once, for 24 hours.", _NOT_YOU],
        lives=LIFETIMES["activate"],
    )


def mail_already_registered(session: Session, settings: Settings, email: str) -> None:
    """To an address that has an account and was registered once more."""
    _post(
        session,
        email,
        "You have an account already",
        [
            "You, or somebody with your address, asked for an account, and there is one with it.",
            "If you do not know its password any more, set a new one:",
        ],
        f"{site_origin(settings)}/recover",
        ["Nothing was changed."],
    )


def mail_recovery(session: Session, settings: Settings, email: str, token: str) -> None:
    """To an account's address: the link that sets a new password."""
    _post(
        session,
        email,
        "Set a new password",
        ["You, or somebody with your address, asked to set a new password. Press the link to do so:"],
        f"{site_origin(settings)}/recover/{token}",
        ["The link works once, for one hour. All browsers are signed out then.", _NOT_YOU],
        lives=LIFETIMES["recover"],
    )


def mail_nothing_to_recover(session: Session, settings: Settings, email: str) -> None:
    """To an address without an account, for which a new password was asked."""
    _post(
        session,
        email,
        "There is no account with this address",
        [
            "You, or somebody with your address, asked to set a new password, but no account has this address.",
            "Perhaps you registered with another one. A new account begins here:",
        ],
        f"{site_origin(settings)}/register",
        ["Nothing was changed."],
    )


def mail_address_change(session: Session, settings: Settings, email: str, token: str) -> None:
    """To the new address: the link that confirms it."""
    _post(
        session,
        email,
        "Confirm your new mail address",
        ["An account here shall have this address from now on. Press the link to confirm that it is yours:"],
        f"{site_origin(settings)}/account/mail/{token}",
        ["The link works once, for six hours.", _NOT_YOU],
        lives=LIFETIMES["change_mail"],
    )


def mail_address_taken(session: Session, settings: Settings, email: str) -> None:
    """To the owner of an address that another account asked for."""
    _post(
        session,
        email,
        "Your address was asked for by another account",
        ["Another account here asked to change to this address, which is your account's. It was refused."],
        None,
        ["Nothing was changed."],
    )


def mail_address_changed(session: Session, settings: Settings, old: str, new: str) -> None:
    """To the old address: that it is the account's no more."""
    name, _at, host = new.partition("@")
    _post(
        session,
        old,
        "Your mail address was changed",
        [
            f"Your account's address is now {name[:1]}\N{HORIZONTAL ELLIPSIS}@{host}. Mails go there from now on."
        ],
        None,
        ["If this was not you, answer this mail at once: whoever did it was signed in with your password."],
    )


def mail_security_change(session: Session, settings: Settings, email: str, what: str) -> None:
    """To the account's address: what was changed about how to get in."""
    _post(
        session,
        email,
        what,
        [f"{what}, just now.", "If this was not you, set a new password at once:"],
        f"{site_origin(settings)}/recover",
        [],
    )


def mail_deletion(session: Session, settings: Settings, email: str, due_at: datetime) -> None:
    """To the account's address: when it will be deleted, and how to keep it."""
    _post(
        session,
        email,
        "Your account will be deleted",
        [
            f"As you asked, your account and all that is in it will be deleted on {due_at:%-d %B %Y}.",
            "Until then you keep it by signing in and pressing \N{LEFT DOUBLE QUOTATION MARK}Keep my account"
            "\N{RIGHT DOUBLE QUOTATION MARK}:",
        ],
        f"{site_origin(settings)}/account/data",
        [],
    )


def send_code(session: Session, number: str, code: str, *, lives: timedelta) -> None:
    """An SMS with a one-time code, which is not sent any more once it would be of no use."""
    minutes = int(lives.total_seconds() // 60)
    text = f"{code} is your Click2Cart code. It works for {minutes} minutes. Nobody of ours asks you for it."
    put_notices(
        session,
        [
            NewNotice(
                topic=TOPIC,
                channel="sms",
                recipient=number,
                dedupe_key=f"{TOPIC}:{new_public_id()}",
                content={"text": text, "expires_at": int((datetime.now(UTC) + lives).timestamp())},
            )
        ],
    )


def _post(
    session: Session,
    recipient: str,
    subject: str,
    before: Sequence[str],
    link: str | None,
    after: Sequence[str],
    *,
    lives: timedelta | None = None,
) -> None:
    paragraphs = [*before, *([link] if link else []), *after]
    html = [
        f'<p><a href="{escape(part)}">{escape(part)}</a></p>' if part == link else f"<p>{escape(part)}</p>"
        for part in paragraphs
    ]
    content = {
        "subject": subject,
        "text": "\n\n".join(paragraphs) + "\n",
        "html": f"<!doctype html><html lang=en><body>{''.join(html)}</body></html>",
    }
    if lives is not None:
        content["expires_at"] = int((datetime.now(UTC) + lives).timestamp())  # type: ignore[assignment]  # JSON takes both
    notice = NewNotice(
        topic=TOPIC,
        channel="mail",
        recipient=recipient,
        dedupe_key=f"{TOPIC}:{new_public_id()}",
        content=content,
    )
    put_notices(session, [notice])
