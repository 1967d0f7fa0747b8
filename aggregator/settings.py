"""Every setting with its default and help; the one reader of the environment."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from babel import Locale, UnknownLocaleError

from aggregator.domain.errors import InvalidInput


def default_data_dir(environment: Mapping[str, str]) -> Path:
    """Where embedded data lives unless told: outside private homes for root, in the user's own otherwise."""
    if os.geteuid() == 0:
        return Path("/var/lib/click2cart")
    base = environment.get("XDG_DATA_HOME") or str(Path(environment.get("HOME", "/tmp")) / ".local/share")  # noqa: S108  # only where a user has no home at all
    return Path(base) / "click2cart"


def _hosts(text: str) -> frozenset[str]:
    return frozenset(part.strip().lower() for part in text.split(",") if part.strip())


def _words(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _networks(text: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())


def _whole_number(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        number = int(text)
        if not least <= number <= most:
            raise ValueError(number)
        return number

    return parse


def _amount(text: str) -> str:
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,2})?", text):
        raise ValueError(text)
    return text


def _country(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2}", text):
        raise ValueError(text)
    return text.upper()


def _rates_source(text: str) -> str:
    if text.lower() in {"none", "off"}:
        return ""
    parts = urlsplit(text)
    if parts.scheme not in {"", "http", "https"} or (parts.scheme and not parts.hostname):
        raise ValueError(text)
    return text


def _redis_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"redis", "rediss", "unix"}:
        raise ValueError(parts.scheme)
    _ = parts.port  # raises ValueError for one that is no number
    return text


def _smtp_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        raise ValueError(parts.scheme)
    _ = parts.port  # raises ValueError for one that is no number
    return text


def _site_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(text)
    return text.rstrip("/")


def _addresses(text: str) -> tuple[str, ...]:
    addresses = tuple(part.strip() for part in text.split(",") if part.strip())
    if not all(re.fullmatch(r"[^@\s]+@[^@\s]+", address) for address in addresses):
        raise ValueError(text)
    return addresses


def _web_addresses(text: str) -> tuple[str, ...]:
    addresses = tuple(part.strip() for part in text.split(",") if part.strip())
    if not all(urlsplit(address).scheme in {"http", "https"} for address in addresses):
        raise ValueError(text)
    return addresses


def _origins(text: str) -> frozenset[str]:
    addresses = _web_addresses(text)
    if any(urlsplit(address)._replace(scheme="", netloc="").geturl() for address in addresses):
        raise ValueError(text)
    return frozenset(address.lower() for address in addresses)


def _locale(text: str) -> str:
    try:
        return str(Locale.parse(text.replace("-", "_")))
    except UnknownLocaleError as error:
        raise ValueError(text) from error


def _switch(text: str) -> bool:
    return text.strip().lower() in {"1", "true", "yes", "on"}


def _without_password(variable: str, text: str) -> str:
    """An address with who signs in, and all that a query may say, masked: it is broken, so hide rather too much."""
    if not variable.endswith("_URL") and "://" not in text:
        return text
    text = re.sub(r"^(\w*://)?.*@", r"\1***@", text, flags=re.DOTALL)
    return re.sub(r"\?.*", "?***", text, flags=re.DOTALL)


def _setting(variable: str, default: Any, help_text: str, parse: Any = str) -> Any:
    metadata = {"variable": variable, "help": help_text, "parse": parse}
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


