"""What people do to a run: cancel one that runs, accept or discard one that was held back."""

from __future__ import annotations

from sqlalchemy.orm import Session

from aggregator.catalog import runs
from aggregator.catalog.ingest import IngestReport, settle_held_run
from aggregator.db import audit


def cancel_run(session: Session, run_id: str, *, account_id: int | None = None) -> None:
    """Stop a running run; the catalogue stays as it is, its reader notices at its next beat. Raises NotFound."""
    runs.cancel_run(session, run_id)
    audit.record(session, account_id, "run_cancelled", f"run:{run_id}")


def settle_run(session: Session, run_id: str, *, accept: bool, account_id: int | None = None) -> IngestReport:
    """Let a held run into the catalogue after all, or throw away what it read. Raises NotFound, and Conflict."""
    report = settle_held_run(session, run_id, accept=accept)
    audit.record(
        session,
        account_id,
        "run_accepted" if accept else "run_discarded",
        f"run:{run_id}",
        new=report.new,
        changed=report.changed,
        gone=report.gone,
    )
    return report
