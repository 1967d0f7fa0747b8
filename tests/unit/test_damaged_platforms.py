"""Damaged answers of each platform in the place where they hurt: behind a good key, below a good listing."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from aggregator.platforms import get_platform
from aggregator.testing import HOSTILE_BODIES
from tests.unit.store_answers import CASSETTES, Shop, drained, line, saved, store
from tests.unit.test_marketplaces import PEM, TOKEN
from tests.unit.test_mutations import check, mutate, no_hang

CHUNKS = 20


@dataclass(frozen=True)
class Case:
    """One platform: what its store is set to, which answers stay whole, and which one is damaged."""

    platform: str
    damaged: str
    url: str = "https://shop.example"
    options: dict[str, str] = field(default_factory=dict)
    whole: dict[str, Any] = field(default_factory=dict)

    def read(self, body: bytes) -> None:
        """Everything the adapter does with that body: a crawl and a live check."""

        def answer(request: httpx.Request) -> Any:
            fixed = self.whole.get(request.url.path)
            return httpx.Response(200, content=body) if fixed is None else fixed

        platform = get_platform(self.platform)
        here = store(self.platform, self.url, **self.options)
        fetcher = Shop(answer).fetcher()
        assert platform.source is not None
        offers, problem = drained(platform.source.fetch_offers(here, fetcher))
        check(iter(offers))
        assert "\n" not in str(problem)
        lines = [line("1001", product_id="1"), line("B0CKETTLE1")]
        states = platform.check_offers(here, lines, fetcher)
        assert [state.external_id for state in states] == ["1001", "B0CKETTLE1"]


MAP = "<urlset><url><loc>https://shop.example/p</loc></url></urlset>"
CASES = [
    Case("vendure", "vendure/products.json"),
    Case("medusa", "medusa/products.json", options={"publishable_key": "k"},
         whole={"/store/regions": saved("medusa/regions.json")}),
    Case("medusa", "medusa/regions.json", options={"publishable_key": "k"}),
    Case("saleor", "saleor/products.json"),
    Case("shopware", "shopware/products.json", options={"access_key": "k"},
         whole={"/store-api/context": saved("shopware/context.json")}),
    Case("shopware", "shopware/context.json", options={"access_key": "k"},
         whole={"/store-api/product": saved("shopware/products.json")}),
    Case("shopify", "shopify_storefront/products.json", options={"storefront_token": "t"}),
    Case("oscar", "oscar/listing.html"),
    Case("oscar", "oscar/kettle.html", whole={"/catalogue/": saved("oscar/listing.html"), "/": "<html>"}),
    Case("opencart", "opencart/home.html"),
    Case("opencart", "opencart/product.html", whole={"/": saved("opencart/home.html")}),
    Case("evershop", "evershop/product.html", whole={"/sitemap.xml": MAP}),
    Case("ebay", "ebay/search.json", "https://www.ebay.de", {"access_token": "t", "query": "q"},
         {"/buy/browse/v1/item/get_items_by_item_group": saved("ebay/group.json")}),
    Case("ebay", "ebay/group.json", "https://www.ebay.de", {"access_token": "t", "query": "q"},
         {"/buy/browse/v1/item_summary/search": saved("ebay/search.json")}),
    Case("etsy", "etsy/listings.json", "https://www.etsy.com", {"api_key": "k:s", "query": "q"}),
    Case("amazon", "amazon/search.json", "https://www.amazon.de",
         {"credential_id": "i", "credential_secret": "s", "partner_tag": "t", "query": "q", "ids": "B0CKETTLE1"},
         {"/auth/o2/token": TOKEN}),
    Case("walmart", "walmart/search.json", "https://www.walmart.com",
         {"consumer_id": "c", "private_key": PEM, "query": "q"}),
]  # fmt: skip
NAMES = [f"{case.platform}-{Path(case.damaged).stem}" for case in CASES]


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_hostile_answers_behind_a_good_key_do_no_harm(case: Case) -> None:
    for body in HOSTILE_BODIES:
        case.read(body)


def damage(case: Case, seed: int, count: int) -> None:
    rng = random.Random(seed)
    body = (CASSETTES / case.damaged).read_bytes()
    for number in range(count):
        with no_hang(f"{case.damaged}, seed {seed}, number {number}"):
            case.read(mutate(body, rng))


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_a_sample_of_damaged_answers_does_no_harm(case: Case) -> None:
    damage(case, seed=1, count=25)


@pytest.mark.prove
@pytest.mark.parametrize("chunk", range(CHUNKS))
@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_a_thousand_damaged_answers_each_do_no_harm(case: Case, chunk: int) -> None:
    damage(case, seed=100 + chunk, count=1000 // CHUNKS)
