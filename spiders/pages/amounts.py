"""Amounts of money in the text that a page shows: the number, and the currency's mark beside it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from aggregator.domain.money import CURRENCIES, currency_exponent
from aggregator.domain.normalization.currencies import country_currency, currency_marks, read_currency

# Marks that are also ordinary short words or letters stand beside a number only where no letter touches them.
_NUMBER = (
    r"\d{1,3}(?:[.,'’٬]\d{3})+(?:[.,٫]\d{1,2})?(?!\d)"
    r"|\d{1,3}(?:,\d{2})+,\d{3}(?:\.\d{1,2})?(?!\d)"
    r"|\d{1,3}(?:[ \u00a0\u202f]\d{3})+(?:[.,٫]\d{1,2})?(?!\d)"
    r"|\d{1,9}(?:[.,٫]\d{1,3})?(?!\d)"
)


def _marks() -> str:
    marks = sorted(
        {*currency_marks(), "ден", "درهم", "ريال", "ر.س", "جنيه", "₣", "kr", "kr."}, key=len, reverse=True
    )
    return "|".join(
        re.escape(mark) for mark in marks if mark not in {"r", "р", "tl", "bd", "din", "km", "br"}
    )


_LETTER = r"[^\W\d_]"
_CODES = "|".join(sorted(CURRENCIES)).lower()
_MARK = rf"(?:(?<!{_LETTER})(?:{_marks()}|{_CODES}|tl)(?!{_LETTER})|[$€£¥￥₩₽₺₪₴₸₫฿])"
_NUMBERS = re.compile(rf"(?<![\d.,])(?:{_NUMBER})")
_BEFORE = re.compile(rf"({_MARK})\s{{0,3}}:?\s{{0,2}}$")
_AFTER = re.compile(rf"(?:\s{{0,2}}[,.]?\s?(?:-|–|—)+(?!\s?\d))?\s{{0,3}}({_MARK})")
_MARK_ALONE = re.compile(rf"\W*({_MARK})\W*")
_GROUPED = re.compile(r"\d{1,3}(?:[.,]\d{3})+")


@dataclass(frozen=True, slots=True)
class Amount:
    """One amount as shown. `mark` is the currency's symbol, word or code beside it, None where it stands alone."""

    number: str
    mark: str | None
    start: int
    end: int

    def value(self, currency: str | None) -> Decimal:
        """The amount; "1.299" is a thousand and more, except in a currency of three decimals."""
        return read_number(self.number, currency)


@lru_cache(maxsize=4096)
def find_amounts(folded: str) -> tuple[Amount, ...]:
    """The amounts in a case-folded text, at most eight."""
    found: list[Amount] = []
    for match in _NUMBERS.finditer(folded):
        start, end = match.span()
        left = folded[found[-1].end if found else 0 : start][-16:]
        before = _BEFORE.search(left) if left else None
        if before is not None:
            found.append(Amount(match[0], before[1], start - len(left) + before.start(), end))
        else:
            after = _AFTER.match(folded, end)
            found.append(Amount(match[0], after[1] if after else None, start, after.end() if after else end))
        if len(found) == 8:
            break
    return tuple(found)


@lru_cache(maxsize=2048)
def mark_alone(folded: str) -> str | None:
    """The mark, where a text is nothing else."""
    if len(folded) > 12:
        return None
    match = _MARK_ALONE.fullmatch(folded)
    return match[1] if match else None


@lru_cache(maxsize=4096)
def read_number(number: str, currency: str | None) -> Decimal:
    """A number as people write it; digits of every script."""
    compact = re.sub(r"[ \u00a0\u202f'’٬]", "", number).replace("٫", ".")
    comma, point = compact.rfind(","), compact.rfind(".")
    if comma >= 0 and point >= 0:
        whole, fraction = compact[: max(comma, point)], compact[max(comma, point) + 1 :]
        compact = f"{whole.replace(',', '').replace('.', '')}.{fraction}"
    elif _GROUPED.fullmatch(compact):
        three = currency is not None and currency in CURRENCIES and currency_exponent(currency) == 3
        is_single = compact.count(",") + compact.count(".") == 1
        if is_single and (three or compact.startswith("0")):
            compact = compact.replace(",", ".")
        else:
            compact = compact.replace(",", "").replace(".", "")
    elif compact.count(",") + compact.count(".") > 1:
        compact = compact.replace(",", "").replace(".", "")
    else:
        compact = compact.replace(",", ".")
    return Decimal(compact)


@lru_cache(maxsize=1024)
def currency_of(mark: str | None, country: str | None) -> str | None:
    """What a mark stands for in that country; None where it may be several currencies."""
    if mark is None:
        return None
    own = country_currency(country)
    # One sign is the yuan, the Taiwan dollar and the Hong Kong dollar.
    if mark == "元" and own in {"TWD", "HKD"}:
        return own
    return read_currency(mark, country)
