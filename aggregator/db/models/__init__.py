"""Every table, so that importing this package fills the metadata."""

from aggregator.db.models.accounts import (
    AccountAddressRow,
    AccountChallengeRow,
    AccountPictureRow,
    AccountRoleRow,
    AccountRow,
    AccountSessionRow,
    ApiTokenRow,
    AppSignInRow,
    AuditEntryRow,
    MailedTokenRow,
    PasskeyRow,
    RecoveryCodeRow,
    RefreshTokenRow,
    SignInLinkRow,
)
from aggregator.db.models.alarms import AlarmRow, NoticeRow
from aggregator.db.models.alerts import AlertEventRow, AlertPositionRow, AlertRow, AlertWishesRow
from aggregator.db.models.carts import (
    CartLineRow,
    CartPlanRow,
    CartRow,
    CheckoutRow,
    HandOffRow,
    RateLimitRow,
)
from aggregator.db.models.crawling import (
    CrawlFrontierRow,
    HostTurnRow,
    OptedOutHostRow,
    PageRow,
    PageVisitRow,
    RobotsFileRow,
    StoreCrawlStateRow,
)
from aggregator.db.models.exchange_rates import ExchangeRateFetchRow, ExchangeRateRow
from aggregator.db.models.live_checks import LiveCheckOfferRow, LiveCheckRow
from aggregator.db.models.offers import (
    OfferCheckRow,
    OfferPriceRow,
    OfferProductRow,
    OfferRow,
    StagedOfferRow,
)
from aggregator.db.models.processes import ProcessRow, QueueRow
from aggregator.db.models.products import (
    MatchLinkRow,
    MatchReviewRow,
    MatchVerdictRow,
    OfferRelationRow,
    ProductRow,
)
from aggregator.db.models.purchases import (
    HandOffEventRow,
    PastedLineRow,
    PastedListRow,
    SharedBasketRow,
)
from aggregator.db.models.requests import RepeatedRequestRow
from aggregator.db.models.search import SearchChangeRow
from aggregator.db.models.shop_window import CategoryRuleRow, PictureRow, PriceDropRow
from aggregator.db.models.stores import (
    ProbeRow,
    QuarantinedOfferRow,
    RunLogRow,
    RunRow,
    StoreOfferCountRow,
    StoreRow,
)
from aggregator.db.models.wishlists import WishlistItemRow, WishlistRow

__all__ = [
    "AccountAddressRow",
    "AccountChallengeRow",
    "AccountPictureRow",
    "AccountRoleRow",
    "AccountRow",
    "AccountSessionRow",
    "AlarmRow",
    "AlertEventRow",
    "AlertPositionRow",
    "AlertRow",
    "AlertWishesRow",
    "ApiTokenRow",
    "AppSignInRow",
    "AuditEntryRow",
    "CartLineRow",
    "CartPlanRow",
    "CartRow",
    "CategoryRuleRow",
    "CheckoutRow",
    "CrawlFrontierRow",
    "ExchangeRateFetchRow",
    "ExchangeRateRow",
    "HandOffEventRow",
    "HandOffRow",
    "HostTurnRow",
    "LiveCheckOfferRow",
    "LiveCheckRow",
    "MailedTokenRow",
    "MatchLinkRow",
    "MatchReviewRow",
    "MatchVerdictRow",
    "NoticeRow",
    "OfferCheckRow",
    "OfferPriceRow",
    "OfferProductRow",
    "OfferRelationRow",
    "OfferRow",
    "OptedOutHostRow",
    "PageRow",
    "PageVisitRow",
    "PasskeyRow",
    "PastedLineRow",
    "PastedListRow",
    "PictureRow",
    "PriceDropRow",
    "ProbeRow",
    "ProcessRow",
    "ProductRow",
    "QuarantinedOfferRow",
    "QueueRow",
    "RateLimitRow",
    "RecoveryCodeRow",
    "RefreshTokenRow",
    "RepeatedRequestRow",
    "RobotsFileRow",
    "RunLogRow",
    "RunRow",
    "SearchChangeRow",
    "SharedBasketRow",
    "SignInLinkRow",
    "StagedOfferRow",
    "StoreCrawlStateRow",
    "StoreOfferCountRow",
    "StoreRow",
    "WishlistItemRow",
    "WishlistRow",
]
