"""The guard under Scrapy: names are resolved and checked here, and only checked addresses are connected to."""

from __future__ import annotations

import ipaddress
import logging
from typing import TYPE_CHECKING, Any, Self

from scrapy.resolver import HostResolution
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IHostnameResolver
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from zope.interface import implementer  # type: ignore[import-untyped]  # ships no types

from aggregator.fetching import AddressGuard
from aggregator.settings import Settings

if TYPE_CHECKING:
    from scrapy.crawler import Crawler

logger = logging.getLogger(__name__)


def guard_of(crawler: Crawler) -> AddressGuard:
    """The address guard by the settings that the crawl was started with."""
    return AddressGuard(app_settings_of(crawler))


def app_settings_of(crawler: Crawler) -> Settings:
    """The settings that the crawl was started with."""
    settings = crawler.settings.get("CLICK2CART_SETTINGS")
    return settings if isinstance(settings, Settings) else Settings.from_env()


@implementer(IHostnameResolver)
class GuardedResolver:
    """Gives Twisted the checked addresses of a host, or none at all."""

    def __init__(self, reactor: Any, guard: AddressGuard) -> None:
        self._reactor = reactor
        self._guard = guard

    @classmethod
    def from_crawler(cls, crawler: Crawler, reactor: Any) -> Self:
        """As Scrapy builds its resolvers."""
        return cls(reactor, guard_of(crawler))

    def install_on_reactor(self) -> None:
        """Every connection by name, and by IP address too, asks here from now on."""
        self._reactor.installNameResolver(self)

    def resolveHostName(
        self,
        resolutionReceiver: Any,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Any = None,
        transportSemantics: str = "TCP",
    ) -> HostResolution:
        """Resolve in a thread; a refused host resolves to nothing, and the request fails."""
        resolution = HostResolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)

        def deliver(found: list[str]) -> None:
            for text in found:
                kind = IPv6Address if ipaddress.ip_address(text).version == 6 else IPv4Address
                resolutionReceiver.addressResolved(kind("TCP", text, portNumber))
            resolutionReceiver.resolutionComplete()

        def give_up(failure: Failure) -> None:
            logger.info("%s:%s is not connected to: %s", hostName, portNumber, failure.value)
            resolutionReceiver.resolutionComplete()

        pool = self._reactor.getThreadPool()
        deferToThreadPool(self._reactor, pool, self._guard.resolve, hostName, portNumber).addCallbacks(
            deliver, give_up
        )
        return resolution
