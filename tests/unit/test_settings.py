"""Settings come from the environment, and from nowhere else."""

from __future__ import annotations

import re
import traceback
from pathlib import Path

import pytest

from aggregator.domain.errors import InvalidInput
from aggregator.settings import Settings


def test_every_setting_has_a_default_and_a_help_text() -> None:
    settings = Settings.from_env({"HOME": "/home/somebody"})
    assert (settings.port, settings.database_url, settings.allow_private_hosts) == (5000, None, frozenset())
    assert all(variable and text.endswith(".") for variable, _, text in Settings.documented())


def test_values_are_read_and_blank_ones_ignored() -> None:
    settings = Settings.from_env(
        {"PORT": "8080", "REDIS_URL": " ", "CLICK2CART_ALLOW_PRIVATE_HOSTS": "127.0.0.1:5101, localhost:5102"}
    )
    assert (settings.port, settings.redis_url) == (8080, None)
    assert settings.allow_private_hosts == {"127.0.0.1:5101", "localhost:5102"}


def test_an_unusable_value_names_its_variable() -> None:
    with pytest.raises(InvalidInput, match="PORT: 'http' cannot be read"):
        Settings.from_env({"PORT": "http"})


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORT", "0"),
        ("PORT", "70000"),
        ("REDIS_URL", "nonsense"),
        ("REDIS_URL", "redis://127.0.0.1:port"),
        ("CLICK2CART_CRAWL_INTERVAL", "-5"),
        ("CLICK2CART_ASSUMED_SHIPPING", "free"),
        ("CLICK2CART_WEB_WORKERS", "0"),
        ("CLICK2CART_WORKER_THREADS", "-1"),
        ("CLICK2CART_LOCALE", "xx_YY"),
        ("CLICK2CART_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("CLICK2CART_TRUSTED_PROXIES", "everybody"),
    ],
)
def test_a_value_that_nothing_can_run_with_is_refused_at_the_start(variable: str, value: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{variable}: '{value}' cannot be read; "):
        Settings.from_env({variable: value})


@pytest.mark.parametrize(
    ("variable", "value", "shown"),
    [
        ("CLICK2CART_SMTP_URL", "smpt://shop:hunter2@mail.example:25", "smpt://***@mail.example:25"),
        ("CLICK2CART_SMTP_URL", "smtp://shop:hunter2#@mail.example", "smtp://***@mail.example"),
        ("CLICK2CART_SMTP_URL", "smtp://shop:a/hunter2@b@mail.example:x", "smtp://***@mail.example:x"),
        ("CLICK2CART_SMTP_URL", "shop:hunter2@mail.example", "***@mail.example"),
        ("REDIS_URL", "redis://:hunter2@127.0.0.1:port", "redis://***@127.0.0.1:port"),
        ("REDIS_URL", "http://127.0.0.1/?password=hunter2", "http://127.0.0.1/?***"),
    ],
)
def test_an_unusable_address_is_told_without_its_password(variable: str, value: str, shown: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{variable}: '{re.escape(shown)}' cannot be read; ") as refused:
        Settings.from_env({variable: value})
    told = "".join(traceback.format_exception(refused.value))
    assert "hunter2" not in told


def test_every_setting_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")
    rows = {line.split("`")[1]: line for line in text.splitlines() if line.startswith("| `")}
    wrong = [
        name for name, _, words in Settings.documented() if not rows.get(name, "").endswith(f"{words} |")
    ]
    assert wrong == []
