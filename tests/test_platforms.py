"""The contract that every installed platform keeps, the built-in ones through the same door as plug-ins."""

from __future__ import annotations

import tomllib
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest

from aggregator import platforms
from aggregator.domain.errors import NotFound
from aggregator.platforms import get_platform, installed_platforms
from aggregator.testing import check_platform


def test_every_built_in_platform_is_installed() -> None:
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(project["project"]["entry-points"]["click2cart.platforms"]) <= set(installed_platforms())


def test_a_plug_in_that_cannot_be_loaded_is_left_out_and_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = EntryPoint("broken", "no_such_module:platform", platforms.ENTRY_POINT_GROUP)
    installed = [*entry_points(group=platforms.ENTRY_POINT_GROUP), broken]
    monkeypatch.setattr(platforms, "entry_points", lambda group: installed)
    found = platforms.installed_platforms.__wrapped__()
    assert set(found) == set(installed_platforms())
    assert "broken cannot be loaded" in caplog.text


@pytest.mark.parametrize("name", sorted(installed_platforms()))
def test_platform_keeps_the_contract(name: str) -> None:
    platform = get_platform(name)
    assert platform.name == name
    check_platform(platform)


def test_an_unknown_platform_is_not_found() -> None:
    with pytest.raises(NotFound, match="no such store platform: tin_can"):
        get_platform("tin_can")
