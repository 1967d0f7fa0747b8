"""What is said of alerts that fired: sentences, mails, notices of browsers and messengers, documents for programs."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from html import escape
from typing import Any

from aggregator.accounts.links import site_origin
from aggregator.languages import Sentences
from aggregator.secrets import derived_key
from aggregator.settings import Settings
from aggregator.shopping.fired_alerts import FiredAlert

# A messenger shows so many of one digest, and where the others are.
_MOST_IN_A_MESSAGE = 10


def sentence_of(one: FiredAlert, _: Sentences) -> str:
    """What happened, in one sentence."""
    price = one.price.shown(_.locale)
    if one.total is None:
        offer = _("%(price)s (shipping unknown) at %(store)s", price=price, store=one.store)
    else:
        total = one.total.shown(_.locale)
        offer = _(
            "%(price)s (%(total)s with shipping) at %(store)s", price=price, total=total, store=one.store
        )
    words = {"product": one.title, "offer": offer}
    if one.rule == "below":
        return _("%(product)s is at or below your price: %(offer)s", **words)
    if one.rule == "percent":
        return _("%(product)s fell as far as you wanted: %(offer)s", **words)
    if one.rule == "low_30":
        return _("%(product)s is at its lowest of 30 days: %(offer)s", **words)
    if one.rule == "low_ever":
        return _("%(product)s is at its lowest ever seen here: %(offer)s", **words)
    return _("%(product)s is back in stock: %(offer)s", **words)


def mail_of(settings: Settings, found: Sequence[FiredAlert], _: Sentences) -> dict[str, Any]:
    """The mail about these, with a link for each that stops its alert."""
    origin = site_origin(settings)
    text, html = [], []
    stop_words = _("Stop this alert")
    for one in found:
        product, stop = product_address(settings, one), _stop_address(settings, one)
        sentence = sentence_of(one, _)
        text += [sentence, product, f"{stop_words}: {stop}", ""]
        html.append(
            f'<p><a href="{escape(product)}">{escape(sentence)}</a><br>'
            f'<small><a href="{escape(stop)}">{escape(stop_words)}</a></small></p>'
        )
    foot = _(
        "Prices are read from the stores and may have changed since. You set these alerts in your account:"
    )
    own = f"{origin}/alerts"
    content: dict[str, Any] = {
        "subject": _title(found, _),
        "text": "\n".join([*text, foot, own, ""]),
        "html": f"<!doctype html><html lang={_.language}><body>{''.join(html)}<p><small>{escape(foot)} "
        f'<a href="{escape(own)}">{escape(own)}</a></small></p></body></html>',
        "headers": {"Content-Language": _.language},
    }
    if len(found) == 1:
        # RFC 8058: a mail program may press this for its reader.
        content["headers"] |= {
            "List-Unsubscribe": f"<{_stop_address(settings, found[0])}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }
    return content


def push_of(settings: Settings, found: Sequence[FiredAlert], _: Sentences) -> dict[str, Any]:
    """What a browser shows; pressed, it opens the product, or the alerts where there are several."""
    if len(found) > 1:
        url, tag = f"{site_origin(settings)}/alerts", "digest"
    else:
        url, tag = product_address(settings, found[0]), found[0].alert_id
    text = " · ".join(sentence_of(one, _) for one in found)
    return {
        "title": found[0].title if len(found) == 1 else _title(found, _),
        "text": text,
        "url": url,
        "tag": tag,
    }


def message_of(settings: Settings, found: Sequence[FiredAlert], _: Sentences) -> dict[str, Any]:
    """What a messenger shows."""
    lines = [f"{sentence_of(one, _)}\n{product_address(settings, one)}" for one in found[:_MOST_IN_A_MESSAGE]]
    if len(found) > _MOST_IN_A_MESSAGE:
        lines.append(f"{site_origin(settings)}/alerts")
    return {"title": _title(found, _), "text": "\n\n".join(lines)}


def document_of(settings: Settings, one: FiredAlert) -> dict[str, Any]:
    """An alert that fired as a program reads it."""
    return {
        "id": one.id,
        "alert": one.alert_id,
        "rule": one.rule,
        "product": {"id": one.product_id, "title": one.title, "url": product_address(settings, one)},
        "price": {"amount": one.price.plain(), "currency": one.price.currency},
        "total": {"amount": one.total.plain(), "currency": one.total.currency} if one.total else None,
        "store": one.store,
        "at": one.at.isoformat().replace("+00:00", "Z"),
    }


def product_address(settings: Settings, one: FiredAlert) -> str:
    """Where the product is shown."""
    return f"{site_origin(settings)}/products/{one.product_id}"


def stop_token(settings: Settings, alert_id: str) -> str:
    """What a mail's link turns its alert off with: the alert and a signature that nobody else can make."""
    return f"{alert_id}.{_signature(settings, alert_id)}"


def read_stop_token(settings: Settings, token: str) -> str | None:
    """The alert of a link; None for one that was not made here."""
    alert_id, _point, signature = token.partition(".")
    expected = _signature(settings, alert_id).encode()
    return alert_id if hmac.compare_digest(signature.encode("utf-8", "replace"), expected) else None


def _signature(settings: Settings, alert_id: str) -> str:
    made = hmac.new(derived_key(settings, "alert links"), alert_id.encode("utf-8", "replace"), hashlib.sha256)
    return base64.urlsafe_b64encode(made.digest()[:18]).decode()


def _stop_address(settings: Settings, one: FiredAlert) -> str:
    return f"{site_origin(settings)}/alerts/stop/{stop_token(settings, one.alert_id)}"


def _title(found: Sequence[FiredAlert], _: Sentences) -> str:
    return sentence_of(found[0], _) if len(found) == 1 else _("%(number)s price alerts", number=len(found))
