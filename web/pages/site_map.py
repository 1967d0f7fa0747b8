"""What search engines ask for: robots.txt and sitemaps of our own pages."""

from __future__ import annotations

from collections.abc import Iterable
from xml.sax.saxutils import escape

from flask import Blueprint, Response, abort, url_for

from aggregator.catalog.site_maps import count_parts, list_part
from aggregator.catalog.stores import list_stores
from aggregator.domain.taxonomy import categories
from web.db import current_session
from web.structured_data import absolute

pages = Blueprint("site_map", __name__)
# Pages of one visitor, and searches without end.
_NOT_FOR_ROBOTS = (
    "/account", "/api/", "/cart", "/checkout", "/compare", "/feeds/", "/lists", "/login", "/operations", "/purchases",
    "/recover", "/register", "/search?", "/shared/",
)  # fmt: skip
_NAMESPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"


@pages.get("/robots.txt")
def robots() -> Response:
    """What robots may read."""
    lines = ["User-agent: *", *(f"Disallow: {path}" for path in _NOT_FOR_ROBOTS)]
    return Response(
        "\n".join([*lines, "", f"Sitemap: {absolute(url_for('site_map.index'))}", ""]), mimetype="text/plain"
    )


@pages.get("/sitemap.xml")
def index() -> Response:
    """The parts of the sitemap."""
    parts = [url_for("site_map.general")]
    parts += [url_for("site_map.products", number=number) for number in range(count_parts(current_session()))]
    return _document("sitemapindex", "sitemap", ((path, None) for path in parts))


@pages.get("/sitemaps/pages.xml")
def general() -> Response:
    """Home, categories and stores."""
    paths = [
        url_for("home.show"),
        url_for("categories.index"),
        url_for("drops.show"),
        url_for("stores.index"),
    ]
    paths += [url_for("categories.show", key=key) for key in categories()]
    paths += [
        url_for("stores.show", slug=store.slug) for store in list_stores(current_session()) if store.is_active
    ]
    return _document("urlset", "url", ((path, None) for path in paths))


@pages.get("/sitemaps/products-<int:number>.xml")
def products(number: int) -> Response:
    """The product pages of one part."""
    if number >= count_parts(current_session()):
        abort(404)
    return _document(
        "urlset",
        "url",
        (
            (
                f"/products/{page.id}-{page.slug}" if page.slug else f"/products/{page.id}",
                page.updated_at.date().isoformat(),
            )
            for page in list_part(current_session(), number)
        ),
    )


def _document(root: str, element: str, places: Iterable[tuple[str, str | None]]) -> Response:
    base = absolute("")
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f'<{root} xmlns="{_NAMESPACE}">']
    for path, changed in places:
        when = f"<lastmod>{changed}</lastmod>" if changed else ""
        lines.append(f"<{element}><loc>{escape(base + path)}</loc>{when}</{element}>")
    return Response("\n".join([*lines, f"</{root}>", ""]), mimetype="application/xml")
