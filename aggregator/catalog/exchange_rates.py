"""Exchange rates: the table that amounts in other currencies are estimated by, filled from a file or from the ECB.

Rates are of one euro, as the European Central Bank publishes them each working day.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from aggregator.catalog.search_changes import record_search_changes
from aggregator.db.models import ExchangeRateFetchRow, ExchangeRateRow, ProductRow, StoreRow
from aggregator.domain.errors import InvalidInput
from aggregator.domain.money import CURRENCIES, Money, currency_exponent

BASE = "EUR"
# Banks rest over weekends and holidays; older rates estimate nothing any more.
OLDEST = timedelta(days=10)
ASK_EVERY = timedelta(hours=6)
_MOST_RATES = 500
_DAY = re.compile(r"<Cube\s+time=['\"](\d{4}-\d{2}-\d{2})['\"]\s*>(.*?)</Cube>", re.DOTALL)
_RATE = re.compile(r"<Cube\s+currency=['\"]([A-Z]{3})['\"]\s+rate=['\"]([0-9.]+)['\"]\s*/>")


@dataclass(frozen=True, slots=True)
class Rate:
    """One euro was `rate` units of the currency on that day."""

    currency: str
    day: date
    rate: Decimal


@dataclass(frozen=True, slots=True)
class ExchangeRates:
    """The newest usable rates by currency."""

    rates: dict[str, Rate] = field(default_factory=dict)

    def factor(self, source: str, target: str) -> Decimal | None:
        """What an amount is multiplied with from one currency to the other; None without a rate."""
        if source == target:
            return Decimal(1)
        units = [Decimal(1) if code == BASE else self._rate(code) for code in (source, target)]
        if units[0] is None or units[1] is None:
            return None
        return units[1] / units[0]

    def convert(self, money: Money, target: str) -> Money | None:
        """The amount in the other currency, in its decimals; None without a rate."""
        factor = self.factor(money.currency, target)
        return None if factor is None else Money(rounded(money.amount * factor, target), target)

    def as_of(self, source: str, target: str) -> date | None:
        """The day of the older of the rates between both; None where none is needed or there is none."""
        days = [self.rates[code].day for code in (source, target) if code != BASE and code in self.rates]
        return min(days, default=None) if source != target else None

    def _rate(self, currency: str) -> Decimal | None:
        found = self.rates.get(currency)
        return None if found is None else found.rate


def rounded(amount: Decimal, currency: str) -> Decimal:
    """The amount in the currency's decimals, half to even."""
    return amount.quantize(Decimal(1).scaleb(-currency_exponent(currency)), ROUND_HALF_EVEN)


def read_rates(content: bytes) -> list[Rate]:
    """Rates from the ECB's XML (eurofxref-daily.xml), or from CSV with the header `date,currency,rate`.

    Raises InvalidInput where there is not one rate to be read, or a line of CSV is none.
    """
    text = content.decode("utf-8-sig", errors="replace")
    rates = _read_xml(text) if text.lstrip().startswith("<") else _read_csv(text)
    if not rates:
        raise InvalidInput(
            "no exchange rate in it",
            place="exchange rates",
            remedy="give eurofxref-daily.xml of the ECB, or CSV with the header date,currency,rate",
        )
    return rates[:_MOST_RATES]


def keep_rates(session: Session, rates: Iterable[Rate], source: str) -> int:
    """Write rates down, those of a day and currency once; how many are kept of them.

    Search compares prices in one currency, so products whose rate is another now are read again.
    """
    before = current_rates(session)
    rows = [
        {"currency": rate.currency, "rate_date": rate.day, "rate": rate.rate, "source": source}
        for rate in rates
    ]
    if rows:
        statement = insert(ExchangeRateRow).values(rows)
        session.execute(
            statement.on_conflict_do_update(
                index_elements=["currency", "rate_date"],
                set_={"rate": statement.excluded.rate, "source": statement.excluded.source},
            )
        )
    changed = [
        currency
        for currency, rate in current_rates(session).rates.items()
        if before.factor(BASE, currency) != rate.rate
    ]
    products = session.scalars(
        select(ProductRow.id).where(ProductRow.offer_count > 0, ProductRow.lowest_price_currency.in_(changed))
    )
    record_search_changes(session, products.all())
    return len(rows)


def current_rates(session: Session, today: date | None = None) -> ExchangeRates:
    """The newest rate of each currency that is not too old to estimate by."""
    day = today or datetime.now(UTC).date()
    rows = session.execute(
        select(ExchangeRateRow.currency, ExchangeRateRow.rate_date, ExchangeRateRow.rate)
        .where(ExchangeRateRow.rate_date.between(day - OLDEST, day + timedelta(days=1)))
        .order_by(ExchangeRateRow.rate_date)
    )
    return ExchangeRates({row.currency: Rate(row.currency, row.rate_date, row.rate) for row in rows})


def rates_are_due(session: Session, source: str) -> bool:
    """Whether a source of rates is to be asked now; it then counts as asked. Never where all stores ask euros."""
    if not source:
        return False
    now = datetime.now(UTC)
    is_needed = session.scalar(
        select(select(StoreRow.id).where(StoreRow.is_active, StoreRow.currency != BASE).exists())
    )
    if not is_needed:
        return False
    statement = insert(ExchangeRateFetchRow).values(source=source, asked_at=now)
    asked = session.execute(
        statement.on_conflict_do_update(
            index_elements=["source"],
            set_={"asked_at": now},
            where=ExchangeRateFetchRow.asked_at < now - ASK_EVERY,
        ).returning(ExchangeRateFetchRow.source)
    ).scalar_one_or_none()
    return asked is not None


def note_fetch(session: Session, source: str, problem: str | None = None) -> None:
    """Note that a source answered well, or what was wrong with it."""
    values = {"problem": problem} if problem else {"problem": None, "read_at": func.now()}
    statement = insert(ExchangeRateFetchRow).values(source=source, asked_at=func.now(), **values)
    session.execute(statement.on_conflict_do_update(index_elements=["source"], set_=values))


def _read_xml(text: str) -> list[Rate]:
    found = []
    for day, block in _DAY.findall(text):
        for currency, rate in _RATE.findall(block):
            found.append(_rate(day, currency, rate, "exchange rates"))
    return found


def _read_csv(text: str) -> list[Rate]:
    rows = csv.DictReader(io.StringIO(text))
    if not {"date", "currency", "rate"} <= set(rows.fieldnames or ()):
        return []
    return [
        _rate(row["date"] or "", row["currency"] or "", row["rate"] or "", f"line {number}")
        for number, row in enumerate(rows, start=2)
    ]


def _rate(day: str, currency: str, rate: str, place: str) -> Rate:
    try:
        amount, read_day = Decimal(rate), date.fromisoformat(day.strip())
    except (InvalidOperation, ValueError) as error:
        raise InvalidInput("not a rate", place=place, remedy="such as 2026-11-20,USD,1.0850") from error
    code = currency.strip().upper()
    if code not in CURRENCIES or not amount.is_finite() or not 0 < amount < 10**9:
        raise InvalidInput("not a rate", place=place, remedy="such as 2026-11-20,USD,1.0850")
    return Rate(code, read_day, amount)
