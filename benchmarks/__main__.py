"""Run every benchmark, each in a process of its own: `python -m benchmarks [--data DIRECTORY] [NAME ...]`.

DIRECTORY holds public matching sets, a folder each with offers.csv and truth.csv; benchmarks that can use them do.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys

ALL = (
    "ingest",
    "crawling",
    "reading",
    "probing",
    "matching",
    "matching_hard",
    "matching_scale",
    "matching_spark",
    "matching_peers",
    "search",
    "search_quality",
    "pages",
    "planning",
    "planning_demo",
    "carts",
)
USE_DATA = frozenset({"matching_peers", "matching_scale"})


def main() -> int:
    """Run the named benchmarks or all; 1 if one of them failed."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--data", help="folder of public matching sets")
    arguments.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(ALL)}")
    options = arguments.parse_args()
    print(f"Python {platform.python_version()}, {platform.machine()}", flush=True)
    codes = []
    for name in options.names or ALL:
        data = ["--data", options.data] if options.data and name in USE_DATA else []
        codes.append(subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *data]).returncode)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
