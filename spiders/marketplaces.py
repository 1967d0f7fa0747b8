"""Marketplaces are read by questions, not whole: what is asked for, and the tokens that their APIs give out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from aggregator.domain.errors import FetchRefused, UnreadableAnswer
from aggregator.domain.stores import Store
from aggregator.domain.web_addresses import read_web_address
from aggregator.fetching import Fetcher
from spiders.untrusted import mapping, text

_COUNTRIES = {"com": "US", "co.uk": "GB", "com.au": "AU", "com.be": "BE", "com.br": "BR", "com.mx": "MX", "co.jp": "JP",
              "com.tr": "TR", "com.sg": "SG", "com.hk": "HK", "com.my": "MY"}  # fmt: skip


def is_asked(store: Store, options: Sequence[str]) -> Mapping[str, str]:
    """The options that say what to read, those that are set. Raises FetchRefused where none is."""
    asked = {name: value for name in options if (value := store.options.get(name, "").strip())}
    if not asked:
        raise FetchRefused(
            store.url,
            f"is too large to be read whole; say what to read with --set {options[0]}=… "
            f"(or {', '.join(options[1:])})",
        )
    return asked


def marketplace_country(url: str, name: str) -> str | None:
    """The country of a marketplace's own site, as "DE" of https://www.ebay.de; None for any other site."""
    host = read_web_address(url).host.removeprefix("www.")
    brand, _, rest = host.partition(".")
    if brand != name or not (rest in _COUNTRIES or re.fullmatch(r"[a-z]{2}", rest)):
        return None
    return _COUNTRIES.get(rest, rest.upper())


def client_token(
    fetcher: Fetcher, url: str, fields: Mapping[str, str], *, headers: Mapping[str, str] | None = None
) -> str:
    """A bearer token for an application's own credentials (OAuth 2). Raises FetchRefused for wrong ones."""
    answer = fetcher.post_form(url, {"grant_type": "client_credentials", **fields}, headers=headers)
    if answer.status in {400, 401, 403}:
        raise FetchRefused(url, f"does not accept the credentials (HTTP {answer.status})")
    token = text(mapping(answer.expect_ok().json()).get("access_token"), 8000)
    if token is None or not token.isascii() or not token.isprintable():
        raise UnreadableAnswer(url, "gave no token")
    return token
