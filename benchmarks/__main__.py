"""Run every benchmark, each in a process of its own: `python -m benchmarks [NAME ...]`."""

from __future__ import annotations

import platform
import subprocess
import sys

ALL = ("ingest", "crawling", "reading", "probing", "matching", "search", "planning")


def main() -> int:
    """Run the named benchmarks or all; 1 if one of them failed."""
    names = sys.argv[1:] or list(ALL)
    print(f"Python {platform.python_version()}, {platform.machine()}", flush=True)
    return max(subprocess.run([sys.executable, "-m", f"benchmarks.{name}"]).returncode for name in names)


if __name__ == "__main__":
    sys.exit(main())
