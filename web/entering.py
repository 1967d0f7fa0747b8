"""What follows every way of signing in: a fresh session, the guest's things, the next page."""

from __future__ import annotations

from flask import Response, flash, g, render_template, request, session, url_for
from flask_babel import gettext as _
from flask_babel import ngettext

from aggregator.accounts.profiles import set_language
from aggregator.accounts.roles import may
from aggregator.accounts.sessions import find_signed_in
from aggregator.shopping.guest_merging import GuestTokens, merge_guest
from web import context
from web.db import current_session
from web.presenters import spoken_language


def go_in(session_token: str, next_path: str | None) -> Response:
    """Hand the browser its session: what a guest gathered comes along, and form tokens begin anew."""
    account = find_signed_in(current_session(), session_token)
    assert account is not None
    guest = GuestTokens(cart=context.guest_cart_token())
    set_language(current_session(), account.account_id, spoken_language(), only_first=True)
    merged = merge_guest(current_session(), context.current_settings(), account.account_id, guest)
    # A token that somebody planted here before must be good for nothing now (session fixation).
    session.clear()
    for known in ("signed_in", "cart_units"):
        g.pop(known, None)
    if merged.cart_lines:
        flash(
            ngettext(
                "What was in your cart here is in your account's now: %(num)d product.",
                "What was in your cart here is in your account's now: %(num)d products.",
                merged.cart_lines,
            ),
            "cart",
        )
    if account.deletion_due_at is not None:
        target = url_for("account_data.show")
    else:
        target = context.local_path(next_path, first_page(account.roles))
    response = context.go_to(target)
    response.delete_cookie(context.CART_COOKIE)
    return context.remember(response, context.ACCOUNT_COOKIE, session_token, days=context.ACCOUNT_DAYS)


def first_page(roles: frozenset[str]) -> str:
    """Where somebody goes who asked for nothing else."""
    return url_for("operations.index") if may(roles, "operate") else url_for("home.show")


def ask_second_factor(challenge: str, next_path: str, *, was_wrong: bool = False) -> tuple[str, int]:
    """The page between a right password and being signed in."""
    page = render_template(
        "accounts/second_factor.html", challenge=challenge, next=next_path, was_wrong=was_wrong
    )
    return page, 401 if was_wrong else 200


def old_session_token() -> str | None:
    """The session that this browser held before; a new one takes its place."""
    return request.cookies.get(context.ACCOUNT_COOKIE)


def forget_account(response: Response) -> Response:
    """Let this browser hold nothing of an account any more."""
    session.clear()
    g.signed_in = None
    response.delete_cookie(context.ACCOUNT_COOKIE)
    flash(_("You are signed out."), "account")
    return response
