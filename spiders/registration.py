"""Registering a store: probed, checked, with its options and secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from aggregator.catalog.probes import Confirmation, new_store
from aggregator.catalog.stores import register_store
from aggregator.db.session import Sessions
from aggregator.domain.errors import InvalidInput
from aggregator.domain.money import currency_exponent
from aggregator.domain.shipping import ShippingRule
from aggregator.domain.stores import Signal, Store
from aggregator.platforms import StorePlatform, get_platform
from aggregator.secrets import StoreSecrets
from aggregator.settings import Settings
from spiders.detection import ProbeResult, complete_address, probe
from spiders.untrusted import storable


def add_store(
    settings: Settings,
    sessions: Sessions,
    url: str,
    *,
    slug: str | None = None,
    name: str | None = None,
    options: Mapping[str, str] | None = None,
    shipping: ShippingRule | None = None,
    platform: str | None = None,
    country: str | None = None,
    currency: str | None = None,
    may_move: bool = False,
) -> tuple[Store | None, ProbeResult]:
    """Probe an address and register the store, due at once; again, it updates what was given.

    `platform`, `country` (ISO 3166) and `currency` (ISO 4217) stand above what the probe found. No store where
    neither tells how to read it: the result says why. Raises InvalidInput for an option that the platform
    does not have, and for a slug that another store has, NotFound for an unknown platform; with `may_move` the
    slug's store gets the new address.
    """
    if currency:
        currency_exponent(currency)
    if country and not re.fullmatch(r"[A-Z]{2}", country):
        raise InvalidInput(f"{country!r} is no country", place="--country", remedy="use a code such as DE")
    named = get_platform(platform) if platform else None
    result = probe(url, settings)
    if named is not None:
        result = _as_named(result, named)
    if not result.is_known:
        return None, result
    found = result.detection
    confirmed = Confirmation(
        name=name or "",
        slug=slug,
        country=country or found.country,
        currency=currency or found.currency,
        crawl_interval=settings.crawl_interval,
        shipping=shipping,
        options=dict(options or {}),
    )
    told = storable({**result.to_json(), "asked": complete_address(url, settings)})
    new = new_store(told, confirmed, seal=lambda secrets: StoreSecrets.from_settings(settings).seal(secrets))
    with sessions.begin() as session:
        return register_store(session, new, may_move=may_move), result


def _as_named(result: ProbeResult, platform: StorePlatform) -> ProbeResult:
    """The probe's evidence under the platform that a person named: an API of its own leaves no mark on a shop."""
    if result.platform == platform.name:
        return result
    found = result.detection
    said = Signal("named by the operator", "--platform")
    return replace(
        result,
        platform=platform.name,
        detection=replace(found, confidence=1.0, signals=(said, *found.signals), sources=(), options={}),
        hand_off=platform.handoff.kind,
        sample=(),
        problem=None,
    )
