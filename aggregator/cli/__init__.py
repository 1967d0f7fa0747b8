"""The command group; every command comes in by the entry point group `click2cart.commands`."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from importlib.metadata import EntryPoint, entry_points, version
from typing import NoReturn

import click
from click.exceptions import NoArgsIsHelpError

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
        sys.stdout.flush()
        sys.exit(code if isinstance(code, int) else 0)
    except click.Abort:
        click.echo("stopped", err=True)
        sys.exit(130)
    except NoArgsIsHelpError as error:
        error.show()
        sys.exit(2)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "click2cart"
        _end(2, f"{command}: {error.format_message().rstrip('.')}; see {command} --help")
    except click.ClickException as error:
        _end(2, f"click2cart: {error.format_message()}")
    except Click2CartError as error:
        _end(error.exit_code, f"click2cart: {error}")
    except BrokenPipeError:
        _end(1)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        _end(2, f"click2cart: {error.filename or 'the output'}: the disk is full; free some space")
    except Exception as error:
        problem = _database_problem(error)
        if problem is None:
            raise
        _end(2, f"click2cart: {problem}")


def _database_problem(error: Exception) -> str | None:
    """What the database lacked to do its part (room, rights, a connection); None for a fault of ours."""
    if "sqlalchemy" not in sys.modules:  # its import would slow the commands that need no database
        return None
    from psycopg.errors import InsufficientPrivilege
    from sqlalchemy.exc import DBAPIError, OperationalError

    if isinstance(error, OperationalError) or (
        isinstance(error, DBAPIError) and isinstance(error.orig, InsufficientPrivilege)
    ):
        cause = str(error.orig).strip().partition("\n")[0]
        return f"the database could not do it: {cause}; mend that and try again, nothing was half done"
    return None


def _end(code: int, line: str | None = None) -> NoReturn:
    """End with at most one line of explanation; what a broken or full standard output still holds is let go."""
    if line:
        # A store's words may be in it: nothing of them reaches the terminal as a command.
        plain = "".join(letter if letter.isprintable() else " " for letter in line)
        click.echo(" ".join(plain.split()), err=True)
    try:
        sys.stdout.flush()
    except OSError:
        # The interpreter would try once more while it ends, and complain.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)
