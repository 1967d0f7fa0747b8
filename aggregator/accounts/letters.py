"""The mails and messages about accounts, written into the outbox of notices, each in its reader's language."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any, Literal

from babel.dates import format_date
from sqlalchemy import select
from sqlalchemy.orm import Session

from aggregator.accounts.links import site_origin
from aggregator.accounts.mailed_tokens import LIFETIMES
from aggregator.db.models import AccountRow
from aggregator.domain.identifiers import new_public_id
from aggregator.domain.notices import NewNotice
from aggregator.languages import Sentences
from aggregator.notifications.outbox import ACCOUNT_TOPIC as TOPIC
from aggregator.notifications.outbox import put_notices
from aggregator.settings import Settings

SecurityChange = Literal[
    "password_set", "passkey_added", "second_factor_on", "second_factor_off", "phone_is_anothers"
]


def mail_activation(
    session: Session, settings: Settings, email: str, token: str, *, language: str | None = None
) -> None:
    """To a new address: the link that makes the account, in the language of who asks."""
    _ = Sentences(language)
    _post(
        session,
        _,
        email,
        _("Finish your registration"),
        [
            _("You, or somebody with your address, asked for an account."),
            _("Press the link to finish:"),
        ],
        f"{site_origin(settings)}/activate/{token}",
        [_("The link works once, for 24 hours."), _not_you(_)],
        lives=LIFETIMES["activate"],
    )


def mail_already_registered(
    session: Session, settings: Settings, email: str, *, language: str | None = None
) -> None:
    """To an address that has an account and was registered once more."""
    _ = _of_account(session, email, language)
    _post(
        session,
        _,
        email,
        _("You have an account already"),
        [
            _("You, or somebody with your address, asked for an account, and there is one with it."),
            _("If you do not know its password any more, set a new one:"),
        ],
        f"{site_origin(settings)}/recover",
        [_("Nothing was changed.")],
    )


def mail_recovery(
    session: Session, settings: Settings, email: str, token: str, *, language: str | None = None
) -> None:
    """To an account's address: the link that sets a new password."""
    _ = _of_account(session, email, language)
    _post(
        session,
        _,
        email,
        _("Set a new password"),
        [_("You, or somebody with your address, asked to set a new password. Press the link to do so:")],
        f"{site_origin(settings)}/recover/{token}",
        [_("The link works once, for one hour. All browsers are signed out then."), _not_you(_)],
        lives=LIFETIMES["recover"],
    )


def mail_nothing_to_recover(
    session: Session, settings: Settings, email: str, *, language: str | None = None
) -> None:
    """To an address without an account, for which a new password was asked."""
    # The same work as where there is one.
    _ = _of_account(session, email, language)
    _post(
        session,
        _,
        email,
        _("There is no account with this address"),
        [
            _(
                "You, or somebody with your address, asked to set a new password, but no account has this address."
            ),
            _("Perhaps you registered with another one. A new account begins here:"),
        ],
        f"{site_origin(settings)}/register",
        [_("Nothing was changed.")],
    )


def mail_address_change(
    session: Session, settings: Settings, email: str, token: str, *, language: str | None = None
) -> None:
    """To the new address: the link that confirms it, in the language of the account that asks."""
    _ = _of_account(session, email, language)
    _post(
        session,
        _,
        email,
        _("Confirm your new mail address"),
        [
            _(
                "An account here shall have this address from now on. Press the link to confirm that it is yours:"
            )
        ],
        f"{site_origin(settings)}/account/mail/{token}",
        [_("The link works once, for six hours."), _not_you(_)],
        lives=LIFETIMES["change_mail"],
    )


def mail_address_taken(
    session: Session, settings: Settings, email: str, *, language: str | None = None
) -> None:
    """To the owner of an address that another account asked for."""
    _ = _of_account(session, email, language)
    _post(
        session,
        _,
        email,
        _("Your address was asked for by another account"),
        [
            _(
                "Another account here asked to change to this address, which is your account's. It was refused."
            ),
        ],
        None,
        [_("Nothing was changed.")],
    )


def mail_address_changed(session: Session, settings: Settings, old: str, new: str) -> None:
    """To the old address: that it is the account's no more."""
    _ = _of_account(session, new)
    name, _at, host = new.partition("@")
    shown = f"{name[:1]}\N{HORIZONTAL ELLIPSIS}@{host}"
    _post(
        session,
        _,
        old,
        _("Your mail address was changed"),
        [_("Your account's address is now %(address)s. Mails go there from now on.", address=shown)],
        None,
        [
            _(
                "If this was not you, answer this mail at once: whoever did it was signed in with your password."
            )
        ],
    )


def mail_security_change(session: Session, settings: Settings, email: str, change: SecurityChange) -> None:
    """To the account's address: what was changed about how to get in."""
    _ = _of_account(session, email)
    changes: dict[SecurityChange, str] = {
        "password_set": _("A new password was set for your account"),
        "passkey_added": _("A passkey was added to your account"),
        "second_factor_on": _("A second factor was turned on"),
        "second_factor_off": _("The second factor was turned off"),
        "phone_is_anothers": _("Another account proved to have your phone number"),
    }
    what = changes[change]
    _post(
        session,
        _,
        email,
        what,
        [
            _("%(what)s, just now.", what=what),
            _("If this was not you, set a new password at once:"),
        ],
        f"{site_origin(settings)}/recover",
        [],
    )


def mail_deletion(session: Session, settings: Settings, email: str, due_at: datetime) -> None:
    """To the account's address: when it will be deleted, and how to keep it."""
    _ = _of_account(session, email)
    day = format_date(due_at, "long", locale=_.locale)
    _post(
        session,
        _,
        email,
        _("Your account will be deleted"),
        [
            _("As you asked, your account and all that is in it will be deleted on %(day)s.", day=day),
            _("Until then you keep it by signing in and pressing “Keep my account”:"),
        ],
        f"{site_origin(settings)}/account/data",
        [],
    )


def send_code(
    session: Session, number: str, code: str, *, lives: timedelta, account_id: int | None = None
) -> None:
    """An SMS with a one-time code, which is not sent any more once it would be of no use."""
    _ = Sentences(session.scalar(select(AccountRow.language).where(AccountRow.id == account_id)))
    minutes = int(lives.total_seconds() // 60)
    text = _(
        "%(code)s is your Click2Cart code. It works for %(minutes)s minutes. Nobody of ours asks you for it.",
        code=code,
        minutes=minutes,
    )
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


def _of_account(session: Session, email: str, otherwise: str | None = None) -> Sentences:
    """The language of the account with that address, else of who asks."""
    own = session.scalar(select(AccountRow.language).where(AccountRow.email == email))
    return Sentences(own or otherwise)


def _not_you(_: Sentences) -> str:
    return _("If this was not you, there is nothing to do: without the link nothing happens.")


def _post(
    session: Session,
    _: Sentences,
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
    content: dict[str, Any] = {
        "subject": subject,
        "text": "\n\n".join(paragraphs) + "\n",
        "html": f"<!doctype html><html lang={_.language}><body>{''.join(html)}</body></html>",
        "headers": {"Content-Language": _.language},
    }
    if lives is not None:
        content["expires_at"] = int((datetime.now(UTC) + lives).timestamp())
    notice = NewNotice(
        topic=TOPIC,
        channel="mail",
        recipient=recipient,
        dedupe_key=f"{TOPIC}:{new_public_id()}",
        content=content,
    )
    put_notices(session, [notice])
