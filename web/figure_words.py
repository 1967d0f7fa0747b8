"""The figures that an anomaly or an alarm rests on, as an operator reads them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from babel.numbers import format_decimal
from flask_babel import get_locale
from flask_babel import gettext as _

from web.operation_words import reason_words, sentence_of
from web.presenters import duration, exact_time
from web.told import told


def figure_words(figures: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Each as (what, how much)."""
    names = _names()
    return [
        (names.get(name) or sentence_of(name), _figure(name, value))
        for name, value in figures.items()
        if value is not None
    ]


def _names() -> dict[str, str]:
    return {
        "above": _("Far above"),
        "age_seconds": _("Not read for"),
        "before": _("Prices before"),
        "below": _("Far below"),
        "by_reason": _("By reason"),
        "due": _("Stores that are due"),
        "failures": _("Failures"),
        "fallen": _("Prices down"),
        "flipped": _("In another currency"),
        "given_up": _("Given up"),
        "held": _("Held"),
        "interval_seconds": _("Read every"),
        "known": _("Known offers"),
        "listed": _("Listed"),
        "met": _("Compared"),
        "moved": _("Prices that moved"),
        "price": _("Price"),
        "quarantined": _("Unreadable"),
        "read": _("Offers looked at"),
        "readable": _("Readable"),
        "reason": _("Reason"),
        "requests": _("Requests"),
        "retry_at": _("Next try"),
        "risen": _("Prices up"),
        "same": _("With the same price"),
        "seen": _("Seen"),
        "sold_out": _("Sold out"),
        "unreadable": _("Unreadable"),
        "usual": _("Usual"),
        "vanished": _("Vanished"),
        "waiting": _("Waiting"),
        "waiting_seconds": _("Without a pause for"),
    }


def _figure(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return str(_("yes") if value else _("no"))
    if isinstance(value, int | float):
        if name.endswith("_seconds"):
            return duration(timedelta(seconds=value))
        if isinstance(value, float) and "share" in name and 0 <= value <= 1:
            return str(format_decimal(round(100 * value, 1), locale=get_locale())) + " %"
        return str(format_decimal(round(value, 4), locale=get_locale()))
    if isinstance(value, Mapping):
        is_of_reasons = name == "by_reason"
        return ", ".join(
            f"{reason_words(str(key)) if is_of_reasons else key}: {_figure(str(key), item)}"
            for key, item in value.items()
        )
    if isinstance(value, list | tuple):
        return ", ".join(_figure(name, item) for item in value[:10])
    if name.endswith("_at"):
        return exact_time(datetime.fromisoformat(str(value)))
    return told(str(value))[:300]
