"""Sealing stores' secret options anew under today's key."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from aggregator.db.models import StoreRow
from aggregator.secrets import StoreSecrets
from aggregator.settings import Settings


def reseal_store_secrets(session: Session, settings: Settings) -> int:
    """Seal every store's secret options with today's key; of how many stores.

    Raises EnvironmentProblem where one cannot be opened.
    """
    secrets = StoreSecrets.from_settings(settings)
    stores = session.execute(select(StoreRow.id, StoreRow.secret_options)).all()
    with_secrets = [store for store in stores if store.secret_options]
    for store in with_secrets:
        resealed = secrets.seal(secrets.open(store.secret_options))
        session.execute(update(StoreRow).where(StoreRow.id == store.id).values(secret_options=resealed))
    return len(with_secrets)
