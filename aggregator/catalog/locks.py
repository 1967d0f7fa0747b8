"""The one lock of the catalogue."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

# Any constant will do, as long as all writers of the catalogue agree on it.
_CATALOGUE_WRITES = 0x436C_6361


def lock_catalogue(session: Session) -> None:
    """Wait for the turn to change offers and products; kept until the transaction ends.

    Releases of runs and assignments of the matcher touch overlapping products in no common order, so they
    take turns. All are short: nothing is read from the network or compared inside.
    """
    session.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _CATALOGUE_WRITES})
