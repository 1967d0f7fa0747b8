"""Public tools measured beside ours, and how our own command is measured in the same way."""

from __future__ import annotations

import re
from pathlib import Path


def link_offers_tools() -> set[str]:
    """The tools that link_offers.py can run; it is only read, as its imports are not of this environment."""
    text = (Path(__file__).parent / "link_offers.py").read_text(encoding="utf-8")
    return set(re.findall(r'^    "([a-z-]+)": [a-z_]+,$', text, re.MULTILINE))
