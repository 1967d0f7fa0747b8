"""What a view asks of its visitor: each operators' view declares its permission, `admit` holds it to that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Response, abort, current_app, request, url_for
from flask_babel import gettext as _

from aggregator.accounts.roles import Permission, may
from web import context

View = TypeVar("View", bound=Callable[..., Any])


def needs(permission: Permission) -> Callable[[View], View]:
    """Declare what a view's visitor must be allowed to do; stands between the route and the function."""

    def declare(view: View) -> View:
        view.__dict__["permission"] = permission
        return view

    return declare


def declared_permission(endpoint: str) -> Permission | None:
    """What the endpoint's view declares; None where it says nothing, and then nobody gets in."""
    declared: Permission | None = getattr(current_app.view_functions[endpoint], "permission", None)
    return declared


def admit() -> Response | None:
    """Before every view of an operators' blueprint: strangers may sign in, others without the right are told so."""
    permission = declared_permission(request.endpoint or "")
    account = context.current_account()
    if account is not None and permission is not None and may(account.roles, permission):
        return None
    if account is None and request.method == "GET":
        return context.go_to(url_for("accounts.sign_in_form", next=request.full_path.rstrip("?")))
    if account is not None and may(account.roles, "operate"):
        refusal = _(
            "Only an admin may do this. Nothing was changed; ask an admin to do it or to make you one."
        )
    else:
        refusal = _("These pages are for operators. Sign in with an operator's account.")
    return abort(403, refusal)


def may_do(permission: Permission) -> bool:
    """Whether this browser's account has the permission: templates leave out what would be refused."""
    account = context.current_account()
    return account is not None and may(account.roles, permission)
