"""The documents say what is there."""

from __future__ import annotations

import re
from importlib.metadata import entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_file_leads_to_one(document: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", document.read_text(encoding="utf-8"))
    missing = [link for link in links if not (document.parent / link).exists()]
    assert missing == []


def test_every_command_that_the_readme_names_exists() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^(?:\.venv/bin/)?click2cart ([a-z]+)", text, re.MULTILINE))
    installed = {entry_point.name for entry_point in entry_points(group="click2cart.commands")}
    assert named
    assert named <= installed


def test_every_make_target_says_what_it_does() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert phony is not None
    explained = set(re.findall(r"^([a-z-]+):.*## \S", text, re.MULTILINE))
    assert set(phony.group(1).split()) == explained


def test_a_decisions_title_is_its_file_name() -> None:
    for document in sorted((ROOT / "docs" / "adr").glob("*.md")):
        title = document.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
        words = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
        assert document.stem == f"{document.stem[:4]}-{words}"


def test_every_process_of_the_procfile_is_a_command() -> None:
    lines = (ROOT / "Procfile").read_text(encoding="utf-8").splitlines()
    processes = dict(line.split(": ", 1) for line in lines)
    assert set(processes) == {"release", "web", "worker", "clock"}
    installed = {entry_point.name for entry_point in entry_points(group="click2cart.commands")}
    assert {command.split()[1] for command in processes.values()} <= installed
