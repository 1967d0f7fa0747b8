"""Asking a store for a few prices now, once and no longer than a shopper waits; what a probe learns of its cart."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import httpx
import pytest

from aggregator.domain.errors import FetchFailed
from aggregator.domain.money import Money
from aggregator.domain.normalization.rules import OfferRules
from aggregator.domain.offers import Offer, RawOffer
from aggregator.domain.stores import Detection, HandOffLine, Page, Store
from aggregator.fetching import Fetcher
from aggregator.platforms import get_platform
from aggregator.settings import Settings
from spiders.adapters import merchant_feed, shopify
from spiders.cart_technologies import with_cart_technology
from spiders.commerce_profiles import with_commerce_profile
from spiders.fingerprints import Recognised
from spiders.live_checks import state_of
from spiders.probe_evidence import RememberingFetcher
from spiders.technologies import TECHNOLOGIES

SITE = "https://shop.example"
PAGE = """<html><head><title>Kettle</title><script type="application/ld+json">{"@context": "https://schema.org",
 "@type": "Product", "name": "Kettle", "sku": "K1", "offers": {"@type": "Offer", "price": "19.99",
 "priceCurrency": "EUR", "availability": "https://schema.org/InStock"}}</script></head></html>"""


def line(external_id: str) -> HandOffLine:
    return HandOffLine(
        external_id=external_id, title="Kettle", url=f"{SITE}/products/{external_id}", quantity=1
    )


def store(platform: str, **changes: object) -> Store:
    values: dict[str, object] = {"currency": "EUR", "options": {"feed_url": f"{SITE}/feed.xml"}, **changes}
    return Store(id="x", slug="shop", name="Shop", url=SITE, platform=platform, **values)  # type: ignore[arg-type]  # a test's own field names


def asking(
    answer: Callable[[httpx.Request], httpx.Response], asked: list[str], *, within: float = 5.0
) -> Fetcher:
    def served(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return answer(request)

    return Fetcher(Settings(), transport=httpx.MockTransport(served), obey_robots=False, within=within)


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_a_store_in_trouble_is_asked_once(status: int) -> None:
    asked: list[str] = []
    with asking(lambda request: httpx.Response(status), asked) as fetcher:
        began = time.monotonic()
        with pytest.raises(FetchFailed, match=f"HTTP {status}"):
            fetcher.get(f"{SITE}/p")
    assert asked == ["/p"]
    assert time.monotonic() - began < 1


def test_what_would_have_to_wait_beyond_the_end_is_not_asked() -> None:
    asked: list[str] = []
    with asking(lambda request: httpx.Response(200), asked, within=0.3) as fetcher:
        fetcher.get(f"{SITE}/1")
        with pytest.raises(FetchFailed, match="did not answer in time"):
            fetcher.get(f"{SITE}/2")
    assert asked == ["/1"]


def test_of_a_large_feed_the_items_own_pages_are_asked() -> None:
    padding = "x" * 1_000_000

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path != "/feed.xml":
            return httpx.Response(200, text=PAGE, headers={"content-type": "text/html"})
        items = "".join(
            f"<item><g:id>N{number}</g:id><title>Thing</title><link>{SITE}/p/{number}</link>"
            f"<g:price>1.00 EUR</g:price><g:availability>in_stock</g:availability><d>{padding}</d></item>"
            for number in range(11)
        )
        text = f'<rss xmlns:g="http://base.google.com/ns/1.0"><channel>{items}</channel></rss>'
        return httpx.Response(200, text=text, headers={"content-type": "text/xml"})

    asked: list[str] = []
    with asking(answer, asked) as fetcher:
        states = merchant_feed.check_offers(store("merchant_feed"), [line("K1")], fetcher)
    assert [(one.external_id, one.price and one.price.plain()) for one in states] == [
        ("K1", "19.99"),
    ]
    assert asked == ["/feed.xml", "/products/K1"]


def test_an_item_that_its_store_does_not_know_any_more_is_gone() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/cart.js":
            return httpx.Response(200, json={"currency": "EUR", "items": []})
        return httpx.Response(404)

    with asking(answer, []) as fetcher:
        (state,) = shopify.check_offers(store("shopify"), [line("41")], fetcher)
    assert (state.is_gone, state.price) == (True, None)


def test_prices_are_taken_by_the_rules_of_the_store() -> None:
    raw = RawOffer(
        external_id="1",
        url=SITE,
        title="Kettle",
        price="1.299",
        price_currency="USD",
        stock_level=3,
    )
    ruled = state_of(raw, store("generic", offer_rules=OfferRules(currency="EUR", decimal_mark=",")))
    assert ruled.price is not None
    assert (ruled.price.amount, ruled.price.currency, ruled.stock_level) == (Decimal(1299), "EUR", 3)


def profile(**config: object) -> dict[str, object]:
    capability = [{"version": "2026-08-25", "config": config}]
    return {
        "ucp": {
            "version": "2026-08-25",
            "services": {"dev.ucp.shopping": [{"transport": "rest"}]},
            "capabilities": {"dev.ucp.shopping.permalink": capability},
        }
    }


@pytest.mark.parametrize(
    ("document", "endpoint"),
    [
        (profile(endpoint=f"{SITE}/buy"), f"{SITE}/buy"),
        (profile(endpoint="http://shop.example/buy"), None),
        (profile(endpoint=["x"]), None),
        (profile(), None),
        ({"ucp": {"version": "1", "services": {"x": 1}, "capabilities": []}}, None),
    ],
)
def test_a_probe_learns_where_carts_are_taken_by_permalink(document: object, endpoint: str | None) -> None:
    home = Page(f"{SITE}/", 200, {}, "<html></html>")
    with RememberingFetcher(
        Settings(),
        transport=httpx.MockTransport(lambda request: httpx.Response(200, json=document)),
        obey_robots=False,
        budget=3,
        sleep=lambda seconds: None,
    ) as fetcher:
        found = with_commerce_profile(Detection(confidence=0.9), fetcher, home)
    assert found.options.get("ucp_permalink") == endpoint


def test_a_probe_sets_the_make_of_a_vtex_cart_where_its_numbers_are_known() -> None:
    (vtex,) = (one for one in TECHNOLOGIES if one.name == "vtex")
    seen = [Recognised(vtex, 0.8, ())]
    offer = Offer(external_id="310", url=SITE, title="Kettle", price=Money(Decimal(1), "EUR"))
    found = Detection(confidence=0.8)
    for platform, sample, option in (
        ("generic", [offer], "vtex"),
        ("generic", [replace(offer, external_id="REF", sku="311")], "vtex"),
        ("generic", [replace(offer, external_id="REF")], None),
        ("generic", [], None),
        ("shopify", [offer], None),
    ):
        with_make = with_cart_technology(found, get_platform(platform), seen, sample)
        assert with_make.options.get("cart_technology") == option
    assert with_cart_technology(found, get_platform("generic"), [], [offer]) == found
