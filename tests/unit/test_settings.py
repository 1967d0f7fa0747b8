"""Settings come from the environment, and from nowhere else."""

from __future__ import annotations

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


def test_every_setting_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")
    missing = [variable for variable, _, _ in Settings.documented() if f"`{variable}`" not in text]
    assert missing == []
