"""`click2cart match run` in one process that ends by printing its peak memory in MB."""

from __future__ import annotations

import sys
from pathlib import Path

from matcher.cli import match


def main() -> None:
    """Cluster argv[1] into argv[2]."""
    match.main(["run", sys.argv[1], "--output", sys.argv[2]], standalone_mode=False)
    status = Path("/proc/self/status").read_text(encoding="ascii")
    print(int(status.split("VmHWM:")[1].split()[0]) // 1024)


if __name__ == "__main__":
    main()
