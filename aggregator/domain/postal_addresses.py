"""Where parcels go."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields

from babel import Locale

from aggregator.domain.errors import InvalidInput
from aggregator.domain.normalization.names import clean_text

_LONGEST = 200
_NEEDED = {
    "name": "who takes the parcel",
    "street_address": "street and number",
    "address_locality": "town",
}
# What CLDR lists beside countries: unions, and codes for what is unknown or made up.
_NO_COUNTRIES = {"EU", "EZ", "UN", "ZZ", "QO", "XA", "XB"}
_COUNTRIES = (
    frozenset(
        str(code) for code in Locale("en").territories if re.fullmatch(r"[A-Z]{2}", str(code), re.ASCII)
    )
    - _NO_COUNTRIES
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostalAddress:
    """An address in schema.org's words; the country by its ISO 3166 code."""

    name: str
    street_address: str
    address_locality: str
    address_country: str
    address_extra: str = ""
    postal_code: str = ""
    address_region: str = ""
    telephone: str = ""

    @classmethod
    def read(cls, **given: str) -> PostalAddress:
        """From what a person typed; raises InvalidInput with the field in `place`."""
        texts = {field.name: clean_text(given.get(field.name, ""), _LONGEST) for field in fields(cls)}
        for field, words in _NEEDED.items():
            if not texts[field]:
                raise InvalidInput(f"{words} is missing", place=field)
        country = texts["address_country"].upper()
        if country not in _COUNTRIES:
            raise InvalidInput("this is no country", place="address_country", remedy="choose one of the list")
        return cls(**{**texts, "address_country": country})


def country_codes() -> frozenset[str]:
    """Every country's ISO 3166 code."""
    return _COUNTRIES
