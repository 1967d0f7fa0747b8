"""`click2cart plan`: the cheapest split of a basket file over its stores."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import BinaryIO

import click

from aggregator.cli.output import result_stream
from aggregator.domain.carts import PlanStatus
from aggregator.domain.errors import InvalidInput
from aggregator.shopping.basket_files import MAX_BYTES, read_basket
from aggregator.shopping.plan_files import write_plan
from aggregator.shopping.planning import plan_basket


@click.command()
@click.argument("basket", type=click.File("rb"))
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the plan to this file."
)
@click.option(
    "--time-limit",
    type=click.FloatRange(min=0, min_open=True, max=86_400),
    default=10.0,
    show_default=True,
    help="Seconds; past them the best plan found is given, with a proven bound.",
)
@click.pass_context
def plan(context: click.Context, basket: BinaryIO, output: Path | None, time_limit: float) -> None:
    """Find the cheapest split of BASKET (a JSON file, - for standard input) over its stores.

    Exit code 1 where nothing can be bought, 2 where the basket cannot be read.
    """
    began = time.monotonic()
    if math.isnan(time_limit):
        raise InvalidInput("nan is no number of seconds", place="--time-limit", remedy="give one, such as 10")
    wanted = read_basket(basket.read(MAX_BYTES + 1))
    found = plan_basket(wanted, time_limit=max(0.01, time_limit - (time.monotonic() - began)))
    with result_stream(output) as stream:
        stream.write(write_plan(found))
    if found.status is PlanStatus.INFEASIBLE:
        context.exit(1)
