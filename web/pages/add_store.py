"""Adding a store: paste an address, look at the evidence, confirm, import, follow its first run."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit

from flask import Response, render_template, request, url_for
from flask_babel import gettext as _

from aggregator.catalog.probes import Confirmation, get_probe, import_store, list_probes, request_probe
from aggregator.catalog.stores import list_runs
from aggregator.domain.errors import Conflict, InvalidInput
from aggregator.domain.money import CURRENCIES
from aggregator.domain.operations import StoreProbe
from aggregator.domain.shipping import ShippingRule, ShippingTier
from aggregator.platforms import StorePlatform, installed_platforms
from aggregator.secrets import StoreSecrets
from web import context, probe_words
from web.db import current_session, roll_back
from web.operators import account_id, operators_blueprint
from web.permissions import needs
from web.told import error_words

pages = operators_blueprint("add_store", __name__, "/operations/add")
_OPTION = "option."


@pages.context_processor
def words() -> dict[str, object]:
    """What the templates call."""
    shown = (
        probe_words.hand_off_words,
        probe_words.confidence_words,
        probe_words.interval_words,
        probe_words.robots_words,
        probe_words.source_words,
        probe_words.price_words,
        probe_words.availability_words,
        probe_words.platform_title,
    )
    return {function.__name__: function for function in shown}


@pages.get("")
@needs("operate")
def ask() -> str:
    """One field for the address, and what was asked before."""
    return _ask_page(request.args.get("url", ""))


@pages.post("")
@needs("operate")
def look() -> Response | tuple[str, int]:
    """Ask a worker to look at an address."""
    url = request.form.get("url", "")
    try:
        probe_id = request_probe(current_session(), url, account_id=account_id())
    except InvalidInput as error:
        roll_back()
        return _ask_page(url, problem=error_words(error)), 400
    return context.go_to(url_for("add_store.show", probe_id=probe_id))


@pages.get("/<probe_id>")
@needs("operate")
def show(probe_id: str) -> Response | str:
    """What was found; once imported, the way to the first run."""
    probe = get_probe(current_session(), probe_id)
    if probe.store_slug is not None:
        runs = list_runs(current_session(), store_slug=probe.store_slug, limit=1)
        if runs and runs[0].started_at >= probe.created_at:
            return context.go_to(url_for("operations_runs.show", run_id=runs[0].id), 302)
    return _probe_page(probe, _proposed(probe))


@pages.post("/<probe_id>")
@needs("operate")
def confirm(probe_id: str) -> Response | tuple[str, int]:
    """Register the store with what was confirmed, and crawl it now."""
    session = current_session()
    try:
        import_store(
            session,
            probe_id,
            _confirmation(request.form),
            seal=StoreSecrets.from_settings(context.current_settings()).seal,
            account_id=account_id(),
        )
    except InvalidInput as error:
        roll_back()
        return _probe_page(get_probe(session, probe_id), request.form, problem=error_words(error)), 400
    except Conflict:
        # Pressed twice: the page says what came of the first.
        roll_back()
    return context.go_to(url_for("add_store.show", probe_id=probe_id))


def _ask_page(url: str, *, problem: str | None = None) -> str:
    probes = list_probes(current_session())
    return render_template("operations/add_store.html", url=url, probes=probes, problem=problem)


def _probe_page(probe: StoreProbe, form: Mapping[str, str], *, problem: str | None = None) -> str:
    return render_template(
        "operations/probe.html",
        probe=probe,
        found=probe.result or {},
        platform=_platform(probe),
        form=form,
        intervals=_intervals(form),
        problem=problem,
    )


def _platform(probe: StoreProbe) -> StorePlatform | None:
    return installed_platforms().get(str((probe.result or {}).get("platform")))


def _proposed(probe: StoreProbe) -> dict[str, str]:
    """What the form is filled with: everything that the probe could tell."""
    found = probe.result or {}
    schedule = found.get("schedule") or {}
    return {
        "name": str(found.get("name") or "") or urlsplit(str(found.get("url") or "")).netloc,
        "slug": probe_words.suggested_slug(str(found.get("name") or ""), str(found.get("url") or "")),
        "currency": str(found.get("currency") or ""),
        "country": str(found.get("country") or ""),
        "interval": str(schedule.get("interval_seconds") or context.current_settings().crawl_interval),
    }


def _intervals(form: Mapping[str, str]) -> list[int]:
    proposed = form.get("interval", "")
    return sorted({*probe_words.INTERVALS, *([int(proposed)] if _is_interval(proposed) else [])})


def _is_interval(text: str) -> bool:
    return text.isascii() and text.isdigit() and 60 <= int(text[:9]) <= 2_592_000


def _confirmation(form: Mapping[str, Any]) -> Confirmation:
    interval = str(form.get("interval", ""))
    if not _is_interval(interval):
        raise InvalidInput(_("choose how often the store is read"), place=_("Read it"))
    return Confirmation(
        name=_text(form, "name"),
        slug=_text(form, "slug").lower() or None,
        currency=_currency(_text(form, "currency")),
        country=_country(_text(form, "country")),
        crawl_interval=int(interval),
        shipping=_shipping(form),
        options={key.removeprefix(_OPTION): _text(form, key) for key in form if key.startswith(_OPTION)},
    )


def _text(form: Mapping[str, Any], name: str) -> str:
    return str(form.get(name, "")).strip()[:2000]


def _currency(text: str) -> str | None:
    code = text.upper()
    if code and code not in CURRENCIES:
        raise InvalidInput(
            _("%(code)s is no currency", code=text[:10]), place=_("Currency"), remedy=_("such as EUR")
        )
    return code or None


def _country(text: str) -> str | None:
    code = text.upper()
    if code and not (len(code) == 2 and code.isascii() and code.isalpha()):
        raise InvalidInput(
            _("%(code)s is no country", code=text[:20]),
            place=_("Country"),
            remedy=_("two letters such as DE"),
        )
    return code or None


def _shipping(form: Mapping[str, Any]) -> ShippingRule | None:
    """The rule as the form states it; None where nothing was filled in: then shipping stays unknown."""
    cost, free_from = (
        _amount(form, "shipping_cost", _("Shipping")),
        _amount(form, "free_from", _("Free from")),
    )
    least = _amount(form, "min_order", _("Minimum order"))
    if cost is None and free_from is None and least is None:
        return None
    if cost is None:
        raise InvalidInput(
            _("say what sending costs"), place=_("Shipping"), remedy=_("0 where it is always free")
        )
    tiers = [ShippingTier(Decimal(0), cost)]
    if free_from:
        tiers.append(ShippingTier(free_from, Decimal(0)))
    return ShippingRule(tuple(tiers), least)


def _amount(form: Mapping[str, Any], name: str, label: str) -> Decimal | None:
    text = _text(form, name).replace(",", ".")
    if not text:
        return None
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or not 0 <= amount < 1_000_000:
        raise InvalidInput(
            _("%(text)s is no amount", text=text[:20]), place=label, remedy=_("write it as 4.90")
        )
    return amount
