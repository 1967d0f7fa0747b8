"""Every setting with its default and help; the one reader of the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from aggregator.domain.errors import InvalidInput


def default_data_dir(environment: Mapping[str, str]) -> Path:
    """Where embedded data lives unless told: outside private homes for root, in the user's own otherwise."""
    if os.geteuid() == 0:
        return Path("/var/lib/click2cart")
    base = environment.get("XDG_DATA_HOME") or str(Path(environment.get("HOME", "/tmp")) / ".local/share")  # noqa: S108  # only where a user has no home at all
    return Path(base) / "click2cart"


def _hosts(text: str) -> frozenset[str]:
    return frozenset(part.strip().lower() for part in text.split(",") if part.strip())


def _setting(variable: str, default: Any, help_text: str, parse: Any = str) -> Any:
    metadata = {"variable": variable, "help": help_text, "parse": parse}
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


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
        "REDIS_URL", None, "Redis or Valkey; without it the embedded server is used."
    )
    host: str = _setting("HOST", "127.0.0.1", "Address the site listens on.")
    port: int = _setting("PORT", 5000, "Port the site listens on.", int)
    allowed_hosts: frozenset[str] = _setting(
        "CLICK2CART_ALLOWED_HOSTS",
        frozenset,
        "Host names this site answers to, comma separated; loopback names always count.",
        _hosts,
    )
    allow_private_hosts: frozenset[str] = _setting(
        "CLICK2CART_ALLOW_PRIVATE_HOSTS",
        frozenset,
        "Exact host:port pairs on private or loopback addresses that may be fetched, comma separated.",
        _hosts,
    )
    secret_key: str | None = _setting(
        "CLICK2CART_SECRET_KEY",
        None,
        "Signs cookies and encrypts store secrets; without it one is generated in the data directory.",
    )
    contact: str = _setting(
        "CLICK2CART_CONTACT",
        "",
        "Address or URL a store can write to; sent with every request of the crawler.",
    )
    crawl_interval: int = _setting(
        "CLICK2CART_CRAWL_INTERVAL", 21_600, "Seconds between two crawls of a store that sets none.", int
    )
    assumed_shipping: str = _setting(
        "CLICK2CART_ASSUMED_SHIPPING",
        "5.90",
        "What an unknown shipping cost is ranked with; it still shows as unknown.",
    )
    web_workers: int = _setting("CLICK2CART_WEB_WORKERS", 1, "Processes that serve the site.", int)
    worker_threads: int = _setting("CLICK2CART_WORKER_THREADS", 4, "Jobs one worker does at once.", int)
    secure_cookies: bool = _setting(
        "CLICK2CART_SECURE_COOKIES",
        False,
        "Send cookies over HTTPS only; set it to 1 behind TLS.",
        lambda text: text.strip().lower() in {"1", "true", "yes", "on"},
    )
    locale: str = _setting(
        "CLICK2CART_LOCALE", "en", "Language and number format unless the visitor's is known."
    )

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
                except ValueError as error:
                    raise InvalidInput(
                        f"{text!r} cannot be read",
                        place=setting.metadata["variable"],
                        remedy=setting.metadata["help"],
                    ) from error
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
