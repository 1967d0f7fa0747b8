"""The demo: its stores as a process beside the site, and what fills the catalogue from them."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from aggregator.db.embedded.layout import DataLayout
from aggregator.domain.errors import EnvironmentProblem
from aggregator.settings import Settings
from workers.children import Program
from workers.supervisor import Children

STORES_PATIENCE = 30.0
SECONDS_BETWEEN_PRICE_CHANGES = 30


@dataclass(frozen=True, slots=True)
class DemoStore:
    """A demo store as its own process announces it."""

    slug: str
    name: str
    platform: str
    url: str


@dataclass(frozen=True, slots=True)
class RunningStores:
    """The demo stores that answer, and the file that says so."""

    ready_file: Path
    stores: tuple[DemoStore, ...]

    def environment(self, settings: Settings) -> dict[str, str]:
        """What lets the site, the worker and the clock fetch from exactly these stores on loopback."""
        hosts = settings.allow_private_hosts | {urlsplit(store.url).netloc for store in self.stores}
        return {"CLICK2CART_ALLOW_PRIVATE_HOSTS": ",".join(sorted(hosts))}


def start_demo_stores(settings: Settings, children: Children, *, free_ports: bool) -> RunningStores:
    """Start the demo stores and return when all of them answer; the data directory keeps their prices."""
    root = DataLayout.at(settings.data_dir).root
    ready_file, state = root / "demo-stores.json", root / "demo-stores"
    state.mkdir(mode=0o700, exist_ok=True)
    ready_file.unlink(missing_ok=True)
    options = {
        "--ready-file": str(ready_file),
        "--state-dir": str(state),
        "--drift": str(SECONDS_BETWEEN_PRICE_CHANGES),
    }
    command = (
        sys.executable,
        "-m",
        "fixtures.demo",
        *(word for option in options.items() for word in option),
    )
    children.start(Program("demo-stores", (*command, "--free-ports") if free_ports else command))
    children.wait_until(ready_file.exists, what="the demo stores", patience=STORES_PATIENCE)
    return RunningStores(ready_file, read_stores(ready_file))


def read_stores(ready_file: Path) -> tuple[DemoStore, ...]:
    """The stores named in the file that the demo stores write once they answer."""
    try:
        content = json.loads(ready_file.read_text())
        listed = content["stores"] if isinstance(content, dict) else content
        return tuple(
            DemoStore(store["slug"], store["name"], store["platform"], store["url"]) for store in listed
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EnvironmentProblem(f"{ready_file} cannot be read; start the demo again") from error


def prepare_step(stores: RunningStores, environment: dict[str, str]) -> Program:
    """The step that fills the catalogue, as a process of its own that ends with the supervisor."""
    return Program("demo", (sys.executable, "-m", "workers.demo", str(stores.ready_file)), environment)


def prepare_demo(settings: Settings, stores: tuple[DemoStore, ...]) -> None:
    """Register the stores, wait for their first crawl and matching with progress, and say what to try."""


if __name__ == "__main__":
    prepare_demo(Settings.from_env(), read_stores(Path(sys.argv[1])))
