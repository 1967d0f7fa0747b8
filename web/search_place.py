"""The search index as this process reads it: opened once, looked at anew by each request."""

from __future__ import annotations

from flask import Flask, current_app

from aggregator.catalog.search_index import IndexPlace, SearchIndex
from aggregator.settings import Settings

_INDEX = "click2cart.search"


def prepare(app: Flask, settings: Settings) -> None:
    """Let views search."""
    app.extensions[_INDEX] = SearchIndex(IndexPlace.at(settings.data_dir, settings.country))


def search_index() -> SearchIndex:
    """The index of this application."""
    index: SearchIndex = current_app.extensions[_INDEX]
    return index
