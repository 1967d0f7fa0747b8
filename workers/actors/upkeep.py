"""Housekeeping."""

from __future__ import annotations

from datetime import timedelta

import dramatiq

from aggregator.accounts.privacy import delete_due_accounts
from aggregator.catalog.bulk_loading import validate_foreign_keys
from aggregator.catalog.host_politeness import forget_old_hosts
from aggregator.catalog.locks import lock_catalogue
from aggregator.catalog.price_ages import hide_aged_prices
from aggregator.catalog.price_history import LOOKED_AT_ONCE, note_price_drops, products_with_new_prices
from aggregator.catalog.retention import Retention, forget_old
from aggregator.catalog.taxonomy import file_products
from aggregator.shopping.live_checks import forget_old_checks
from workers.context import current

# How often prices are looked at for being too old to be shown.
AGEING_SECONDS = 300


@dramatiq.actor(max_retries=0, time_limit=3_600_000, queue_name="upkeep")
def forget_old_rows() -> None:
    """Delete what is past its time, in small transactions."""
    context = current()
    retention = Retention.from_settings(context.settings)
    with context.sessions.begin() as session:
        forget_old_hosts(session)
        forget_old_checks(session)
    with context.sessions.begin() as session:
        delete_due_accounts(session)
    with context.sessions.begin() as session:
        validate_foreign_keys(session)
    deleted = True
    while deleted:
        with context.sessions.begin() as session:
            deleted = any(forget_old(session, retention=retention).values())


@dramatiq.actor(max_retries=0, queue_name="upkeep")
def hide_prices_too_old_to_show() -> None:
    """Take prices that grew older than their store's licence allows out of what search reads."""
    with current().sessions.begin() as session:
        lock_catalogue(session)
        # Three times as far back as the clock's own pace, so that a late one misses none.
        hide_aged_prices(session, within=timedelta(seconds=3 * AGEING_SECONDS))


@dramatiq.actor(max_retries=0, time_limit=3_600_000, queue_name="upkeep")
def file_unfiled_products() -> None:
    """Give products from before there was a taxonomy their category, in small transactions."""
    filed = 1
    while filed:
        with current().sessions.begin() as session:
            filed = file_products(session)


@dramatiq.actor(max_retries=0, time_limit=3_600_000, queue_name="upkeep")
def note_drops() -> None:
    """See which products' prices really fell, in small transactions."""
    sessions = current().sessions
    with sessions() as session:
        # Three times as far back as the clock's own pace, so that a late one misses none.
        product_ids = products_with_new_prices(session, within=timedelta(seconds=3 * AGEING_SECONDS))
    for start in range(0, len(product_ids), LOOKED_AT_ONCE):
        with sessions.begin() as session:
            note_price_drops(session, product_ids[start : start + LOOKED_AT_ONCE])
