"""Web push: notices to browsers, encrypted for each (RFC 8291) and signed by this site (VAPID, RFC 8292)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import http_ece
import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from aggregator.domain.errors import FetchRefused, InvalidInput, NotDelivered, RecipientGone, StoreError
from aggregator.domain.notices import Notice
from aggregator.domain.web_addresses import read_web_address
from aggregator.fetching import Fetcher
from aggregator.secrets import derived_keys
from aggregator.settings import Settings

_SECONDS = 15.0
# A price of the day before yesterday is no news to a phone that was off.
_LIVES_SECONDS = 86_400
_TOKEN_LIVES_SECONDS = 12 * 3600
_MOST_TEXT = 300
_LONGEST_ENDPOINT = 1_000
_ORDER_OF_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
# RFC 8030, section 7.3: the subscription is no more.
_GONE = frozenset({404, 410})


@dataclass(frozen=True, slots=True, kw_only=True)
class PushSubscription:
    """Where a browser takes notices, and what they are encrypted with; keys are base64url as browsers write them.

    `site_key` is the public key of ours that the browser subscribed with: it takes nothing that another one signed.
    """

    endpoint: str
    p256dh: str
    auth: str
    site_key: str

    def as_json(self) -> str:
        """The subscription as text, to be kept sealed."""
        names = ("endpoint", "p256dh", "auth", "site_key")
        return json.dumps({name: getattr(self, name) for name in names})

    @classmethod
    def from_json(cls, text: str) -> PushSubscription:
        """The subscription again."""
        return cls(**json.loads(text))


def site_key(settings: Settings) -> str:
    """The public key that browsers subscribe with (`applicationServerKey`), base64url."""
    return _public_text(_private_keys(settings)[0])


def read_subscription(settings: Settings, endpoint: str, p256dh: str, auth: str) -> PushSubscription:
    """What a browser says of its subscription, checked; raises InvalidInput for what is none.

    The address must be https, unless the operator allowed that private host and port by name.
    """
    if len(endpoint) > _LONGEST_ENDPOINT:
        raise InvalidInput("too long for a push service's address", place="endpoint")
    address = read_web_address(endpoint)
    if address.scheme != "https" and address.authority not in settings.allow_private_hosts:
        raise InvalidInput("a push service has an https address", place="endpoint")
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), _bytes(p256dh))
    except ValueError as error:
        raise InvalidInput("no key of a browser", place="keys.p256dh") from error
    try:
        is_secret = len(_bytes(auth)) == 16
    except ValueError:
        is_secret = False
    if not is_secret:
        raise InvalidInput("no secret of a browser", place="keys.auth")
    return PushSubscription(endpoint=endpoint, p256dh=p256dh, auth=auth, site_key=site_key(settings))


class PushSender:
    """Posts encrypted notices with one fetcher; close that yourself."""

    def __init__(self, settings: Settings, fetcher: Fetcher, contact: str) -> None:
        self._keys = {_public_text(key): key for key in _private_keys(settings)}
        self._contact = contact
        self._fetcher = fetcher

    def send(self, notice: Notice, to: PushSubscription) -> None:
        """Hand one over. Raises NotDelivered, and RecipientGone where the browser takes no more."""
        key = self._keys.get(to.site_key)
        if key is None:
            raise RecipientGone("a browser", "it subscribed with a key that this site has no more")
        headers = {
            "Authorization": f"vapid t={self._token(key, to.endpoint)}, k={to.site_key}",
            "Content-Encoding": "aes128gcm",
            "TTL": str(_LIVES_SECONDS),
            "Urgency": "normal",
        }
        if notice.content.get("tag"):
            # What has not arrived yet is replaced by what came later of the same alert (RFC 8030, section 5.4).
            headers["Topic"] = _topic(notice.content["tag"])
        try:
            answer = self._fetcher.post_bytes(
                to.endpoint, encrypt(_message(notice), to), headers=headers, max_seconds=_SECONDS
            )
        except FetchRefused as error:
            raise NotDelivered("a browser", error.problem, is_final=True) from error
        except StoreError as error:
            raise NotDelivered("a browser", error.problem) from error
        if answer.status in _GONE:
            raise RecipientGone("a browser", f"its push service answered HTTP {answer.status}")
        if not 200 <= answer.status < 300:
            is_final = 400 <= answer.status < 500 and answer.status not in {408, 429}
            raise NotDelivered(
                "a browser", f"its push service answered HTTP {answer.status}", is_final=is_final
            )

    def _token(self, key: ec.EllipticCurvePrivateKey, endpoint: str) -> str:
        parts = urlsplit(endpoint)
        claims = {
            "aud": f"{parts.scheme}://{parts.netloc}",
            "exp": int(time.time()) + _TOKEN_LIVES_SECONDS,
            "sub": self._contact,
        }
        return jwt.encode(claims, key, algorithm="ES256")


def encrypt(
    message: bytes,
    to: PushSubscription,
    *,
    salt: bytes | None = None,
    private_key: ec.EllipticCurvePrivateKey | None = None,
) -> bytes:
    """The message as only that browser can read it: one record of aes128gcm (RFC 8188) under RFC 8291's keys.

    Salt and key are drawn for each message, and given where a known result is asked for.
    """
    encrypted: bytes = http_ece.encrypt(
        message,
        salt=salt or secrets.token_bytes(16),
        private_key=private_key or ec.generate_private_key(ec.SECP256R1()),
        dh=_bytes(to.p256dh),
        auth_secret=_bytes(to.auth),
        version="aes128gcm",
    )
    return encrypted


def _message(notice: Notice) -> bytes:
    """At most what every push service takes, 4096 bytes: what a notice shows is short."""
    content: Mapping[str, Any] = notice.content
    shown = {name: str(content.get(name, ""))[:_MOST_TEXT] for name in ("title", "text", "url", "tag")}
    return json.dumps({"id": notice.id, **shown}, ensure_ascii=False).encode("utf-8", "replace")


def _topic(tag: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(tag.encode()).digest()[:24]).decode()


def _private_keys(settings: Settings) -> list[ec.EllipticCurvePrivateKey]:
    """Today's, then those of the previous secrets, which browsers may have subscribed with."""
    return [
        ec.derive_private_key(
            int.from_bytes(hashlib.sha512(key).digest()) % (_ORDER_OF_P256 - 1) + 1, ec.SECP256R1()
        )
        for key in derived_keys(settings, "web push")
    ]


def _public_text(key: ec.EllipticCurvePrivateKey) -> str:
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return base64.urlsafe_b64encode(point).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    """What base64url stands for; raises ValueError."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("not base64url") from error
