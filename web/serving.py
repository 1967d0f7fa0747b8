"""What the production server loads in each of its processes."""

from __future__ import annotations

import atexit
from contextlib import ExitStack

from flask import Flask

from aggregator.settings import Settings
from web import create_app
from web.db import database


def application() -> Flask:
    """The site on the database that the environment names."""
    settings = Settings.from_env()
    leaving = ExitStack()
    atexit.register(leaving.close)
    return create_app(settings, leaving.enter_context(database(settings)))
