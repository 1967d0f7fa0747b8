"""Which role may do what: the one table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Literal

Role = Literal["shopper", "seller", "courier", "analyst", "operator", "admin"]
ROLES: tuple[Role, ...] = ("shopper", "seller", "courier", "analyst", "operator", "admin")

Permission = Literal["operate", "manage_accounts"]

PERMISSIONS: Mapping[Permission, frozenset[Role]] = MappingProxyType(
    {
        # See stores, runs and quarantine; ask for crawls.
        "operate": frozenset({"operator", "admin"}),
        # Give and take roles.
        "manage_accounts": frozenset({"admin"}),
    }
)


def may(roles: Iterable[str], permission: Permission) -> bool:
    """Whether any of the roles has the permission; KeyError for a permission that there is not."""
    return not PERMISSIONS[permission].isdisjoint(roles)
