"""Registering a store: probed, checked, with its options and secrets."""

from __future__ import annotations

from collections.abc import Mapping

from aggregator.catalog.probes import Confirmation, new_store
from aggregator.catalog.stores import register_store
from aggregator.db.session import Sessions
from aggregator.domain.shipping import ShippingRule
from aggregator.domain.stores import Store
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
    found = result.detection
    confirmed = Confirmation(
        name=name or "",
        slug=slug,
        country=found.country,
        currency=found.currency,
        crawl_interval=settings.crawl_interval,
        shipping=shipping,
        options=dict(options or {}),
    )
    told = storable({**result.to_json(), "asked": complete_address(url, settings)})
    new = new_store(told, confirmed, seal=lambda secrets: StoreSecrets.from_settings(settings).seal(secrets))
    with sessions.begin() as session:
        return register_store(session, new, may_move=may_move), result
