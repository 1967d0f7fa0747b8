"""Which ISO 4217 currency a symbol or word beside a price stands for; nothing where it may be several."""

from __future__ import annotations

import re
import unicodedata

from babel.core import get_global

from aggregator.domain.money import CURRENCIES

# Written beside an amount, these mean one currency wherever they are met.
_ALONE = {
    "EUR": "€ euro euros eur.",
    "GBP": "£ ukp gb£",
    "USD": "us$ $us u$s u.s.$",
    "CAD": "ca$ can$ cdn$ cad$",
    "AUD": "a$ au$ aud$",
    "NZD": "nz$ nzd$",
    "HKD": "hk$ hkd$",
    "SGD": "s$ sg$ sgd$",
    "TWD": "nt$ ntd",
    "MXN": "mx$ mex$",
    "BRL": "r$ reais",
    "JPY": "円 yen jp¥",
    "CNY": "元 人民币 rmb cn¥ yuan",
    "KRW": "₩ 원",
    "INR": "₹",
    "RUB": "₽ руб руб. рублей рубль rub.",
    "UAH": "₴ грн грн.",
    "KZT": "₸ тенге тг тг.",
    "BYN": "бел.руб.",
    "PLN": "zł zl zł.",
    "CZK": "kč kc",
    "HUF": "ft ft. forint",
    "RON": "lei leu",
    "BGN": "лв лв. lv.",
    "RSD": "дин дин. din. rsd динара dinara",
    "TRY": "₺ tl",
    "ILS": '₪ ש״ח ש"ח nis',
    "THB": "฿ บาท",
    "VND": "₫ vnđ đ",
    "IDR": "rp rp.",
    "MYR": "rm",
    "PHP": "₱",
    "BDT": "৳ টাকা",
    "NGN": "₦",
    "GHS": "₵ gh₵ gh¢",
    "KES": "ksh kshs ksh.",
    "UGX": "ush",
    "TZS": "tsh",
    "ZMW": "zk",
    "GEL": "₾",
    "AZN": "₼ ман.",
    "AMD": "֏ դր դր.",
    "MNT": "₮",
    "LAK": "₭",
    "KHR": "៛",
    "AFN": "؋",
    "CRC": "₡",
    "PYG": "₲",
    "PEN": "s/ s/.",
    "ARS": "ar$",
    "CLP": "cl$ clp$",
    "COP": "co$ col$ cop$",
    "DOP": "rd$",
    "UYU": "$u",
    "BBD": "bds$",
    "BZD": "bz$",
    "JMD": "j$",
    "NAD": "n$",
    "TTD": "tt$",
    "MOP": "mop$",
    "BND": "bn$",
    "LBP": "ل.ل. ل.ل",
    "EGP": "ج.م. ج.م",
    "SAR": "ر.س. ر.س",
    "QAR": "ر.ق. ر.ق",
    "OMR": "ر.ع. ر.ع",
    "YER": "ر.ي. ر.ي",
    "AED": "د.إ. د.إ dhs dhs. dh.",
    "KWD": "د.ك. د.ك kd k.d.",
    "BHD": "د.ب. د.ب bd",
    "JOD": "د.أ. د.أ jd",
    "IQD": "د.ع. د.ع",
    "TND": "د.ت. د.ت dt",
    "DZD": "د.ج. د.ج",
    "MAD": "د.م. د.م",
    "LYD": "د.ل. د.ل",
    "HRK": "kn",
    "CHF": "sfr sfr. fr.",
    "BAM": "km",
}
# These are shared; the country that the store sells in tells which one is meant.
_SHARED = {
    "$": "USD CAD AUD NZD HKD SGD TWD MXN ARS CLP COP UYU BBD BSD BZD BMD BND FJD GYD JMD KYD LRD NAD SBD SRD "
    "TTD XCD DOP CUP",
    "c$": "CAD NIO",
    "kr": "DKK SEK NOK ISK",
    "¥": "JPY CNY",
    "₨": "INR PKR LKR NPR MUR SCR",
    "р": "RUB BYN",
    "r": "ZAR BRL",
    "fcfa": "XOF XAF",
    "br": "ETB BYN",
    "din": "RSD MKD",
    "bs": "BOB VES",
    "درهم": "AED MAD",
    "ريال": "SAR QAR OMR YER IRR",
    "دينار": "KWD BHD JOD IQD TND DZD LYD",
    "جنيه": "EGP SDG",
}
_SHARED_SPELLINGS = {
    "kr.": "kr", "￥": "¥", "rs": "₨", "rs.": "₨", "р.": "р", "cfa": "fcfa", "bs.": "bs", "dollar": "$",
    "dollars": "$",
}  # fmt: skip
_BY_SYMBOL = {symbol: currency for currency, symbols in _ALONE.items() for symbol in symbols.split()}
_CODE = re.compile(r"[A-Z]{3}")


def read_currency(text: str | None, country: str | None = None) -> str | None:
    """The ISO 4217 code that a code, symbol or word stands for; None where that is not certain.

    "$", "kr" or "¥" are shared by several currencies: one of them is meant only where `country` (ISO 3166)
    uses it as its own.
    """
    if not text or len(text) > 40:
        return None
    compact = re.sub(r"[\s\u200e\u200f]+", "", unicodedata.normalize("NFC", text))
    code = compact.upper()
    if _CODE.fullmatch(code) and code in CURRENCIES:
        return code
    symbol = compact.casefold()
    found = _BY_SYMBOL.get(symbol)
    if found is not None:
        return found
    family = _SHARED.get(_SHARED_SPELLINGS.get(symbol, symbol))
    own = country_currency(country) if family else None
    return own if family is not None and own in family.split() else None


def country_currency(country: str | None) -> str | None:
    """The legal tender of a country (ISO 3166, two letters) today, by CLDR; None for an unknown one."""
    if not country:
        return None
    for code, _begins, ends, is_tender in get_global("territory_currencies").get(country.strip().upper(), ()):
        if ends is None and is_tender:
            return str(code)
    return None


def currency_marks() -> frozenset[str]:
    """Every symbol and word, case folded, that may stand beside an amount; ISO codes not among them."""
    return frozenset({*_BY_SYMBOL, *_SHARED, *_SHARED_SPELLINGS})
