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
_BROWSERS_KEEP = 86_400


def prepare(app: Flask, settings: Settings) -> None:
    """Let templates ask for pictures."""
    app.extensions[_FILES] = PictureFiles.at(settings.data_dir)
    app.jinja_env.globals.update(photo=photo)
    app.after_request(_note_wanted)


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
    response = Response(found.path.read_bytes(), mimetype="image/webp")
    # Its address stays when the store changes the picture: a browser asks again after a day, mostly for nothing.
    response.cache_control.public, response.cache_control.max_age = True, _BROWSERS_KEEP
    response.add_etag()
    response.make_conditional(request)
    return response


def photo(url: str | None, width: int) -> str | None:
    """The address of our own copy of a product's picture; None where there is none yet.

    What is missing is asked for, and what is old is asked for anew.
    """
    if not web_address(url):
        return None
    assert url is not None
    digest = picture_digest(url)
    found = current_app.extensions[_FILES].find(digest, width)
    if found is None or found.is_old:
        g.setdefault("wanted_pictures", set()).add(url)
    return None if found is None else url_for("pictures.show", digest=digest, width=width)


def _note_wanted(response: Response) -> Response:
    if response.status_code == 200 and request.method == "GET" and "wanted_pictures" in g:
        want_pictures(current_session(), g.wanted_pictures)
    return response
