"""A store's settings and its schedule, with the next times as they are edited."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from zoneinfo import available_timezones

from flask import Response, flash, render_template, request, url_for
from flask_babel import gettext as _

from aggregator.catalog.schedules import get_schedule, set_schedule
from aggregator.catalog.store_settings import get_store_settings, save_store_settings
from aggregator.domain.errors import Conflict, InvalidInput
from aggregator.platforms import find_platform
from aggregator.secrets import StoreSecrets
from web import context, store_forms
from web.db import current_session, roll_back
from web.operators import account_id, operators_blueprint
from web.permissions import may_do, needs
from web.told import error_words

pages = operators_blueprint("operations_settings", __name__, "/operations/stores")


@pages.get("/<slug>/settings")
@needs("operate")
def show(slug: str) -> str:
    """The form."""
    return _settings_page(slug)


@pages.post("/<slug>/settings")
@needs("operate")
def save(slug: str) -> Response | tuple[str, int]:
    """Save what the form says; secrets are an admin's."""
    session = current_session()
    try:
        current = get_store_settings(session, slug)
        platform = find_platform(current.platform)
        secrets = store_forms.read_secrets(request.form, platform)
        if secrets and not may_do("manage_stores"):
            raise InvalidInput(
                _("only an admin may change secrets"), place=_("Secrets"), remedy=_("leave them empty")
            )
        seal = StoreSecrets.from_settings(context.current_settings()).seal
        given = {name: value for name, value in secrets.items() if value is not None}
        save_store_settings(
            session,
            store_forms.read_settings(request.form, current, platform),
            seen=request.form.get("seen", ""),
            sealed_secrets={**secrets, **(seal(given) if given else {})},
            account_id=account_id(),
        )
    except (InvalidInput, Conflict) as error:
        roll_back()
        status = 409 if isinstance(error, Conflict) else 400
        return _settings_page(slug, form=request.form, problem=error_words(error)), status
    flash(_("Saved. The next run reads by these settings."), "store")
    return context.go_to(url_for("operations_stores.show", slug=slug))


@pages.get("/<slug>/schedule")
@needs("operate")
def schedule(slug: str) -> str:
    """The form with the next times; with fields in the address, the times that these would give."""
    return _schedule_page(slug, request.args if "kind" in request.args else None)


@pages.get("/<slug>/schedule/next")
@needs("operate")
def next_times(slug: str) -> str:
    """The next times alone, for the page's script to show while somebody types."""
    _schedule, seed = get_schedule(current_session(), slug)
    return render_template("operations/next_times.html", **_upcoming(request.args, seed))


@pages.post("/<slug>/schedule")
@needs("operate")
def save_schedule(slug: str) -> Response | tuple[str, int]:
    """Plan by another schedule from now on."""
    try:
        wanted = store_forms.read_schedule(request.form)
        set_schedule(current_session(), slug, wanted, account_id=account_id())
    except InvalidInput:
        roll_back()
        return _schedule_page(slug, request.form), 400
    flash(_("Saved. The next crawl is planned by it."), "store")
    return context.go_to(url_for("operations_stores.show", slug=slug))


def _settings_page(slug: str, *, form: Mapping[str, str] | None = None, problem: str | None = None) -> str:
    settings = get_store_settings(current_session(), slug)
    platform = find_platform(settings.platform)
    fields = store_forms.settings_fields(settings, platform)
    rules = store_forms.rule_fields(settings) if form is None else store_forms.rule_fields_again(form)
    return render_template(
        "operations/settings.html",
        settings=settings,
        platform=platform,
        form={**fields, **(form or {}), "seen": fields["seen"] if form is None else form.get("seen", "")},
        rules=rules,
        problem=problem,
    )


def _schedule_page(slug: str, form: Mapping[str, str] | None) -> str:
    current, seed = get_schedule(current_session(), slug)
    fields = form or store_forms.schedule_fields(current)
    return render_template(
        "operations/schedule.html",
        settings=get_store_settings(current_session(), slug),
        form=fields,
        time_units=store_forms.UNITS,
        zones=_zones(),
        **_upcoming(fields, seed),
    )


def _upcoming(fields: Mapping[str, str], seed: str) -> dict[str, object]:
    """What the times' template shows: five times with their zone, or why there are none."""
    try:
        wanted = store_forms.read_schedule(fields)
        after = _read_instant(fields.get("after", ""))
        return {"times": wanted.upcoming(after, seed), "schedule": wanted, "problem": None}
    except InvalidInput as error:
        return {"times": [], "schedule": None, "problem": error_words(error)}


def _read_instant(given: str) -> datetime:
    """An instant in the address, so that a day of change can be looked at long before; else now."""
    try:
        at = datetime.fromisoformat(given) if given else datetime.now(UTC)
    except ValueError as error:
        raise InvalidInput(
            _("%(text)s is no date", text=given[:30]), place=_("After"), remedy=_("such as 2027-03-27")
        ) from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


@cache
def _zones() -> list[str]:
    return sorted(
        zone
        for zone in available_timezones()
        if "/" in zone and not zone.startswith(("Etc/", "posix/", "right/"))
    )
