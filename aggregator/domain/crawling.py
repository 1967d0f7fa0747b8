"""What a crawl plans and finds out page by page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

# "read": fetched and read; "unchanged": 304, or the same bytes as before; "barren": it answered, but with nothing that
# is an offer (an empty page, a captcha, a redirect to elsewhere, more than we take); "gone": 404 or 410; "refused":
# closed to us by robots.txt or its owner's wish; "failed": no answer that could be used.
VisitOutcome = Literal["read", "unchanged", "barren", "gone", "refused", "failed"]
_LONGEST = 500


@dataclass(frozen=True, slots=True)
class Validators:
    """What a server gave to ask again by: RFC 9110's ETag and Last-Modified."""

    etag: str | None = None
    last_modified: str | None = None

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Validators:
        """Those of an answer (header names in lower case); unusable ones are left out."""
        return cls(_usable(headers.get("etag")), _usable(headers.get("last-modified")))

    def headers(self) -> dict[str, str]:
        """The headers of a conditional request; none where nothing is known."""
        found = {}
        if self.etag:
            found["If-None-Match"] = self.etag
        if self.last_modified:
            found["If-Modified-Since"] = self.last_modified
        return found


NO_VALIDATORS = Validators()


def _usable(value: str | None) -> str | None:
    if not value or len(value) > _LONGEST or not value.isascii() or not value.isprintable():
        return None
    return value


@dataclass(frozen=True, slots=True)
class ListedPage:
    """A page as a sitemap lists it; `lastmod` is the sitemap's own text."""

    url: str
    lastmod: str | None = None


@dataclass(frozen=True, slots=True)
class KnownSitemap:
    """A sitemap that was read to its end before; `children` are the sitemaps that an index named."""

    url: str
    validators: Validators = NO_VALIDATORS
    children: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FeedVisit:
    """A feed that was read to its end, or answered that it is as it was; `validators` are for the next time."""

    url: str
    validators: Validators
    is_unchanged: bool


@dataclass(frozen=True, slots=True)
class PlannedPage:
    """A page to fetch, and how to ask whether it changed; `body_digest` is of the body that was read last."""

    position: int
    url: str
    validators: Validators = NO_VALIDATORS
    body_digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageVisit:
    """What came of one planned page. `holds` are the keys of its offers, digests are hexadecimal."""

    position: int
    outcome: VisitOutcome
    validators: Validators = NO_VALIDATORS
    body_digest: str | None = None
    price_digest: str | None = None
    holds: tuple[str, ...] = field(default=())
