"""Commands that run things: `up` and `demo` for all of it, `worker` and `clock` for one process each."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from aggregator.accounts.sign_in import invite, link_address
from aggregator.db.session import database
from aggregator.domain.errors import EnvironmentProblem
from aggregator.settings import Settings
from workers.broker import broker_answers
from workers.children import Program
from workers.supervisor import Children, StopSignals, own_command, site_is_ready, site_url, supervise, tell

WEB_PATIENCE = 60.0
OPERATOR = "operator@localhost"

_port = click.option(
    "--port", type=click.IntRange(1, 65535), help="Port of the site instead of PORT or 5000."
)


def _settings(port: int | None) -> Settings:
    settings = Settings.from_env()
    return dataclasses.replace(settings, port=port) if port else settings


def start_site(settings: Settings, children: Children, environment: dict[str, str] | None = None) -> None:
    """Migrate, start worker, clock and web (stopped in the reverse order), wait until the site answers."""
    environment = {"PORT": str(settings.port), **(environment or {})}
    with database(settings):
        tell("the database is up, its schema is current")
    if settings.redis_url and not broker_answers(settings.redis_url):
        tell("the broker in REDIS_URL does not answer: the site works, crawls and matching wait for it")
    children.start(Program("worker", own_command("worker"), environment, patience=20.0))
    children.start(Program("clock", own_command("clock"), environment))
    children.start(Program("web", own_command("web"), environment))
    children.wait_until(lambda: site_is_ready(settings), what="the site", patience=WEB_PATIENCE)


def offer_sign_in(settings: Settings) -> None:
    """Tell the person at the terminal how to get to the operations pages. A link is a key: no log gets one."""
    if not sys.stderr.isatty():
        tell("to sign in to the operations pages: click2cart operators invite you@example.org")
        return
    with database(settings) as sessions, sessions.begin() as session:
        link = link_address(settings, invite(session, OPERATOR, "admin"))
    tell(f"sign in to the operations pages (once, within 15 minutes): {link}")


@click.command()
@_port
def up(port: int | None) -> None:
    """Run site, worker and clock until Ctrl-C, with a database and a broker unless yours are set."""
    settings = _settings(port)

    def start(children: Children) -> None:
        start_site(settings, children)
        offer_sign_in(settings)
        tell(f"Click2Cart runs at {site_url(settings)}  (Ctrl-C stops it)")

    supervise(settings, start)


@click.command()
@_port
@click.option(
    "--free-ports", is_flag=True, help="Put the demo stores on any free ports instead of 5101 to 5105."
)
def demo(port: int | None, free_ports: bool) -> None:
    """As `up`, with the demo stores beside it: five small shops on this machine, crawled and matched."""
    from workers.demo import prepare_step, start_demo_stores

    settings = _settings(port)
    if settings.database_url:
        raise EnvironmentProblem(
            "the demo fills an embedded database of its own; unset DATABASE_URL or use click2cart up"
        )

    def start(children: Children) -> None:
        stores = start_demo_stores(settings, children, free_ports=free_ports)
        environment = stores.environment(settings)
        start_site(settings, children, environment)
        children.run_to_end(prepare_step(stores, environment))
        tell(f"Click2Cart runs at {site_url(settings)}  (Ctrl-C stops it)")

    supervise(settings, start)


@click.command()
@click.option("--minutes", type=click.FloatRange(0.5), default=20.0, show_default=True, help="How long.")
@click.option("--seed", default=1, show_default=True, help="The same faults for the same seed.")
@click.option(
    "--interval",
    type=click.IntRange(5),
    default=60,
    show_default=True,
    help="Seconds between two crawls of a store.",
)
@click.option(
    "--fault-every",
    type=click.FloatRange(1),
    default=15.0,
    show_default=True,
    help="Seconds between two faults.",
)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the report there.")
@click.pass_context
def soak(
    context: click.Context, minutes: float, seed: int, interval: int, fault_every: float, output: Path | None
) -> None:
    """Crawl ten demo stores while things go wrong at random; exit 1 where anything is lost, wrong or unseen.

    Works on an installation of its own, which is gone afterwards.
    """
    from workers.soak import Soak
    from workers.soak_findings import report_document

    with StopSignals(), TemporaryDirectory(prefix="click2cart-soak-") as folder:
        settings = dataclasses.replace(Settings.from_env(), data_dir=Path(folder) / "data")
        report = Soak(settings, seed=seed, interval=interval, tell=tell).run(
            minutes, fault_seconds=fault_every
        )
    text = json.dumps(report_document(report), indent=2)
    if output is None:
        click.echo(text)
    else:
        output.write_text(text + "\n", encoding="utf-8")
    context.exit(0 if report.is_good else 1)


@click.command()
def worker() -> None:
    """Take jobs from the queue until told to stop."""
    from workers.broker import run_worker

    run_worker(Settings.from_env())


@click.command()
def clock() -> None:
    """Put due jobs into the queue until told to stop; of several clocks one leads."""
    from workers.schedule import run_clock

    run_clock(Settings.from_env())
