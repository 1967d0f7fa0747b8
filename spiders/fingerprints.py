"""Recognising what software a page was made with, from its headers, cookies, addresses and scripts, never its words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from selectolax.lexbor import LexborHTMLParser

from aggregator.domain.stores import Page, Signal
from spiders.html_trees import is_too_deep, is_too_wide

_MOST_HTML = 3_000_000
_MOST_ELEMENTS = 600
_MOST_SCRIPT = 400_000
# Two weak marks reach it, or a strong one; one weak mark alone never does.
RECOGNISED = 0.5

Place = Literal["header", "cookie", "meta", "asset", "script", "element"]
# A shop sells by itself, an embed inside of another site; a site may sell, and a frontend hides what does.
Role = Literal["shop", "embed", "site", "frontend"]


@dataclass(frozen=True, slots=True)
class Mark:
    """One mark of a software. `weight` is how much it alone says (0..1).

    `sought` is a regular expression: in a header it reads "name: value", in a meta element "name=content"; for an
    element it is a CSS selector.
    """

    place: Place
    sought: str
    weight: float


@dataclass(frozen=True, slots=True)
class Technology:
    """A software by its marks. `platform` is the store platform that reads it by its own protocol, if there is one."""

    name: str
    title: str
    role: Role
    marks: tuple[Mark, ...]
    platform: str | None = None


@dataclass(frozen=True, slots=True)
class Recognised:
    """A technology with the weight of all its marks together (0..1) and what was seen where."""

    technology: Technology
    weight: float
    signals: tuple[Signal, ...]


def _parsed(page: Page) -> LexborHTMLParser:
    """The page as a tree; an empty one where parsing would not come to an end."""
    html = page.text[:_MOST_HTML].replace("\x00", "")
    return LexborHTMLParser("" if is_too_deep(html) or is_too_wide(html) else html)


class PageMarks:
    """What of a page carries marks, looked up once for all technologies."""

    def __init__(self, page: Page) -> None:
        self._page = page

    @cached_property
    def _tree(self) -> LexborHTMLParser:
        return _parsed(self._page)

    @cached_property
    def _texts(self) -> Mapping[str, list[str]]:
        headers = [f"{name}: {value[:2000]}" for name, value in self._page.headers.items()]
        cookies = re.findall(r"(?:^|[,\n]\s*)([\w.%-]{2,80})=", self._page.headers.get("set-cookie", ""))
        return {"header": headers, "cookie": cookies, **self._of_markup()}

    def _of_markup(self) -> dict[str, list[str]]:
        metas = [
            f"{(meta.get('name') or meta.get('id') or '').lower()}={(meta.get('content') or '')[:300]}"
            for meta in self._attributes("meta[content]")
        ]
        assets = [
            (tag.get("src") or tag.get("href") or "")[:500]
            for tag in self._attributes("script[src], link[href], img[src], iframe[src]")
        ]
        scripts: list[str] = []
        left = _MOST_SCRIPT
        for element in self._tree.css("script:not([src])")[:_MOST_ELEMENTS]:
            content = element.text()[:left]
            left -= len(content)
            scripts.append(f"{element.attributes.get('id') or ''}\n{content}")
        return {"meta": metas, "asset": assets, "script": scripts}

    def _attributes(self, selector: str) -> list[dict[str, str | None]]:
        return [element.attributes for element in self._tree.css(selector)[:_MOST_ELEMENTS]]

    def find(self, mark: Mark) -> Signal | None:
        """The mark with where it was seen, or None."""
        if mark.place == "element":
            found = self._tree.css_first(mark.sought)
            return Signal(f"<{found.tag}> as it writes it", "home page") if found else None
        wanted = re.compile(mark.sought, re.IGNORECASE)
        for text in self._texts[mark.place]:
            match = wanted.search(text)
            if match:
                return Signal(_words(mark.place, text, match[0])[:120], _WHERE.get(mark.place, "home page"))
        return None


def _words(place: Place, text: str, match: str) -> str:
    match_of_place = {
        "meta": f"named as the page's {text.replace('=', ': ', 1)}",
        "cookie": f"cookie {text}",
        "header": f"header {text.partition(':')[0]}",
        "asset": f"a file at {match}",
        "script": f"script with {' '.join(match.split())}",
    }
    return match_of_place[place]


_WHERE = {"header": "header", "cookie": "header"}


def recognise(page: Page, technologies: Iterable[Technology]) -> list[Recognised]:
    """What the page was made with, heaviest first. One weak mark alone recognises nothing."""
    marks = PageMarks(page)
    found = []
    for technology in technologies:
        seen = [(mark, signal) for mark in technology.marks if (signal := marks.find(mark))]
        doubt = 1.0
        for mark, _signal in seen:
            doubt *= 1 - mark.weight
        if 1 - doubt >= RECOGNISED:
            signals = tuple(Signal(f"{technology.title}: {signal.what}", signal.where) for _, signal in seen)
            found.append(Recognised(technology, round(1 - doubt, 3), signals))
    return sorted(found, key=lambda one: -one.weight)


_OBSTACLES: tuple[tuple[str, str], ...] = (
    (
        r"<title>\s*just a moment|/cdn-cgi/challenge-platform/|cf-chl-",
        "a CDN's check for browsers (Cloudflare)",
    ),
    (r"<title>\s*attention required! \| cloudflare|cf-error-details", "a CDN's block page (Cloudflare)"),
    (
        r"<title>\s*access denied\s*</title>.{0,2000}reference(?:\s|&#32;)*(?:#|&#35;)",
        "a CDN's block page (Akamai)",
    ),
    (r"geo\.captcha-delivery\.com|captcha-delivery\.com/captcha", "a check for browsers (DataDome)"),
    (r"window\._pxAppId|id=.px-captcha", "a check for browsers (PerimeterX)"),
    (r"_incapsula_resource", "a check for browsers (Imperva)"),
    (r"<title>\s*(?:sucuri website firewall|ddos-guard)", "a firewall's block page"),
    (r"awswafintegration|\.token\.awswaf\.com", "a check for browsers (AWS)"),
)
_SMALL_PAGE = 60_000


def find_obstacle(page: Page) -> str | None:
    """What stands between us and the site, in words; None where its own page came.

    Only a short page, or one that was refused, is such a page: shops load the same guards on pages that they show.
    """
    if page.status in {200, 202} and len(page.text) > _SMALL_PAGE:
        return None
    if page.status == 200 and re.search(
        r"<(?:main|article|footer)\b", page.text[:_SMALL_PAGE], re.IGNORECASE
    ):
        return None
    text = page.text[:_SMALL_PAGE]
    for pattern, words in _OBSTACLES:
        if re.search(pattern, text, re.IGNORECASE | re.DOTALL):
            return words
    if page.headers.get("cf-mitigated") == "challenge":
        return "a CDN's check for browsers (Cloudflare)"
    return None


def asks_to_sign_in(page: Page) -> bool:
    """Whether the page is little more than a form with a password field."""
    tree = _parsed(page)
    if tree.css_first("form input[type=password i]") is None:
        return False
    return len(tree.css("a[href]")) < 15
