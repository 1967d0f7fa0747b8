"""Browsers that show the account's notices (Web Push)."""

from __future__ import annotations

from typing import Self

from flask import Blueprint
from pydantic import Field

from aggregator.notifications.web_push import site_key
from aggregator.shopping import alert_browsers
from web import context
from web.account_area import own_account
from web.api.operations import Given, Told, operation
from web.api.v1.schemas import instant
from web.db import current_session

resources = Blueprint("api_alert_channels", __name__, url_prefix="/api/v1/alerts/browsers")


class BrowserTold(Told):
    """A browser; `device` are words for it, null where it said nothing known."""

    id: str
    device: str | None
    since: str

    @classmethod
    def of(cls, browser: alert_browsers.Browser) -> Self:
        """A browser as the API writes it."""
        return cls(id=browser.id, device=browser.device, since=instant(browser.since))


class Browsers(Told):
    """All browsers, and the key that another one subscribes with (`applicationServerKey`, base64url)."""

    application_server_key: str
    items: list[BrowserTold]


class BrowserKeys(Given):
    """The keys of a `PushSubscription`, base64url."""

    p256dh: str = Field(min_length=1, max_length=200)
    auth: str = Field(min_length=1, max_length=100)


class BrowserGiven(Given):
    """A `PushSubscription` as the browser writes it with toJSON()."""

    endpoint: str = Field(min_length=1, max_length=1000)
    expiration_time: float | None = Field(None, alias="expirationTime")
    keys: BrowserKeys


@resources.get("")
@operation("All browsers that show notices", answer=Browsers)
def index() -> Browsers:
    """The browsers that show the account's notices, the newest first."""
    found = alert_browsers.list_browsers(current_session(), own_account().account_id)
    return Browsers(
        application_server_key=site_key(context.current_settings()),
        items=[BrowserTold.of(one) for one in found],
    )


@resources.post("")
@operation("Show notices in a browser", body=BrowserGiven, answer=BrowserTold, status=201)
def create(body: BrowserGiven) -> BrowserTold:
    """Send what alerts find to a browser; the same one twice is one."""
    browser = alert_browsers.add_browser(
        current_session(),
        context.current_settings(),
        own_account().account_id,
        endpoint=body.endpoint,
        p256dh=body.keys.p256dh,
        auth=body.keys.auth,
        device=context.device(),
    )
    return BrowserTold.of(browser)


@resources.delete("/<browser_id>")
@operation("Show no more notices in a browser", status=204)
def remove(browser_id: str) -> None:
    """Send nothing there any more."""
    alert_browsers.remove_browser(current_session(), own_account().account_id, browser_id)
