"""The guards of every request: Host, CSRF, the response headers, and the key that signs cookies."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from flask import Flask, Response, abort, g, request
from flask_wtf.csrf import CSRFProtect

from aggregator import secrets
from aggregator.settings import Settings
from web import context

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})

# Bytes that forms with a file may have; all others have the application's MAX_CONTENT_LENGTH.
LARGER_UPLOADS = {"profile.set_own_picture": 10_000_000}
# Posted by mail programs for their readers; a signature in the address says that nobody made it up.
SIGNED_LINKS = frozenset({"alerts.stop"})


def prepare(app: Flask, settings: Settings) -> None:
    """Put the guards before and after every request."""
    allowed = LOOPBACK_NAMES | settings.allowed_hosts

    @app.before_request
    def refuse_foreign_hosts() -> tuple[str, int, dict[str, str]] | None:
        # A page of another site can make its own name point here (DNS rebinding); it cannot change the
        # Host header. No page is drawn for such a name, since its links would lead there.
        if host_name(request.environ.get("HTTP_HOST", "")) in allowed:
            return None
        text = (
            "This site does not answer to that name. The operator can add it to CLICK2CART_ALLOWED_HOSTS.\n"
        )
        return text, 400, {"Content-Type": "text/plain; charset=utf-8"}

    @app.before_request
    def let_pictures_in() -> None:
        if request.endpoint in LARGER_UPLOADS:
            request.max_content_length = LARGER_UPLOADS[request.endpoint]

    @app.before_request
    def refuse_null_characters() -> None:
        # PostgreSQL has no text with them, so nothing that holds one can be found or kept.
        values = (text for pairs in (request.args, request.form) for _name, text in pairs.items(multi=True))
        if "\0" in request.path or any("\0" in text for text in values):
            abort(400)

    # Asked for below: programs that use the API hold no form.
    app.config["WTF_CSRF_CHECK_DEFAULT"] = False
    forms = CSRFProtect(app)

    @app.before_request
    def refuse_forged_requests() -> None:
        if request.endpoint in SIGNED_LINKS:
            return
        if not request.path.startswith("/api/"):
            forms.protect()
        elif request.method not in {"GET", "HEAD", "OPTIONS"} and _comes_from_elsewhere(settings):
            abort(403, "Pages of other sites may not do this in a visitor's name.")

    @app.after_request
    def guard(response: Response) -> Response:
        headers = {
            "Content-Security-Policy": content_security_policy(g.get("form_targets", ())),
            "Cross-Origin-Opener-Policy": "same-origin",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
            "Referrer-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
        }
        if settings.secure_cookies:
            headers["Strict-Transport-Security"] = "max-age=31536000"
        if request.endpoint == "static":
            if "v" in request.args and response.status_code == 200:
                headers["Cache-Control"] = "public, max-age=31536000, immutable"
        elif not response.cache_control.public:
            response.vary.add("Cookie")
            headers["Cache-Control"] = response.headers.get("Cache-Control", "private, no-cache")
        response.headers.update(headers)
        return response


def _comes_from_elsewhere(settings: Settings) -> bool:
    """Whether a page of another site makes this request: browsers say whose page asks, and no page can change that.

    Programs say nothing, and nobody can send them here with cookies that are not theirs.
    """
    origin = request.headers.get("Origin")
    if origin is None:
        return request.headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"}
    own = {request.host, urlsplit(settings.site_url).netloc} - {""}
    # A page of a named site speaks by its token alone: without one it would speak by the visitor's cookies.
    speaks_by_token = origin in settings.api_origins and context.bearer_token() is not None
    return urlsplit(origin).netloc not in own and not speaks_by_token


def secret_key(settings: Settings) -> bytes:
    """The key that signs cookies, derived from the installation's one secret."""
    return secrets.derived_key(settings, "cookies")


def host_name(host: str) -> str:
    """The name in a Host header, lower case, without the port: "[::1]:5000" -> "[::1]"."""
    name, colon, port = host.rpartition(":")
    if not colon or "]" in port:
        return host.lower()
    return name.lower() if port.isdigit() or not port else ""


def content_security_policy(form_targets: Iterable[str] = ()) -> str:
    """The policy of a page: everything from this site, no inline scripts or styles, framed by nobody."""
    forms = " ".join(["'self'", *form_targets])
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "worker-src 'self'; manifest-src 'self'; "
        f"form-action {forms}; base-uri 'none'; frame-ancestors 'none'"
    )


def let_forms_lead_to(addresses: Iterable[str]) -> None:
    """Let this page's forms be answered with a redirect to these stores.

    Browsers hold redirects of a form to `form-action` too. Only origins pass, never a path or a wildcard.
    """
    parts = [urlsplit(address) for address in addresses]
    g.form_targets = sorted(
        {f"{part.scheme}://{part.netloc}" for part in parts if is_plain_origin(part.netloc)}
    )


def is_plain_origin(netloc: str) -> bool:
    """Whether this is a host with at most a port, fit to stand in a response header."""
    return (
        bool(netloc) and all(letter.isalnum() or letter in ".-:[]" for letter in netloc) and netloc.isascii()
    )
