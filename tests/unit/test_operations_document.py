"""docs/operations.md names tests that exist, and every fault that is to be survived."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
ROWS = [line for line in TEXT.splitlines() if line.startswith("| ") and "`test_" in line]


def test_every_fault_names_a_test_that_exists() -> None:
    assert len(ROWS) >= 20
    for row in ROWS:
        files = re.findall(r"`(test_\w+\.py)`", row)
        names = re.findall(r"`(test_\w+)`", row)
        assert len(files) == len(names) == 1, row
        source = (ROOT / "tests" / "integration" / files[0]).read_text(encoding="utf-8")
        assert f"def {names[0]}(" in source, row


def test_the_faults_that_peers_died_of_are_there() -> None:
    faults = "\n".join(row.split("|")[1] for row in ROWS).lower()
    for words in (
        "empty", "403", "captcha", "layout", "100 times", "currency", "500", "cut in the middle", "endless redirect",
        "169.254.169.254", "rebinding", "gzip bomb", "2 gb", "drips", "robots.txt", "sitemaps", "1 %", "certificate",
        "clock jumps", "broker", "database",
    ):  # fmt: skip
        assert words in faults, words
