"""The site: create_app() puts pages, the read API and their guards together."""

from __future__ import annotations

from flask import Flask

from aggregator.settings import Settings
from web import (
    api,
    category_tree,
    compression,
    context,
    db,
    errors,
    health,
    metrics,
    permissions,
    pictures,
    presenters,
    search_place,
    security,
    told,
    translations,
)
from web.api import conventions
from web.pages import (
    account_data,
    account_security,
    accounts,
    add_store,
    addresses,
    alert_channels,
    alerts,
    api_docs,
    cart_options,
    carts,
    categories,
    checkouts,
    compare,
    design,
    drops,
    feeds,
    home,
    inbox,
    installation,
    languages,
    matches,
    operations,
    operations_categories,
    operations_quarantine,
    operations_runs,
    operations_settings,
    operations_stores,
    operations_system,
    passkey_sign_in,
    pasted_lists,
    phone_sign_in,
    products,
    profile,
    purchases,
    registration,
    search,
    shared_baskets,
    site_map,
    stores,
    wishlists,
)
from web.proxies import TrustedProxies

__all__ = ["create_app"]


def create_app(settings: Settings, sessions: db.Sessions) -> Flask:
    """The WSGI application, serving from these settings and database sessions."""
    app = Flask(__name__)
    app.url_map.strict_slashes = False  # people type /cart/ too
    app.config.update(
        SECRET_KEY=security.secret_key(settings),
        SESSION_COOKIE_NAME="click2cart_form",
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.secure_cookies,
        MAX_CONTENT_LENGTH=1_000_000,
        # A form stays usable as long as the session it belongs to: a cart page may lie open over night.
        WTF_CSRF_TIME_LIMIT=None,
    )
    app.wsgi_app = TrustedProxies(app.wsgi_app, settings.trusted_proxies)  # type: ignore[method-assign]  # as Flask documents it
    db.prepare(app, sessions)
    for part in (
        metrics,
        context,
        errors,
        presenters,
        translations,
        told,
        pictures,
        category_tree,
        search_place,
        installation,
        compression,
        security,
        conventions,
        permissions,
    ):
        part.prepare(app, settings)
    for blueprint in (
        home,
        search,
        products,
        categories,
        compare,
        drops,
        feeds,
        site_map,
        design,
        languages,
        installation,
        carts,
        cart_options,
        checkouts,
        purchases,
        shared_baskets,
        pasted_lists,
        wishlists,
        alerts,
        alert_channels,
        stores,
        accounts,
        registration,
        phone_sign_in,
        passkey_sign_in,
        profile,
        addresses,
        account_security,
        account_data,
        inbox,
        api_docs,
        operations,
        add_store,
        matches,
        operations_runs,
        operations_stores,
        operations_settings,
        operations_categories,
        operations_quarantine,
        operations_system,
    ):
        app.register_blueprint(blueprint.pages)
    app.register_blueprint(pictures.pages)
    app.register_blueprint(health.probes)
    app.register_blueprint(metrics.resource)
    api.prepare(app, settings)
    return app
