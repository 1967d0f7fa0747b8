"""The site as an application of its own: its manifest, its service worker, and the page without a network."""

from __future__ import annotations

import json
from pathlib import Path

from flask import Blueprint, Flask, Response, current_app, render_template, request, session, url_for
from flask_babel import gettext as _

from aggregator.settings import Settings
from web.presenters import asset, page_language

pages = Blueprint("installation", __name__)
# Pages that a browser may keep to show them again without a network; nothing of accounts or operations is among them.
KEPT_PAGES = frozenset({"home.show", "products.show", "carts.show", "wishlists.index", "wishlists.show"})
# What every page takes, so that the page without a network looks like the others. Modules import some by plain names.
_VERSIONED = (
    "css/foundations.css", "css/components.css", "css/pages.css", "css/shop-window.css", "css/search.css",
    "css/toasts.css", "img/icon.svg", "img/symbols.svg", "js/theme.js", "js/site.js", "js/suggestions.js",
    "js/cart-everywhere.js", "js/installation.js",
)  # fmt: skip
_IMPORTED = ("js/hearts.js", "js/outbox.js", "js/tabs.js", "js/toasts.js")


def prepare(app: Flask, _settings: Settings) -> None:
    """Mark the answers that may be kept."""
    app.after_request(_mark)


@pages.get("/manifest.webmanifest")
def manifest() -> Response:
    """What an installed site is called and looks like (W3C Web Application Manifest)."""
    icons = [
        (192, "any", "icon-192.png"),
        (512, "any", "icon-512.png"),
        (512, "maskable", "icon-maskable.png"),
    ]
    described = {
        "id": url_for("home.show"),
        "name": "Click2Cart",
        "short_name": "Click2Cart",
        "description": _("One cart for all stores, and the cheapest way to buy it."),
        "lang": page_language(),
        "start_url": url_for("home.show"),
        "scope": url_for("home.show"),
        "display": "standalone",
        "background_color": "#f5f6f9",
        "theme_color": "#2e48c6",
        "icons": [
            {"src": asset(f"img/{name}"), "sizes": f"{size}x{size}", "type": "image/png", "purpose": purpose}
            for size, purpose, name in icons
        ],
        "shortcuts": [
            {"name": _("Cart"), "url": url_for("carts.show")},
            {"name": _("Wishlists"), "url": url_for("wishlists.index")},
        ],
    }
    return Response(json.dumps(described), mimetype="application/manifest+json")


@pages.get("/service-worker.js")
def service_worker() -> Response:
    """The worker; it is another one for browsers as soon as any file that it keeps is."""
    installed = {
        "base": request.script_root,
        "offline": url_for("installation.offline"),
        "files": [asset(name) for name in _VERSIONED]
        + [url_for("static", filename=name) for name in _IMPORTED],
        "imported": [asset(name) for name in _IMPORTED],
        "icon": asset("img/icon-192.png"),
    }
    source = Path(current_app.static_folder or "", "js", "service-worker.js").read_text("utf-8")
    return Response(f"const INSTALLED = {json.dumps(installed)};\n{source}", mimetype="text/javascript")


@pages.get("/offline")
def offline() -> str:
    """Shown where there is no network and the page was never seen."""
    return render_template("installation/offline.html")


def _mark(response: Response) -> Response:
    if request.endpoint not in KEPT_PAGES or response.status_code != 200:
        return response  # asking for the session would make even a style sheet one visitor's own
    if not session.modified and "Set-Cookie" not in response.headers:
        response.headers["Offline-Copy"] = "keep"
    return response
