"""What a guest gathered comes along when they sign in."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from aggregator.settings import Settings
from aggregator.shopping.account_carts import ensure_account_cart, merge_cart
from aggregator.shopping.wishlists import merge_default_lists


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestTokens:
    """What a guest's browser holds."""

    cart: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """How many things came into the account."""

    cart_lines: int = 0


def merge_guest(session: Session, settings: Settings, account_id: int, guest: GuestTokens) -> Merged:
    """Put all that a guest gathered into the account: sums, no duplicates, nothing lost; twice does nothing more."""
    merged = Merged(cart_lines=merge_cart(session, settings, account_id, guest.cart))
    merge_default_lists(session, ensure_account_cart(session, settings, account_id))
    return merged
