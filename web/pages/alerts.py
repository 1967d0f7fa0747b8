"""Price alerts of the account: setting and ending them, how one is told, and the link in each mail."""

from __future__ import annotations

from flask import Blueprint, Response, flash, render_template, request, url_for
from flask_babel import gettext as _

from aggregator.domain.alerts import AlertWishes
from aggregator.domain.errors import InvalidInput, NotFound
from aggregator.domain.messengers import MESSENGERS
from aggregator.domain.money import Money
from aggregator.notifications.web_push import site_key
from aggregator.shopping.alert_browsers import list_browsers
from aggregator.shopping.alert_channels import has_feed, has_webhook_key
from aggregator.shopping.alert_messengers import list_messengers
from aggregator.shopping.alert_words import read_stop_token
from aggregator.shopping.alerts import (
    NewAlert,
    Telling,
    change_alert,
    end_alert,
    find_telling,
    find_watched,
    list_alerts_of,
    read_hour,
    set_alert,
    set_telling,
    turn_off,
)
from web import context
from web.account_area import own_account
from web.db import current_session
from web.search_address import read_amount

pages = Blueprint("alerts", __name__, url_prefix="/alerts")


@pages.get("")
def index() -> str:
    """All alerts, and when they may be told."""
    return alerts_page()


@pages.post("")
def create() -> Response:
    """Set an alert."""
    account = own_account()
    rule = request.form.get("rule", "")
    amount = read_amount(request.form.get("amount")) if rule == "below" else None
    if rule == "below" and amount is None:
        raise InvalidInput(_("that is no price"), place="amount", remedy=_("write 49.90"))
    set_alert(
        current_session(),
        account.account_id,
        NewAlert(
            product_id=request.form.get("product", ""),
            rule=rule,
            amount=Money(amount, request.form.get("currency") or context.CURRENCY)
            if amount is not None
            else None,
            percent=_whole(request.form.get("percent", ""), "percent") if rule == "percent" else None,
            with_shipping="with_shipping" in request.form,
            stores=tuple(store for store in request.form.getlist("store") if store),
        ),
    )
    flash(_("We shall write to you."), "alert")
    return context.go_to(context.local_path(request.form.get("next"), url_for("alerts.index")))


@pages.post("/<alert_id>")
def change(alert_id: str) -> Response:
    """Turn an alert on or off, let it rest for a while, or delete it."""
    account_id = own_account().account_id
    if "delete" in request.form:
        end_alert(current_session(), account_id, alert_id)
        flash(_("The alert is gone."), "alert")
    else:
        days = request.form.get("snooze", "")
        change_alert(
            current_session(),
            account_id,
            alert_id,
            is_on="off" not in request.form,
            snooze_days=_whole(days, "snooze") if days else None,
        )
    return context.go_to(url_for("alerts.index"))


@pages.post("/telling")
def tell() -> Response | tuple[str, int]:
    """Keep when and where the account wants to be told."""
    form = request.form
    try:
        set_telling(
            current_session(),
            own_account().account_id,
            Telling(
                wishes=AlertWishes(
                    time_zone=form.get("time_zone", "UTC"),
                    quiet_from=read_hour(form.get("quiet_from", "")),
                    quiet_until=read_hour(form.get("quiet_until", "")),
                    digest_hour=_whole(form["digest_hour"], "digest_hour")
                    if form.get("digest_hour")
                    else None,
                    most_a_day=_whole(form.get("most_a_day", "20"), "most_a_day"),
                ),
                by_mail="by_mail" in form,
                webhook=form.get("webhook", "").strip() or None,
            ),
        )
    except InvalidInput as error:
        return alerts_page(problem=error), 400
    flash(_("It is kept."), "alert")
    return context.go_to(url_for("alerts.index"))


@pages.get("/stop/<token>")
def stop_form(token: str) -> str:
    """The link of a mail: one press turns its alert off, without signing in."""
    return _stop_page(token, _alert_of(token), is_off=False)


@pages.post("/stop/<token>")
def stop(token: str) -> str:
    """The same press, which a mail program may make for its reader (RFC 8058)."""
    alert_id = _alert_of(token)
    turn_off(current_session(), alert_id)
    return _stop_page(token, alert_id, is_off=True)


def _stop_page(token: str, alert_id: str, *, is_off: bool) -> str:
    return render_template(
        "alerts/stop.html", token=token, is_off=is_off, product=find_watched(current_session(), alert_id)
    )


def _alert_of(token: str) -> str:
    alert_id = read_stop_token(context.current_settings(), token)
    if alert_id is None:
        raise NotFound("link", "like this")
    return alert_id


def alerts_page(*, problem: InvalidInput | None = None, messenger: str = "") -> str:
    """The page, with what could not be used, and the messenger's address that was typed."""
    account_id, session, settings = own_account().account_id, current_session(), context.current_settings()
    return render_template(
        "alerts/index.html",
        alerts=list_alerts_of(session, account_id),
        telling=find_telling(session, account_id),
        browsers=list_browsers(session, account_id),
        messengers=list_messengers(session, settings, account_id),
        services=MESSENGERS.values(),
        has_webhook_key=has_webhook_key(session, account_id),
        has_feed=has_feed(session, account_id),
        site_key=site_key(settings),
        problem=problem,
        messenger=messenger,
    )


def _whole(text: str, place: str) -> int:
    if not (text.strip().isascii() and text.strip().isdigit() and len(text) < 10):
        raise InvalidInput(_("that is no whole number"), place=place)
    return int(text)
