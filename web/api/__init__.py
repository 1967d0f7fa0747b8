"""The API: one module per noun, all of them described by their own declarations.

What holds for every request (`conventions`) stands before the permissions, so that what is refused counts too.
"""

from __future__ import annotations

from flask import Flask

from aggregator.settings import Settings
from web.api.v1 import (
    alert_channels,
    alerts,
    auth,
    carts,
    documents,
    hand_offs,
    products,
    purchases,
    stores,
    wishlists,
)


def prepare(app: Flask, _settings: Settings) -> None:
    """Add the resources."""
    for resource in (
        products,
        stores,
        carts,
        hand_offs,
        purchases,
        wishlists,
        alerts,
        alert_channels,
        auth,
        documents,
    ):
        app.register_blueprint(resource.resources)
    app.register_blueprint(carts.plans)
