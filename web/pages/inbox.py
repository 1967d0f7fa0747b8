"""The demo's inbox: mails and codes that would otherwise leave the house."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, abort, render_template, request

from aggregator.accounts.links import site_origin
from aggregator.notifications.inbox import list_inbox
from web import context
from web.db import current_session
from web.proxies import read_address
from web.security import LOOPBACK_NAMES, host_name

pages = Blueprint("inbox", __name__)


@pages.get("/inbox")
def show() -> str:
    """The newest first. There only in the demo, at a loopback name, for a browser on this machine."""
    address = read_address(request.remote_addr or "")
    is_here = host_name(request.environ.get("HTTP_HOST", "")) in LOOPBACK_NAMES
    if not (context.current_settings().has_inbox and is_here and address and address.is_loopback):
        abort(404)
    recipient = request.args.get("to", "").strip().lower()
    # Links lead to where this browser is: at another name of this machine it would be a stranger.
    here, there = context.origin(), site_origin(context.current_settings())
    messages = [
        replace(message, text=message.text.replace(there, here))
        for message in list_inbox(current_session(), recipient=recipient or None)
    ]
    return render_template("accounts/inbox.html", messages=messages, recipient=recipient)
