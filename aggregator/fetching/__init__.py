"""The one guarded fetcher: every address that a store or a person gave is fetched through here."""

from aggregator.fetching.answers import Answer
from aggregator.fetching.fetcher import Fetcher, user_agent
from aggregator.fetching.guard import AddressGuard
from aggregator.fetching.patience import retry_after_seconds
from aggregator.fetching.politeness import AGENT, Politeness, RobotsRules

__all__ = [
    "AGENT",
    "AddressGuard",
    "Answer",
    "Fetcher",
    "Politeness",
    "RobotsRules",
    "retry_after_seconds",
    "user_agent",
]
