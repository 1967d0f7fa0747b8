"""Products' pictures: where a page finds one, and noting those that are not here yet."""

from __future__ import annotations

import re

from flask import Blueprint, Flask, Response, abort, current_app, g, request, url_for

from aggregator.catalog.picture_files import PictureFiles
from aggregator.catalog.pictures import want_pictures
from aggregator.domain.pictures import WIDTHS, picture_digest
from aggregator.settings import Settings
from web.db import current_session
from web.presenters import web_address

pages = Blueprint("pictures", __name__)
_FILES = "click2cart.pictures"


def prepare(app: Flask, settings: Settings) -> None:
    """Let templates ask for pictures."""
    app.extensions[_FILES] = PictureFiles.at(settings.data_dir)
    app.jinja_env.globals.update(photo=photo)
    app.after_request(_note_missing)


@pages.get("/pictures/<digest>-<int:width>.webp")
def show(digest: str, width: int) -> Response:
    """A picture that a worker fetched and made anew; nothing is fetched for this address."""
    found = (
        current_app.extensions[_FILES].find(digest, width)
        if width in WIDTHS and re.fullmatch(r"[0-9a-f]{32}", digest)
        else None
    )
    if found is None:
        abort(404)
    return Response(
        found.read_bytes(),
        mimetype="image/webp",
        headers={"Cache-Control": "public, max-age=31536000, immutable"},
    )


def photo(url: str | None, width: int) -> str | None:
    """The address of our own copy of a product's picture; None, and asked for, where there is none yet."""
    if not web_address(url):
        return None
    assert url is not None
    digest = picture_digest(url)
    if current_app.extensions[_FILES].find(digest, width) is None:
        g.setdefault("missing_pictures", set()).add(url)
        return None
    return url_for("pictures.show", digest=digest, width=width)


def _note_missing(response: Response) -> Response:
    if response.status_code == 200 and request.method == "GET" and "missing_pictures" in g:
        want_pictures(current_session(), g.missing_pictures)
    return response
