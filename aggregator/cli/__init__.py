"""The command group; every command comes in by the entry point group `click2cart.commands`."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, entry_points, version

import click

from aggregator.domain.errors import Click2CartError


class EntryPointGroup(click.Group):
    """Loads a command only when it is asked for, so that `--help` and `plan` start at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every installed command, sorted."""
        return sorted(_installed())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, or None."""
        entry_point = _installed().get(cmd_name)
        return None if entry_point is None else entry_point.load()


def _installed() -> dict[str, EntryPoint]:
    return {entry_point.name: entry_point for entry_point in entry_points(group="click2cart.commands")}


@click.command(cls=EntryPointGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("click2cart"), prog_name="click2cart")
def commands() -> None:
    """Many stores, one catalogue, one cart, the provably cheapest split."""


def main() -> None:
    """Run the command line: 0 done, 1 done but the answer is no, 2 the input or the call is wrong."""
    try:
        # Outside click's standalone mode `context.exit(n)` comes back as the value n.
        code = commands.main(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.Abort:
        click.echo("stopped", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except Click2CartError as error:
        click.echo(f"click2cart: {' '.join(str(error).split())}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
