"""Handing messages to messengers, by plug-ins of Apprise that each post to their service's own host alone.

An address is never handed to Apprise, whose addresses can name any host and turn checks off: the plug-in is made of the
parts that `aggregator.domain.messengers` found in it. Apprise posts by itself, not through our fetcher; here it is told
to follow no redirect, and certificates are always checked.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType

import apprise
from apprise.plugins.base import NotifyBase
from apprise.plugins.discord import NotifyDiscord
from apprise.plugins.google_chat import NotifyGoogleChat
from apprise.plugins.ntfy import NotifyNtfy
from apprise.plugins.prowl import NotifyProwl
from apprise.plugins.pushbullet import NotifyPushBullet
from apprise.plugins.pushover import NotifyPushover
from apprise.plugins.slack import NotifySlack
from apprise.plugins.telegram import NotifyTelegram

from aggregator.domain.errors import NotDelivered
from aggregator.domain.messengers import MESSENGERS, MessengerAddress

# Below warnings it writes down where it posts to, which is a secret.
logging.getLogger("apprise").setLevel(logging.WARNING)

_SECONDS = 30.0
_LONGEST_TITLE = 200
_LONGEST_TEXT = 1_500
# What messengers read as mentions, links and commands: a store wrote the title, not we.
_PLAIN = str.maketrans({"@": "@\u200b", "<": "\u2039", ">": "\u203a", "[": "(", "]": ")", "`": "'"})

_ASSET = apprise.AppriseAsset(
    app_id="Click2Cart",
    app_desc="Price alerts",
    http_redirects=False,
    async_mode=False,
    interpret_emojis=False,
    allow_templates=False,
    storage_mode="memory",
)
_PLUG_INS: Mapping[str, Callable[..., NotifyBase]] = MappingProxyType(
    {
        "tgram": lambda bot_token, chat: NotifyTelegram(
            bot_token, targets=[chat], detect_owner=False, preview=False, asset=_ASSET
        ),
        "discord": lambda **parts: NotifyDiscord(**parts, asset=_ASSET),
        "slack": lambda **parts: NotifySlack(**parts, include_image=False, asset=_ASSET),
        "ntfy": lambda topic: NotifyNtfy(targets=[topic], mode="cloud", include_image=False, asset=_ASSET),
        "pover": lambda **parts: NotifyPushover(**parts, asset=_ASSET),
        "pbul": lambda **parts: NotifyPushBullet(**parts, asset=_ASSET),
        "gchat": lambda **parts: NotifyGoogleChat(**parts, asset=_ASSET),
        "prowl": lambda **parts: NotifyProwl(**parts, asset=_ASSET),
    }
)


def send_to_messenger(address: MessengerAddress, title: str, text: str, *, within: float = _SECONDS) -> None:
    """Hand a message over in so many seconds. Raises NotDelivered, without the address, which is a secret."""
    name = MESSENGERS[address.service].name
    outcome: list[bool | Exception] = []

    def post() -> None:
        try:
            messenger = apprise.Apprise(asset=_ASSET)
            messenger.add(_PLUG_INS[address.service](**address.parts))
            taken = messenger.notify(
                title=title[:_LONGEST_TITLE].translate(_PLAIN),
                body=text[:_LONGEST_TEXT].translate(_PLAIN),
                body_format=apprise.NotifyFormat.TEXT,
            )
            outcome.append(bool(taken))
        except Exception as error:  # the plug-in is another's: whatever fails there must not stop the outbox
            outcome.append(error)

    # A plug-in may wait for as long as its service asks it to; the outbox does not.
    thread = threading.Thread(target=post, daemon=True)
    thread.start()
    thread.join(within)
    if not outcome:
        raise NotDelivered(name, f"it did not answer within {within:.0f} seconds")
    if isinstance(outcome[0], Exception):
        raise NotDelivered(name, f"the plug-in failed: {type(outcome[0]).__name__}") from outcome[0]
    if not outcome[0]:
        raise NotDelivered(name, "it did not take the message")
