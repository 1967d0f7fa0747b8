"""Registering a store: probed, checked, with its options and secrets."""

from __future__ import annotations

from collections.abc import Mapping

from aggregator.catalog.stores import NewStore, register_store
from aggregator.db.session import Sessions
from aggregator.domain.errors import InvalidInput
from aggregator.domain.shipping import ShippingRule
from aggregator.domain.stores import Store
from aggregator.platforms import get_platform
from aggregator.secrets import StoreSecrets
from aggregator.settings import Settings
from spiders.detection import ProbeResult, complete_address, probe


def add_store(
    settings: Settings,
    sessions: Sessions,
    url: str,
    *,
    slug: str | None = None,
    name: str | None = None,
    options: Mapping[str, str] | None = None,
    shipping: ShippingRule | None = None,
    may_move: bool = False,
) -> tuple[Store | None, ProbeResult]:
    """Probe an address and register the store, due at once; again, it updates what was given.

    No store where the probe cannot tell how to read it: the result says why. Raises InvalidInput for an
    option that the platform does not have, and for a slug that another store has; with `may_move` the slug's store
    gets the new address.
    """
    result = probe(url, settings)
    if not result.is_known:
        return None, result
    platform = get_platform(result.platform)
    given = dict(options or {})
    unknown = sorted(set(given) - {*platform.options, *platform.secret_options})
    if unknown:
        known = ", ".join((*platform.options, *platform.secret_options)) or "none"
        raise InvalidInput(
            f"{platform.name} has no option {unknown[0]!r}", place="--set", remedy=f"its options: {known}"
        )
    secrets = {key: given.pop(key) for key in platform.secret_options if key in given}
    found = result.detection
    new = NewStore(
        url=result.url,
        platform=platform.name,
        name=name or found.name or result.url.partition("//")[2],
        slug=slug,
        country=found.country,
        currency=found.currency,
        crawl_interval=settings.crawl_interval,
        shipping=shipping,
        shipping_source="operator" if shipping else None,
        options={**found.options, **given},
        secret_options=StoreSecrets.from_settings(settings).seal(secrets) if secrets else {},
        detection={**result.to_json(), "asked": complete_address(url, settings)},
    )
    with sessions.begin() as session:
        return register_store(session, new, may_move=may_move), result
