"""What a program's token may do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

from aggregator.domain.errors import InvalidInput

Scope = Literal[
    "account:read",
    "cart:read",
    "cart:write",
    "wishlists:read",
    "wishlists:write",
    "alerts:read",
    "alerts:write",
    "purchases:read",
    "purchases:write",
    "operate",
]
SCOPES: tuple[Scope, ...] = get_args(Scope)


def read_scopes(asked: Iterable[str]) -> frozenset[Scope]:
    """The scopes of these names, reading with each writing; raises InvalidInput for none or an unknown one."""
    names = set(asked)
    if not names or not names <= set(SCOPES):
        raise InvalidInput(
            f"unknown scope {min(names - set(SCOPES))!r}" if names else "no scope is chosen",
            place="scopes",
            remedy=f"choose among {', '.join(SCOPES)}",
        )
    names |= {name.replace(":write", ":read") for name in names}
    return frozenset(scope for scope in SCOPES if scope in names)
