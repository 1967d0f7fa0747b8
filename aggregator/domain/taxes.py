"""Value added tax: standard rates by country, for prices that are told without it."""

from __future__ import annotations

from decimal import Decimal

# Standard rates in per cent. EU: European Commission, "VAT rates applied in the Member States", as in force in 2026;
# CH and LI: art. 25 MWSTG; GB: VATA 1994 s. 2; NO and IS: their VAT acts.
_STANDARD_RATES = {
    "AT": "20", "BE": "21", "BG": "20", "CH": "8.1", "CY": "19", "CZ": "21", "DE": "19", "DK": "25", "EE": "24",
    "ES": "21", "FI": "25.5", "FR": "20", "GB": "20", "GR": "24", "HR": "25", "HU": "27", "IE": "23", "IS": "24",
    "IT": "22", "LI": "8.1", "LT": "21", "LU": "17", "LV": "21", "MT": "18", "NL": "21", "NO": "25", "PL": "23",
    "PT": "23", "RO": "21", "SE": "25", "SI": "22", "SK": "23",
}  # fmt: skip


def standard_vat_factor(country: str | None) -> Decimal | None:
    """What a net price is multiplied with in that country; None where there is no such tax or it is not known."""
    rate = _STANDARD_RATES.get(country or "")
    return None if rate is None else 1 + Decimal(rate) / 100
