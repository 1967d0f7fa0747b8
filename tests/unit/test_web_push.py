"""Web push: what is sent can be read by the browser alone, and its push service can tell who sent it."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from aggregator.domain.errors import InvalidInput, NotDelivered, RecipientGone
from aggregator.domain.notices import Notice
from aggregator.notifications.web_push import (
    PushSender,
    PushSubscription,
    encrypt,
    read_subscription,
    site_key,
)
from aggregator.settings import Settings
from tests.unit.test_fetching import Site

# RFC 8291, appendix A.
BROWSER = PushSubscription(
    endpoint="https://shop.example/push",
    p256dh="BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
    auth="BTBZMqHH6r4Tts7J_aSIgg",
    site_key="",
)
NOTICE = Notice(
    id="n1",
    topic="alerts",
    channel="push",
    recipient="b1",
    content={"title": "Kettle", "text": "…", "url": "https://prices.example/products/x", "tag": "a1"},
    attempts=1,
    created_at=datetime.now(UTC),
)


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, secret_key="a secret of sixteen or more")


def test_encrypts_as_the_standard_does() -> None:
    server = ec.derive_private_key(
        int.from_bytes(decoded("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")), ec.SECP256R1()
    )
    message = b"When I grow up, I want to be a watermelon"
    salt = decoded("DGv6ra1nlYgDCS1FRnbzlw")
    assert encrypt(message, BROWSER, salt=salt, private_key=server) == decoded(
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_"
        "yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )
    assert encrypt(message, BROWSER) != encrypt(message, BROWSER)


def test_the_key_is_the_installations_and_the_token_is_for_one_push_service(settings: Settings) -> None:
    site = Site(push=httpx.Response(201))
    to = replace(BROWSER, site_key=site_key(settings))
    PushSender(settings, site.fetcher, contact="mailto:a@b.example").send(NOTICE, to)
    (request,) = site.requests
    scheme, _space, fields = request.headers["authorization"].partition(" ")
    token, key = (part.partition("=")[2] for part in fields.split(", "))
    assert (scheme, key) == ("vapid", site_key(settings))
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), decoded(key))
    claims = jwt.decode(token, public, algorithms=["ES256"], audience="https://shop.example")
    assert claims["sub"] == "mailto:a@b.example"
    assert 0 < claims["exp"] - datetime.now(UTC).timestamp() <= 86_400
    assert (request.headers["content-encoding"], request.headers["ttl"]) == ("aes128gcm", "86400")
    assert len(request.headers["topic"]) == 32
    assert site_key(replace(settings, secret_key="another secret of some length")) != key


def test_a_replaced_key_is_good_for_its_subscriptions_until_it_is_forgotten(settings: Settings) -> None:
    old = replace(BROWSER, site_key=site_key(settings))
    renewed = replace(
        settings, secret_key="a new secret, long enough", previous_secret_keys=(settings.secret_key or "",)
    )
    site = Site(push=httpx.Response(201))
    PushSender(renewed, site.fetcher, contact="").send(NOTICE, old)
    with pytest.raises(RecipientGone):
        PushSender(replace(renewed, previous_secret_keys=()), site.fetcher, contact="").send(NOTICE, old)
    assert len(site.requests) == 1


@pytest.mark.parametrize(
    ("answer", "error", "is_final"),
    [
        (httpx.Response(410), RecipientGone, True),
        (httpx.Response(404), RecipientGone, True),
        (httpx.Response(403), NotDelivered, True),
        (httpx.Response(429, headers={"retry-after": "3600"}), NotDelivered, False),
        (httpx.Response(307, headers={"location": "http://10.0.0.1/"}), NotDelivered, True),
        (httpx.Response(307, headers={"location": "https://other.example/"}), NotDelivered, True),
    ],
)
def test_what_a_push_service_may_answer(
    settings: Settings, answer: httpx.Response, error: type[NotDelivered], is_final: bool
) -> None:
    site = Site(push=answer)
    with pytest.raises(NotDelivered) as raised:
        PushSender(settings, site.fetcher, contact="").send(
            NOTICE, replace(BROWSER, site_key=site_key(settings))
        )
    assert (type(raised.value), raised.value.is_final) == (error, is_final)
    assert len(site.requests) == 1


def test_a_subscription_is_what_a_browser_says_or_refused(settings: Settings) -> None:
    read = read_subscription(settings, BROWSER.endpoint, BROWSER.p256dh, BROWSER.auth)
    assert PushSubscription.from_json(read.as_json()) == read
    for endpoint, p256dh, auth in (
        ("http://shop.example/push", BROWSER.p256dh, BROWSER.auth),
        ("file:///etc/passwd", BROWSER.p256dh, BROWSER.auth),
        ("https://a:b@shop.example/", BROWSER.p256dh, BROWSER.auth),
        (BROWSER.endpoint, BROWSER.p256dh[:-4], BROWSER.auth),
        (BROWSER.endpoint, "B" * 87, BROWSER.auth),
        (BROWSER.endpoint, "ä", BROWSER.auth),
        (BROWSER.endpoint, BROWSER.p256dh, "AAAA"),
        (BROWSER.endpoint, BROWSER.p256dh, "!"),
    ):
        with pytest.raises(InvalidInput):
            read_subscription(settings, endpoint, p256dh, auth)


def test_a_long_notice_still_fits_into_what_push_services_take(settings: Settings) -> None:
    site = Site(push=httpx.Response(201))
    content = dict.fromkeys(("title", "text", "url"), "ä" * 5_000)
    to = replace(BROWSER, site_key=site_key(settings))
    PushSender(settings, site.fetcher, contact="").send(replace(NOTICE, content=content), to)
    assert len(site.requests[0].content) <= 4096
    assert "topic" not in site.requests[0].headers
