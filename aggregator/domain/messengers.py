"""Messengers that accounts are told at: a fixed list, and the only form that each one's address may have.

The addresses are Apprise's, or the web address that the service itself shows. None of them names a host, a port, a user
or a parameter: where a message goes is the service's own address, whatever is typed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from aggregator.domain.errors import InvalidInput

_LONGEST = 300


@dataclass(frozen=True, slots=True)
class MessengerService:
    """A service: its name, the form of its addresses, whose groups are the parts, and what one looks like."""

    name: str
    form: re.Pattern[str]
    example: str


@dataclass(frozen=True, slots=True)
class MessengerAddress:
    """An address that was read: the key of its service, and its parts by name."""

    service: str
    parts: Mapping[str, str]


def _form(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern + "/?", re.ASCII)


MESSENGERS: Mapping[str, MessengerService] = MappingProxyType(
    {
        "tgram": MessengerService(
            "Telegram",
            _form(
                r"tgram://(?P<bot_token>[0-9]{6,15}:[\w-]{30,60})/(?P<chat>-?[0-9]{3,20}|@[A-Za-z]\w{4,31})"
            ),
            "tgram://123456789:bot-token/chat",
        ),
        "discord": MessengerService(
            "Discord",
            _form(
                r"(?:discord://|https://discord\.com/api/webhooks/)"
                r"(?P<webhook_id>[0-9]{15,25})/(?P<webhook_token>[\w-]{30,120})"
            ),
            "https://discord.com/api/webhooks/id/token",
        ),
        "slack": MessengerService(
            "Slack",
            _form(
                r"(?:slack://|https://hooks\.slack\.com/services/)"
                r"(?P<token_a>[A-Z0-9]{6,20})/(?P<token_b>[A-Z0-9]{6,20})/(?P<token_c>[A-Za-z0-9]{20,40})"
            ),
            "https://hooks.slack.com/services/T…/B…/…",
        ),
        "ntfy": MessengerService(
            "ntfy.sh", _form(r"(?:ntfy://|https://ntfy\.sh/)(?P<topic>[\w-]{1,64})"), "https://ntfy.sh/topic"
        ),
        "pover": MessengerService(
            "Pushover",
            _form(r"pover://(?P<user_key>[A-Za-z0-9]{30})@(?P<token>[A-Za-z0-9]{30})"),
            "pover://user-key@app-token",
        ),
        "pbul": MessengerService(
            "Pushbullet", _form(r"pbul://(?P<accesstoken>[\w.-]{20,64})"), "pbul://access-token"
        ),
        "gchat": MessengerService(
            "Google Chat",
            _form(
                r"gchat://(?P<workspace>[\w-]{5,40})/(?P<webhook_key>[\w-]{20,80})/(?P<webhook_token>[\w-]{20,90})"
            ),
            "gchat://space/key/token",
        ),
        "prowl": MessengerService("Prowl", _form(r"prowl://(?P<apikey>[A-Za-z0-9]{40})"), "prowl://api-key"),
    }
)


def read_messenger_address(text: str) -> MessengerAddress:
    """The messenger that the text is an address of; raises InvalidInput for whatever is not wholly of a known form."""
    for key, service in MESSENGERS.items():
        found = service.form.fullmatch(text.strip()) if len(text) <= _LONGEST else None
        if found:
            return MessengerAddress(key, found.groupdict())
    names = ", ".join(service.name for service in MESSENGERS.values())
    raise InvalidInput(
        "this is no address of a messenger that we write to",
        place="messenger",
        remedy=f"give one of {names} in the form shown, with nothing added",
    )
