"""Where a command's result goes: standard output, or a file that appears when it is whole."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import click

from aggregator.domain.errors import InvalidInput

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@contextmanager
def result_stream(target: Path | None) -> Iterator[IO[str]]:
    """A UTF-8 stream to write to: standard output for None and "-", else a file.

    The file takes its name only when the block ends well; what was there before stays until then.
    Raises InvalidInput where it cannot be written.
    """
    if target is None or str(target) == "-":
        with click.open_file("-", "w", encoding="utf-8") as stream:
            yield stream
        return
    unfinished = None
    try:
        descriptor, name = tempfile.mkstemp(dir=target.absolute().parent, prefix=f".{target.name}.")
        unfinished = Path(name)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            yield file
        unfinished.chmod(_usual_mode())
        unfinished.replace(target)
        unfinished = None
    except OSError as error:
        raise InvalidInput(
            f"cannot write {target} ({error.strerror})",
            place="--output",
            remedy="name a file that can be written",
        ) from error
    finally:
        if unfinished is not None:
            unfinished.unlink(missing_ok=True)


def _usual_mode() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def print_json(value: Any) -> None:
    """One JSON document on standard output; instants in RFC 3339, UTC."""
    click.echo(json.dumps(value, ensure_ascii=False, default=_plain))


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return str(value)
