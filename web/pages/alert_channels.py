"""How alerts reach their account besides by mail: browsers, messengers, the webhook's key, a feed of one's own."""

from __future__ import annotations

from flask import Blueprint, Response, flash, render_template, request, url_for
from flask_babel import force_locale
from flask_babel import gettext as _

from aggregator.domain.errors import InvalidInput
from aggregator.languages import Sentences
from aggregator.shopping.alert_browsers import remove_browser
from aggregator.shopping.alert_channels import close_feed, open_feed, renew_webhook_key
from aggregator.shopping.alert_messengers import add_messenger, remove_messenger
from aggregator.shopping.alert_words import sentence_of
from aggregator.shopping.fired_alerts import read_alert_feed
from web import context
from web.account_area import own_account
from web.atom import Entry
from web.atom import feed as atom
from web.db import current_session
from web.pages.alerts import alerts_page
from web.structured_data import absolute

pages = Blueprint("alert_channels", __name__, url_prefix="/alerts")


@pages.post("/browsers/<browser_id>/remove")
def leave_browser(browser_id: str) -> Response:
    """Show no more notices in a browser."""
    remove_browser(current_session(), own_account().account_id, browser_id)
    return _done(_("That browser shows no notices any more."))


@pages.post("/messengers")
def join_messenger() -> Response | tuple[str, int]:
    """Tell the account at a messenger, too."""
    account_id, address = own_account().account_id, request.form.get("messenger", "")
    try:
        added = add_messenger(current_session(), context.current_settings(), account_id, address)
    except InvalidInput as error:
        return alerts_page(problem=error, messenger=address), 400
    return _done(_("We write to %(service)s, too.", service=added.service))


@pages.post("/messengers/<messenger_id>/remove")
def leave_messenger(messenger_id: str) -> Response:
    """Tell the account there no more."""
    remove_messenger(current_session(), own_account().account_id, messenger_id)
    return _done(_("We do not write there any more."))


@pages.post("/webhook-key")
def renew_key() -> Response:
    """Make a key for the webhook, and show it this one time."""
    key = renew_webhook_key(current_session(), context.current_settings(), own_account().account_id)
    return _once("alerts/webhook_key.html", key)


@pages.post("/feed")
def share_feed() -> Response:
    """Make an address for the feed, and show it this one time; or close it."""
    account_id = own_account().account_id
    if "stop" in request.form:
        close_feed(current_session(), account_id)
        return _done(_("The feed is closed: its address shows nothing any more."))
    secret = open_feed(current_session(), account_id)
    return _once("alerts/feed_address.html", absolute(url_for("alert_channels.feed", secret=secret)))


@pages.get("/feed/<secret>.atom")
def feed(secret: str) -> Response:
    """What fired, the newest first, to whoever holds the address: a feed reader does not sign in."""
    found = read_alert_feed(current_session(), secret)
    words = Sentences(found.language)
    with force_locale(words.language):
        title = _("Price alerts")
    entries = [
        Entry(
            key=one.id,
            title=sentence_of(one, words),
            url=absolute(url_for("products.show", key=one.product_id)),
            updated_at=one.at,
            summary=one.title,
        )
        for one in found.fired
    ]
    answer = atom(title, absolute(url_for("alerts.index")), absolute(request.path), entries)
    answer.headers["X-Robots-Tag"] = "noindex, nofollow"
    answer.add_etag()
    return answer.make_conditional(request)  # type: ignore[return-value]  # it returns the response itself


def _done(words: str) -> Response:
    flash(words, "alert")
    return context.go_to(url_for("alerts.index"))


def _once(template: str, secret: str) -> Response:
    answer = Response(render_template(template, secret=secret))
    answer.headers["Cache-Control"] = "no-store"
    return answer
