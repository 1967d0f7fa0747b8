"""Webhooks: a signed JSON document, posted through the guarded fetcher."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any

from aggregator.domain.errors import FetchRefused, NotDelivered, StoreError
from aggregator.domain.notices import Notice
from aggregator.fetching import Fetcher
from aggregator.secrets import derived_key
from aggregator.settings import Settings

_SECONDS = 15.0
# What a receiver answers that wants no more of it.
_GONE = 410


def webhook_document(notice: Notice) -> dict[str, Any]:
    """What is posted: the notice's content with its id, topic and time."""
    return {
        "id": notice.id,
        "topic": notice.topic,
        "created_at": notice.created_at.isoformat().replace("+00:00", "Z"),
        **notice.content,
    }


def sign(key: bytes, timestamp: str, body: bytes) -> str:
    """The signature of a posted body: "sha256=" and HMAC-SHA256 of the timestamp, a point and the body, in hex."""
    return "sha256=" + hmac.new(key, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def webhook_key(settings: Settings) -> bytes:
    """The key that receivers check signatures with: the setting's, else the hex form of a derived one."""
    if settings.webhook_secret is not None:
        return settings.webhook_secret.encode()
    return derived_key(settings, "webhooks").hex().encode()


class WebhookSender:
    """Posts notices with one fetcher; close that yourself. What is not an account's is signed with the site's key."""

    def __init__(self, settings: Settings, fetcher: Fetcher) -> None:
        self._key = webhook_key(settings)
        self._fetcher = fetcher

    def send(self, notice: Notice, key: str | None = None) -> None:
        """Post one notice, signed with this key where it is given; any 2xx answer takes it. Raises NotDelivered."""
        document = webhook_document(notice)
        timestamp = str(int(time.time()))
        # The very bytes that the fetcher sends.
        body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        try:
            answer = self._fetcher.post_json(
                notice.recipient,
                document,
                headers={
                    "Click2Cart-Notice": notice.id,
                    "Click2Cart-Timestamp": timestamp,
                    "Click2Cart-Signature": sign(key.encode() if key else self._key, timestamp, body),
                },
                max_bytes=100_000,
                max_seconds=_SECONDS,
            )
        except FetchRefused as error:
            raise NotDelivered(notice.recipient, error.problem, is_final=True) from error
        except StoreError as error:
            raise NotDelivered(notice.recipient, error.problem) from error
        if not 200 <= answer.status < 300:
            raise NotDelivered(
                notice.recipient, f"answered HTTP {answer.status}", is_final=answer.status == _GONE
            )
