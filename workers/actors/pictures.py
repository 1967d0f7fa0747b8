"""Fetching the pictures that pages would have shown."""

from __future__ import annotations

import logging

import dramatiq

from aggregator.catalog.picture_encoding import MOST_BYTES, encode_picture
from aggregator.catalog.picture_files import PictureFiles
from aggregator.catalog.pictures import forget_unasked_pictures, picture_addresses, settle_picture
from aggregator.domain.errors import Click2CartError
from aggregator.fetching import Fetcher
from workers.context import current

log = logging.getLogger("click2cart.pictures")

_SECONDS_A_PICTURE = 20.0


# The clock asks again for what was not done. Nobody waits for a picture, so all else goes first.
@dramatiq.actor(max_retries=0, time_limit=900_000, priority=20, queue_name="pictures")
def fetch_pictures(digests: list[str]) -> None:
    """Fetch and re-encode these; safe twice, and to be killed."""
    context = current()
    files = PictureFiles.at(context.settings.data_dir)
    with context.sessions() as session:
        wanted = picture_addresses(session, digests)
    with Fetcher(context.settings) as fetcher:
        for digest, url in wanted:
            problem = fetch_picture(fetcher, files, digest, url)
            with context.sessions.begin() as session:
                settle_picture(session, digest, problem=problem)


def fetch_picture(fetcher: Fetcher, files: PictureFiles, digest: str, url: str) -> str | None:
    """Keep one picture; what was wrong with it, or None."""
    try:
        answer = fetcher.get(url, max_bytes=MOST_BYTES, max_seconds=_SECONDS_A_PICTURE)
        files.keep(digest, encode_picture(answer.expect_ok().body))
    except Click2CartError as error:
        return str(error)
    return None


@dramatiq.actor(max_retries=0, time_limit=600_000, queue_name="upkeep")
def trim_pictures() -> None:
    """Keep the folder of pictures within its limit."""
    context = current()
    with context.sessions.begin() as session:
        forget_unasked_pictures(session)
    forgotten = PictureFiles.at(context.settings.data_dir).forget_oldest(
        context.settings.picture_megabytes * 1_000_000
    )
    if forgotten:
        log.info("%d files of pictures were deleted to keep within the limit", forgotten)
