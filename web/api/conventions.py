"""What holds for every request to the API: how many, from which sites, how long a query may take."""

from __future__ import annotations

from flask import Flask, Response, g, request
from flask_babel import gettext as _

from aggregator.accounts.rate_limits import Limit
from aggregator.settings import Settings
from web import context
from web.db import current_session, limit_statements
from web.errors import problem

_WINDOW = 60
_STATEMENT_SECONDS = 10
_DAY = "86400"
# A page says for whom it was drawn, so that what was pressed there never reaches a stranger's cart.
_MEANT_FOR = "Click2Cart-Account"
_EXPOSED = "ETag, Idempotency-Replayed, Link, Location, RateLimit, RateLimit-Policy, Retry-After"
_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
_ASKED = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match"


def prepare(app: Flask, settings: Settings) -> None:
    """Count requests, bound their queries, and let pages of the named sites read the answers."""
    limit = Limit("api", settings.api_requests, _WINDOW)

    @app.before_request
    def begin() -> Response | None:
        if not request.path.startswith("/api/"):
            return None
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            return Response(status=204)
        account = context.current_account()
        subject = f"account {account.account_id}" if account else context.client() or ""
        g.allowance = context.rate_limits().count(current_session(), limit, subject)
        limit_statements(_STATEMENT_SECONDS)
        meant_for = request.headers.get(_MEANT_FOR)
        if meant_for and request.method not in {"GET", "HEAD"} and (not account or account.id != meant_for):
            return problem(401, _("This was meant for an account that is not signed in here any more."))
        return None

    @app.after_request
    def tell(response: Response) -> Response:
        if not request.path.startswith("/api/"):
            return response
        response.headers["RateLimit-Policy"] = f'"api";q={limit.attempts};w={limit.seconds}'
        if "allowance" in g:
            response.headers["RateLimit"] = f'"api";r={g.allowance.left};t={g.allowance.seconds}'
        elif response.status_code == 429:
            response.headers["RateLimit"] = f'"api";r=0;t={response.headers["Retry-After"]}'
        response.vary.add("Origin")
        if request.headers.get("Origin") in settings.api_origins:
            # Never with cookies: such a page speaks for whoever gave it a token, not for whoever looks at it.
            response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
            response.headers["Access-Control-Expose-Headers"] = _EXPOSED
            if request.method == "OPTIONS":
                response.headers["Access-Control-Allow-Methods"] = _METHODS
                response.headers["Access-Control-Allow-Headers"] = _ASKED
                response.headers["Access-Control-Max-Age"] = _DAY
        return response
