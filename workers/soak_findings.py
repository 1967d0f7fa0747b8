"""What came of a soak: each fault looked for in runs, logs, alarms and heartbeats, and the books."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from aggregator.catalog.alarms import list_alarms
from aggregator.catalog.offers import list_offers
from aggregator.catalog.processes import list_processes
from aggregator.catalog.reconciliation import Reconciliation
from aggregator.catalog.run_details import get_run_log
from aggregator.catalog.stores import list_runs
from aggregator.db.embedded.layout import DataLayout
from aggregator.db.session import Sessions
from fixtures.demo.store import Store
from workers.soak_faults import InjectedFault
from workers.soak_memory import Memory

_MOST_EVIDENCE = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class SoakReport:
    """What came of a soak. It `is_good` where the books are right, no fault went unseen and memory stayed flat."""

    seed: int
    minutes: float
    stores: int
    runs: dict[str, int]
    books: Reconciliation
    wrong_prices: tuple[str, ...]
    faults: tuple[InjectedFault, ...]
    memory: dict[str, Memory]

    @property
    def unseen(self) -> list[InjectedFault]:
        """Faults that somebody met and of which there is no word."""
        return [fault for fault in self.faults if fault.is_met and not fault.evidence]

    @property
    def is_good(self) -> bool:
        """Whether everything held."""
        is_flat = all(memory.is_flat for memory in self.memory.values())
        return self.books.is_right and not self.wrong_prices and not self.unseen and is_flat


def report_document(report: SoakReport) -> dict[str, Any]:
    """The report as JSON is written of it."""
    return {
        "is_good": report.is_good,
        "seed": report.seed,
        "minutes": report.minutes,
        "stores": report.stores,
        "runs": report.runs,
        "offers": {
            name: getattr(report.books, name)
            for name in (
                "seen",
                "new",
                "changed",
                "unchanged",
                "held",
                "quarantined",
                "gone",
                "current_offers",
                "gone_offers",
            )
        },
        "contradictions": [asdict(contradiction) for contradiction in report.books.contradictions],
        "wrong_prices": list(report.wrong_prices),
        "faults": {
            "injected": len(report.faults),
            "met": sum(fault.is_met for fault in report.faults),
            "unseen": [f"{fault.at:%H:%M:%S} {fault.subject}: {fault.name}" for fault in report.unseen],
            "by_kind": dict(sorted(Counter(fault.name for fault in report.faults).items())),
        },
        "fault_log": [
            {
                "at": fault.at.isoformat().replace("+00:00", "Z"),
                "fault": fault.name,
                "subject": fault.subject,
                "is_met": fault.is_met,
                "evidence": fault.evidence[:_MOST_EVIDENCE],
            }
            for fault in report.faults
        ],
        "memory_megabytes": {
            name: {**asdict(memory), "is_flat": memory.is_flat} for name, memory in report.memory.items()
        },
    }


def find_evidence(
    sessions: Sessions, faults: Sequence[InjectedFault], layout: DataLayout, soon: timedelta
) -> None:
    """Look for each fault in runs, their logs, alarms and heartbeats; `soon` is how much later it must be there."""
    with sessions.begin() as session:
        runs = list_runs(session, limit=1_000_000)
        alarms = list_alarms(session, states=("open", "acknowledged", "closed"), limit=10_000)
        silent = {f"{p.kind} {p.pid}" for p in list_processes(session) if not p.is_alive}
        for fault in faults:
            later = (other.at for other in faults if other.subject == fault.subject and other.at > fault.at)
            next_at = min(later, default=None)
            until = min(fault.at + soon, next_at or fault.at + soon)
            is_read = False
            for run in reversed(runs):
                end = run.finished_at or run.heartbeat_at
                if run.store_slug != fault.subject or end < fault.at:
                    continue
                # A store that was left alone is read later than soon.
                if run.started_at > until and (is_read or (next_at is not None and run.started_at > next_at)):
                    continue
                is_read = is_read or run.started_at > fault.at
                if run.problem:
                    fault.evidence.append(f"run {run.id} {run.state}: {run.problem}")
                fault.evidence += [
                    f"run {run.id} log: {line.message}"
                    for line in get_run_log(session, run.id)
                    if line.level != "info" and line.at >= fault.at
                ]
            fault.evidence += [
                f"alarm {alarm.kind}: {alarm.message}"
                for alarm in alarms
                if alarm.store_slug == fault.subject and fault.at <= alarm.last_seen_at <= until
            ]
            if fault.subject in silent:
                fault.evidence.append(f"heartbeat: {fault.subject} fell silent")
    _read_logs(faults, layout)


def _read_logs(faults: Sequence[InjectedFault], layout: DataLayout) -> None:
    """What worker and clock wrote about a server that was away."""
    lines = [
        line
        for name in ("worker", "clock")
        for line in layout.log(name).read_text(errors="replace").splitlines()
        if " WARNING " in line or " ERROR " in line or " CRITICAL " in line
    ]
    for fault in faults:
        if fault.subject.split()[0] in {"broker", "database"}:
            first, last = (
                (fault.at + timedelta(seconds=seconds)).astimezone().strftime("%Y-%m-%d %H:%M:%S")
                for seconds in (-1, 60)
            )
            fault.evidence += [line for line in lines if first <= line[:19] <= last][:3]


def wrong_prices(sessions: Sessions, slug: str, store: Store) -> Iterator[str]:
    """Offers that say anything but what their store asks now, and goods of a store that are not offered."""
    sold = {
        key: variant
        for product in store.products
        for variant in product.variants
        for key in (variant.sku, str(variant.id))
    }
    seen = set()
    with sessions.begin() as session, closing(list_offers(session, slug)) as offers:
        for offer in offers:
            variant = sold.get(offer.external_id)
            if variant is None:
                yield f"{slug}: {offer.external_id} is offered, but not sold"
            elif offer.price.amount != variant.price:
                yield f"{slug}: {offer.external_id} costs {variant.price}, not {offer.price.amount}"
            else:
                seen.add(variant.sku)
    for sku in sorted({variant.sku for variant in sold.values()} - seen):
        yield f"{slug}: {sku} is sold, but not offered so"
