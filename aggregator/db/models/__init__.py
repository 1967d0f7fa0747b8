"""Every table, so that importing this package fills the metadata."""

from aggregator.db.models.accounts import (
    AccountRoleRow,
    AccountRow,
    AccountSessionRow,
    AuditEntryRow,
    SignInLinkRow,
)
from aggregator.db.models.carts import CartLineRow, CartRow, CheckoutRow, HandOffRow, RateLimitRow
from aggregator.db.models.offers import (
    OfferCheckRow,
    OfferPriceRow,
    OfferProductRow,
    OfferRow,
    StagedOfferRow,
)
from aggregator.db.models.processes import ProcessRow, QueueRow
from aggregator.db.models.products import MatchLinkRow, MatchReviewRow, MatchVerdictRow, ProductRow
from aggregator.db.models.stores import ProbeRow, QuarantinedOfferRow, RunRow, StoreRow

__all__ = [
    "AccountRoleRow",
    "AccountRow",
    "AccountSessionRow",
    "AuditEntryRow",
    "CartLineRow",
    "CartRow",
    "CheckoutRow",
    "HandOffRow",
    "MatchLinkRow",
    "MatchReviewRow",
    "MatchVerdictRow",
    "OfferCheckRow",
    "OfferPriceRow",
    "OfferProductRow",
    "OfferRow",
    "ProbeRow",
    "ProcessRow",
    "ProductRow",
    "QuarantinedOfferRow",
    "QueueRow",
    "RateLimitRow",
    "RunRow",
    "SignInLinkRow",
    "StagedOfferRow",
    "StoreRow",
]
