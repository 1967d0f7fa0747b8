"""What the pages of one's own account share: their navigation, and who asks."""

from __future__ import annotations

from flask import current_app, request
from flask_babel import gettext as _

from aggregator.accounts.sessions import SignedIn
from web import context


def own_account() -> SignedIn:
    """Who is signed in; the route's declaration let nobody else in."""
    account = context.current_account()
    assert account is not None
    return account


def account_sections() -> list[tuple[str, str, bool]]:
    """The navigation of the account's pages: (endpoint, words, whether this is one of its pages)."""
    sections = [
        ("profile.show", _("Profile")),
        ("wishlists.index", _("Wishlists")),
        ("alerts.index", _("Alerts")),
        ("purchases.index", _("Purchases")),
        ("addresses.index", _("Addresses")),
        ("account_security.show", _("Security")),
        ("account_data.show", _("Data")),
    ]
    here = (request.endpoint or "").partition(".")[0].replace("alert_channels", "alerts")
    return [
        (endpoint, words, endpoint.partition(".")[0] == here)
        for endpoint, words in sections
        if endpoint in current_app.view_functions
    ]


def shows_inbox() -> bool:
    """Whether mails and codes are to be read on this machine."""
    return context.current_settings().has_inbox


def sends_mail() -> bool:
    """Whether what is mailed arrives anywhere."""
    return context.current_settings().has_inbox or context.current_settings().smtp_url is not None


def sends_sms() -> bool:
    """Whether a code that is sent to a phone arrives anywhere."""
    return context.current_settings().has_inbox or bool(context.current_settings().sms_gateway)
