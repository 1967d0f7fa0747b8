"""Every platform is documented with all that an operator can set."""

from __future__ import annotations

from pathlib import Path

import pytest

from aggregator.platforms import get_platform, installed_platforms

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("name", sorted(installed_platforms()))
def test_a_platforms_page_names_its_options(name: str) -> None:
    platform = get_platform(name)
    page = (ROOT / "docs" / "platforms" / f"{name}.md").read_text(encoding="utf-8")
    for part in ("Recognised by", "Read from", "Limits", "Hand-over"):
        assert f"**{part}**" in page
    unnamed = [option for option in (*platform.options, *platform.secret_options) if f"`{option}" not in page]
    assert unnamed == []


@pytest.mark.parametrize(
    "directory", sorted((ROOT / "fixtures" / "cassettes").iterdir()), ids=lambda path: path.name
)
def test_saved_answers_say_where_they_come_from(directory: Path) -> None:
    assert (directory / "SOURCE.md").exists()
