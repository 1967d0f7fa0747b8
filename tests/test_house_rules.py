"""Rules of the house that no other tool holds."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("aggregator", "spiders", "matcher", "web", "workers")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def test_every_module_opens_with_a_line_that_says_what_lives_there() -> None:
    silent = [path for path in MODULES if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))]
    assert silent == []


def test_no_room_is_called_utils() -> None:
    vague = {"utils", "util", "helpers", "helper", "misc", "common", "manager"}
    assert [path for path in MODULES if path.stem in vague] == []


def test_every_silenced_check_gives_its_reason() -> None:
    mark = re.compile(r"#\s*(?:noqa: [A-Z0-9, ]+|type: ignore\[[^\]]+\])")
    bare = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in [
            *MODULES,
            *sorted((ROOT / "benchmarks").glob("*.py")),
            *sorted((ROOT / "tests").rglob("*.py")),
        ]
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for found in mark.finditer(line)
        if not re.match(r"\s*#\s*\S.{5,}", line[found.end() :])
    ]
    assert bare == []


def test_only_the_settings_read_the_environment() -> None:
    # Processes pass an environment on to their children; that is no reading of settings.
    allowed = {
        "aggregator/settings.py",
        "aggregator/cli/backup.py",
        "workers/children.py",
        "workers/demo.py",
        "web/cli.py",
        "spiders/crawl_process.py",
        "matcher/engines/spark.py",
    }
    readers = {
        str(path.relative_to(ROOT))
        for path in MODULES
        if re.search(r"os\.(?:environ|getenv)", path.read_text(encoding="utf-8"))
    }
    assert readers - allowed == set()


def test_the_lock_pins_hashes_and_names_no_registry() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in text
    pinned = re.findall(r"^([a-z0-9_.\-\[\]]+)==", text, re.MULTILINE | re.IGNORECASE)
    assert len(pinned) > 50
    assert text.count("--hash=sha256:") > len(pinned)


def test_the_lock_of_the_front_end_pins_digests_and_names_no_registry() -> None:
    lock = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages
    assert all(entry["integrity"].startswith("sha512-") for entry in packages.values())
    assert "://" not in (ROOT / "package-lock.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("package", PACKAGES)
def test_a_packages_modules_fit_in_the_head(package: str) -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in (ROOT / package).rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 500
        and "migrations" not in path.parts
    }
    assert long == {}