# What the site's own process hands on to those that serve: they meet the demo's database by its address.
INBOX_OF_THE_DEMO = "of the demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the environment decides. Build it once per process with `Settings.from_env()`."""

    data_dir: Path = _setting(
        "CLICK2CART_DATA_DIR",
        lambda: default_data_dir(os.environ),
        "Where the embedded database, broker and keys live.",
        Path,
    )
    database_url: str | None = _setting(
        "DATABASE_URL", None, "PostgreSQL 15 or newer; without it the embedded server is used."
    )
    redis_url: str | None = _setting(
        "REDIS_URL",
        None,
        "Redis or Valkey as redis://host:6379/0; without it the embedded server is used.",
        _redis_url,
    )
    host: str = _setting("HOST", "127.0.0.1", "Address the site listens on.")
    port: int = _setting("PORT", 5000, "Port the site listens on, 1 to 65535.", _whole_number(1, 65_535))
    allowed_hosts: frozenset[str] = _setting(
        "CLICK2CART_ALLOWED_HOSTS",
        frozenset,
        "Host names this site answers to, comma separated; loopback names always count.",
        _hosts,
    )
    trusted_proxies: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = _setting(
        "CLICK2CART_TRUSTED_PROXIES",
        (),
        "Addresses or networks of proxies whose X-Forwarded-For is believed, comma separated, such as 10.0.0.0/8.",
        _networks,
    )
    allow_private_hosts: frozenset[str] = _setting(
        "CLICK2CART_ALLOW_PRIVATE_HOSTS",
        frozenset,
        "Exact host:port pairs on private or loopback addresses that may be fetched, comma separated.",
        _hosts,
    )
    never_fetch: frozenset[str] = _setting(
        "CLICK2CART_NEVER_FETCH",
        frozenset,
        "Hosts that are never fetched, with all below them, comma separated; `click2cart opt-outs` adds further ones.",
        _hosts,
    )
    secret_key: str | None = _setting(
        "CLICK2CART_SECRET_KEY",
        None,
        "Signs cookies and encrypts store secrets; without it one is generated in the data directory.",
    )
    previous_secret_keys: tuple[str, ...] = _setting(
        "CLICK2CART_PREVIOUS_SECRET_KEYS",
        (),
        "Earlier secret keys, comma separated: what they sealed is read until `click2cart secrets rotate` is done.",
        _words,
    )
    contact: str = _setting(
        "CLICK2CART_CONTACT",
        "",
        "Address or URL a store can write to; sent with every request of the crawler.",
    )
    crawl_interval: int = _setting(
        "CLICK2CART_CRAWL_INTERVAL",
        21_600,
        "Seconds between two crawls of a store that sets none, 1 or more.",
        _whole_number(1, 31_536_000),
    )
    assumed_shipping: str = _setting(
        "CLICK2CART_ASSUMED_SHIPPING",
        "5.90",
        "What an unknown shipping cost is ranked with, such as 5.90; it still shows as unknown.",
        _amount,
    )
    country: str = _setting(
        "CLICK2CART_COUNTRY",
        "DE",
        "Where parcels go unless the shopper says otherwise, as two letters such as DE.",
        _country,
    )
    plan_seconds: int = _setting(
        "CLICK2CART_PLAN_SECONDS",
        4,
        "Seconds the proof of a cart's plan may take before the best found is shown, 1 to 60.",
        _whole_number(1, 60),
    )
    exchange_rates: str = _setting(
        "CLICK2CART_EXCHANGE_RATES",
        "https://www.ecb.europa.eu/stats/eurofxref/eurofxref-daily.xml",
        "File or address of exchange rates (the ECB's XML, or CSV), read only while a store asks another currency "
        "than euros; `none` turns them off.",
        _rates_source,
    )
    web_workers: int = _setting(
        "CLICK2CART_WEB_WORKERS", 1, "Processes that serve the site, 1 to 64.", _whole_number(1, 64)
    )
    worker_threads: int = _setting(
        "CLICK2CART_WORKER_THREADS",
        4,
        "Crawls one worker does at once, and as many other jobs, 1 to 256.",
        _whole_number(1, 256),
    )
    page_seconds: int = _setting(
        "CLICK2CART_PAGE_SECONDS",
        30,
        "Seconds within which a page of a store must have arrived whole, 1 to 600.",
        _whole_number(1, 600),
    )
    feed_seconds: int = _setting(
        "CLICK2CART_FEED_SECONDS",
        3_600,
        "Seconds within which a whole feed must have arrived, 1 to 86400.",
        _whole_number(1, 86_400),
    )
    api_requests: int = _setting(
        "CLICK2CART_API_REQUESTS",
        600,
        "Requests to the API that one account, or one address without, may make in a minute, 1 to 1000000.",
        _whole_number(1, 1_000_000),
    )
    api_origins: frozenset[str] = _setting(
        "CLICK2CART_API_ORIGINS",
        frozenset,
        "Origins of other sites, comma separated, whose pages may use the API with a token, such as https://a.example.",
        _origins,
    )
    metrics_token: str | None = _setting(
        "CLICK2CART_METRICS_TOKEN",
        None,
        "Bearer token that /metrics asks for; without it only requests from this machine may read it.",
    )
    secure_cookies: bool = _setting(
        "CLICK2CART_SECURE_COOKIES", False, "Send cookies over HTTPS only; set it to 1 behind TLS.", _switch
    )
    is_demo: bool = _setting(
        "CLICK2CART_DEMO",
        False,
        "Say on every page that stores and prices are made up; the demo sets it.",
        _switch,
    )
    locale: str = _setting(
        "CLICK2CART_LOCALE",
        "en",
        "Language and number format, such as en_GB, unless the visitor's is known.",
        _locale,
    )

    site_url: str = _setting(
        "CLICK2CART_SITE_URL",
        "",
        "Address of this site as people reach it, such as https://prices.example; links in mails begin with it.",
        _site_url,
    )
    smtp_url: str | None = _setting(
        "CLICK2CART_SMTP_URL",
        None,
        "Mail server: smtp://user:password@host:587 (by STARTTLS) or smtps://host:465; without it no mail is sent.",
        _smtp_url,
    )
    mail_from: str = _setting(
        "CLICK2CART_MAIL_FROM",
        "Click2Cart <click2cart@localhost>",
        "Sender of mails, such as Prices <prices@example.org>.",
    )
    inbox: str = _setting(
        "CLICK2CART_INBOX",
        "",
        "Show mails and codes on /inbox in place of sending them; the demo sets it, with DATABASE_URL it does nothing.",
    )
    sms_gateway: str = _setting(
        "CLICK2CART_SMS_GATEWAY",
        "",
        "Address that SMS are posted to as JSON with `to` and `text`; without it no code is sent to phones.",
        _site_url,
    )
    sms_token: str | None = _setting(
        "CLICK2CART_SMS_TOKEN", None, "Bearer token that the SMS gateway is posted with."
    )
    alarm_mail: tuple[str, ...] = _setting(
        "CLICK2CART_ALARM_MAIL",
        (),
        "Addresses that alarms are mailed to, comma separated; without it all operators and admins are.",
        _addresses,
    )
    alarm_webhooks: tuple[str, ...] = _setting(
        "CLICK2CART_ALARM_WEBHOOKS",
        (),
        "Addresses that alarms are posted to as signed JSON, comma separated.",
        _web_addresses,
    )
    webhook_secret: str | None = _setting(
        "CLICK2CART_WEBHOOK_SECRET",
        None,
        "Signs webhooks (HMAC-SHA256); without it a key derived from the secret key does.",
    )
    stale_after: int = _setting(
        "CLICK2CART_STALE_AFTER",
        3,
        "Crawl intervals without a complete run after which a store is called stale, 1 to 100.",
        _whole_number(1, 100),
    )
    keep_runs: int = _setting(
        "CLICK2CART_KEEP_RUNS",
        90,
        "Days that runs are kept, with their logs and quarantine at most, 1 to 3650.",
        _whole_number(1, 3650),
    )
    keep_logs: int = _setting(
        "CLICK2CART_KEEP_LOGS",
        30,
        "Days that lines of runs' logs are kept, 1 to 3650.",
        _whole_number(1, 3650),
    )
    keep_quarantine: int = _setting(
        "CLICK2CART_KEEP_QUARANTINE",
        30,
        "Days that what could not be read is kept; what is settled a quarter of that, 1 to 3650.",
        _whole_number(1, 3650),
    )
    keep_prices: int = _setting(
        "CLICK2CART_KEEP_PRICES",
        3650,
        "Days that price history is kept, 60 to 36500; an offer's last price before that always is.",
        _whole_number(60, 36_500),
    )
    keep_alarms: int = _setting(
        "CLICK2CART_KEEP_ALARMS",
        365,
        "Days that closed alarms and sent notices are kept, 1 to 3650.",
        _whole_number(1, 3650),
    )
    picture_megabytes: int = _setting(
        "CLICK2CART_PICTURE_MEGABYTES",
        2_000,
        "Megabytes of disk that re-encoded pictures of products may take, 10 to 1000000.",
        _whole_number(10, 1_000_000),
    )

    @property
    def has_inbox(self) -> bool:
        """Whether mails and codes stay on this machine, to be read at /inbox."""
        return self.inbox == INBOX_OF_THE_DEMO or (self.inbox == "1" and self.database_url is None)

    @classmethod
    def from_env(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read the environment; an unusable value raises InvalidInput naming the variable."""
        environment = os.environ if environment is None else environment
        values: dict[str, Any] = {}
        for setting in fields(cls):
            text = environment.get(setting.metadata["variable"], "").strip()
            if text:
                try:
                    values[setting.name] = setting.metadata["parse"](text)
                except ValueError:
                    # Not "from" the error: that may quote a piece of a password.
                    variable = setting.metadata["variable"]
                    raise InvalidInput(
                        f"{_without_password(variable, text)!r} cannot be read",
                        place=variable,
                        remedy=setting.metadata["help"],
                    ) from None
        values.setdefault("data_dir", default_data_dir(environment))
        return cls(**values)

    @classmethod
    def documented(cls) -> list[tuple[str, str, str]]:
        """(variable, default as text, help) of every setting, in order."""
        rows = []
        for setting in fields(cls):
            default = setting.default if isinstance(setting.default, str | int | bool) else ""
            rows.append((setting.metadata["variable"], str(default), setting.metadata["help"]))
        return rows
