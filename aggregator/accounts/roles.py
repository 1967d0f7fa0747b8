"""Which role may do what: the one table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Literal

Role = Literal["shopper", "seller", "courier", "analyst", "operator", "admin"]
ROLES: tuple[Role, ...] = ("shopper", "seller", "courier", "analyst", "operator", "admin")
# Who runs the place; taking one of these away ends the account's sessions.
STAFF_ROLES: tuple[Role, ...] = ("operator", "admin")

Permission = Literal["operate", "manage_stores", "manage_accounts"]

PERMISSIONS: Mapping[Permission, frozenset[Role]] = MappingProxyType(
    {
        # See everything that is run; ask for crawls, plan, pause and cancel them; change a store's settings but
        # its secrets; settle held runs, quarantine, alarms and doubtful pairs.
        "operate": frozenset({"operator", "admin"}),
        # Remove a store with its offers, change its secrets, import settings.
        "manage_stores": frozenset({"admin"}),
        # Invite operators and admins, and take their roles away.
        "manage_accounts": frozenset({"admin"}),
    }
)


def may(roles: Iterable[str], permission: Permission) -> bool:
    """Whether any of the roles has the permission; KeyError for a permission that there is not."""
    return not PERMISSIONS[permission].isdisjoint(roles)
