"""Styles, scripts and drawings go out compressed. Pages do not: they hold form tokens beside what a visitor typed."""

from __future__ import annotations

import gzip
from functools import lru_cache

from flask import Flask, Response, request

from aggregator.settings import Settings

_KINDS = frozenset({"text/css", "text/javascript", "application/javascript", "image/svg+xml"})
# A smaller file fits a packet as it is.
_LEAST = 1_000


def prepare(app: Flask, _settings: Settings) -> None:
    """Compress static text for browsers that take it."""
    app.after_request(_compressed)


def _compressed(response: Response) -> Response:
    if request.endpoint != "static" or response.mimetype not in _KINDS:
        return response
    response.vary.add("Accept-Encoding")
    is_whole = response.status_code == 200 and request.method == "GET" and "Range" not in request.headers
    if not is_whole or not request.accept_encodings["gzip"]:
        return response
    response.direct_passthrough = False
    content = response.get_data()
    if len(content) >= _LEAST:
        response.set_data(_gzip(content))
        response.headers["Content-Encoding"] = "gzip"
        etag, _is_weak = response.get_etag()
        if etag:
            response.set_etag(f"{etag}-gzip")
    return response


@lru_cache(maxsize=100)
def _gzip(content: bytes) -> bytes:
    return gzip.compress(content, 9, mtime=0)
