"""Which platform a site runs on: who may ask, in which order, and whom to believe."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aggregator.domain.stores import NOT_DETECTED, Detection, Page
from aggregator.fetching import Fetcher
from aggregator.platforms import StorePlatform, installed_platforms
from spiders.fingerprints import Recognised
from spiders.probe_evidence import MOST_REQUESTS, Turn
from spiders.technologies import READABLE, TECHNOLOGIES

# Below this the honest answer is "unknown".
SURE = 0.6
_CERTAIN = 0.95
_GENERIC = "generic"
_FEED = "merchant_feed"
# What reading page by page needs at least: the sitemap, perhaps one of its parts, one product.
_FOR_PAGES = 3
_HINTED_TURN = 4
_UNHINTED_TURN = 1
# An API may want its question asked by GET or by POST.
_HEADLESS_TURN = 2
# Servers without a storefront of their own, told by their API alone.
_HEADLESS = ("vendure", "medusa", "saleor")
_READABLE = {technology.platform for technology in READABLE}
_FRONT_ENDS = {technology.name for technology in TECHNOLOGIES if technology.role == "frontend"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The platform, None where nothing is sure, with the best evidence there is."""

    platform: StorePlatform | None
    detection: Detection


def find_platform(fetcher: Fetcher, home: Page, recognised: list[Recognised]) -> Verdict:
    """Ask the platforms in the order in which their marks weigh; product pages of no known platform come after them.

    All share the fetcher's budget. A platform without a mark gets one request at most, and none before product pages
    were tried where there are pages.
    """
    best = Verdict(None, NOT_DETECTED)
    for turn in _turns(fetcher, home, recognised):
        is_settled = best.platform is not None and (
            not turn.is_marked or best.detection.confidence >= _CERTAIN
        )
        if is_settled:
            # A platform's own protocol reads more than pages do, and guessing on gains nothing.
            break
        detection = turn.platform.detect(Turn(fetcher, home, allowance=turn.allowance))
        if detection.confidence > best.detection.confidence:
            best = Verdict(turn.platform if detection.confidence >= SURE else None, detection)
    return best


@dataclass(frozen=True, slots=True)
class _PlatformTurn:
    platform: StorePlatform
    allowance: int
    is_marked: bool


def _turns(fetcher: Fetcher, home: Page, recognised: list[Recognised]) -> Iterator[_PlatformTurn]:
    installed = installed_platforms()
    weights = {one.technology.platform: one.weight for one in recognised if one.technology.platform}
    hinted = sorted((name for name in weights if name in installed), key=lambda name: (-weights[name], name))
    made_with = {one.technology.name for one in recognised}
    has_pages = home.status == 200 and "<" in home.text[:2000]
    if _FEED in installed and _FEED not in hinted:
        # The address may be a feed itself, which costs nothing to see.
        yield _PlatformTurn(installed[_FEED], 0, is_marked=True)
    for name in hinted:
        yield _PlatformTurn(installed[name], _HINTED_TURN, is_marked=True)
    for name, platform in installed.items():
        if name not in _READABLE and name != _GENERIC:
            yield _PlatformTurn(platform, _spare(fetcher, has_pages=has_pages), is_marked=True)
    if "wordpress" in made_with and "woocommerce" in installed and "woocommerce" not in hinted:
        allowance = _spare(fetcher, has_pages=has_pages)
        yield _PlatformTurn(installed["woocommerce"], allowance, is_marked=True)
    if has_pages and _GENERIC in installed:
        yield _PlatformTurn(installed[_GENERIC], MOST_REQUESTS, is_marked=False)
    for name in _blind(made_with, has_pages=has_pages):
        if name in installed and name not in hinted:
            allowance = _UNHINTED_TURN if has_pages else _HEADLESS_TURN
            yield _PlatformTurn(installed[name], allowance, is_marked=False)


def _blind(made_with: set[str], *, has_pages: bool) -> list[str]:
    """Which platforms to ask though they left no mark: those that such a site may hide."""
    hidden = _HEADLESS if made_with & _FRONT_ENDS or not has_pages or not made_with else ()
    return [*hidden, *(() if made_with else ("shopify",)), _FEED]


def _spare(fetcher: Fetcher, *, has_pages: bool) -> int:
    """What a platform that left no mark may ask: one request, as long as enough is left for the pages."""
    left = MOST_REQUESTS - fetcher.requests
    return _UNHINTED_TURN if left > (_FOR_PAGES if has_pages else 0) else 0
