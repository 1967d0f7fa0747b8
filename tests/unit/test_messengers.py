"""Messengers: a fixed list, whose addresses name no host and turn no check off."""

from __future__ import annotations

import socket

import pytest

from aggregator.domain.errors import InvalidInput, NotDelivered
from aggregator.domain.messengers import MESSENGERS, read_messenger_address
from aggregator.notifications.messengers import send_to_messenger

GOOD = {
    "tgram://123456789:" + "a" * 35 + "/-1001234567": "api.telegram.org",
    "discord://123456789012345678/" + "aB_-" * 16: "discord.com",
    "https://discord.com/api/webhooks/123456789012345678/" + "aB_-" * 16: "discord.com",
    "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ": "hooks.slack.com",
    "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ": "hooks.slack.com",
    "ntfy://my-prices": "ntfy.sh",
    "https://ntfy.sh/my-prices/": "ntfy.sh",
    # A topic that is called like a host is a topic.
    "ntfy://localhost": "ntfy.sh",
    "pover://" + "u" * 30 + "@" + "a" * 30: "api.pushover.net",
    "pbul://o." + "a" * 32: "api.pushbullet.com",
    "gchat://AAAAabcdefg/" + "k" * 39 + "/" + "t" * 43: "chat.googleapis.com",
    "prowl://" + "a" * 40: "api.prowlapp.com",
}


@pytest.mark.parametrize(
    "address",
    [
        "json://localhost/",
        "jsons://user:pass@10.0.0.1/x",
        "xml://127.0.0.1",
        "form://127.0.0.1",
        "mailto://user:pass@example.org",
        "ntfys://127.0.0.1",
        "ntfy://127.0.0.1",
        "ntfy://127.0.0.1/topic",
        "ntfy://user:pass@localhost/topic",
        "ntfy://localhost:8080",
        "ntfy://topic?mode=private",
        "ntfy://topic?verify=no",
        "ntfy://topic?attach=http://169.254.169.254/",
        "ntfy://topic#x",
        "https://ntfy.sh.evil.example/topic",
        "https://ntfy.sh@evil.example/topic",
        "http://ntfy.sh/topic",
        "gotify://127.0.0.1/token",
        "matrix://user@localhost",
        "discord://123456789012345678/" + "a" * 60 + "?verify=no",
        "discord://123456789012345678/" + "a" * 60 + "?avatar_url=http://10.0.0.1/",
        "discord://bot@123456789012345678/" + "a" * 60,
        "discord://12345678901234567\N{ARABIC-INDIC DIGIT EIGHT}/" + "a" * 60,
        "https://discord.com:444/api/webhooks/123456789012345678/" + "a" * 60,
        "tgram://123456789:" + "a" * 35,
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general",
        "file:///etc/apprise.yml",
        "http://config.example/apprise.yml",
        "include https://config.example/apprise.yml",
        "ntfy://topic, json://localhost",
        "ntfy://topic\njson://localhost",
        "",
        "ntfy://" + "t" * 400,
    ],
)
def test_every_other_address_is_refused_with_what_to_do(address: str) -> None:
    with pytest.raises(InvalidInput, match=r"no address of a messenger.*give one of Telegram, Discord"):
        read_messenger_address(address)


def test_every_messenger_asks_its_own_host_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def refuse(host: str, *_: object, **__: object) -> None:
        asked.append(host)
        raise socket.gaierror("no network in a test")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    reached = {}
    for address in GOOD:
        asked.clear()
        with pytest.raises(NotDelivered, match="did not take the message") as raised:
            send_to_messenger(read_messenger_address(address), "Kettle", "10 EUR")
        assert "aaaa" not in str(raised.value)
        reached[address] = ", ".join(sorted(set(asked)))
    assert reached == GOOD
    assert {read_messenger_address(address).service for address in GOOD} == set(MESSENGERS)
