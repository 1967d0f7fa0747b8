"""Crawling the demo stores: probed, registered, read, read again, and when they misbehave."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select, text

from aggregator.catalog.ingest import IngestReport
from aggregator.catalog.runs import cancel_run
from aggregator.catalog.stores import list_runs
from aggregator.cli import commands
from aggregator.db.models import OfferPriceRow, OfferRow, StoreRow
from aggregator.db.session import Sessions
from aggregator.domain.errors import Conflict, InvalidInput, NotFound
from aggregator.domain.shipping import ShippingRule
from aggregator.settings import Settings
from fixtures.demo.stores import DemoStore, run_demo_stores
from spiders.detection import probe
from spiders.registration import add_store
from spiders.runner import crawl_store

SLUGS = ("fernway", "kettle-cable", "brightwell", "lindenhof", "pixel-parcel")


@pytest.fixture(scope="module")
def running() -> Iterator[dict[str, DemoStore]]:
    with run_demo_stores() as stores:
        yield {store.slug: store for store in stores}


@pytest.fixture
def demo(running: dict[str, DemoStore]) -> Iterator[dict[str, DemoStore]]:
    yield running
    for store in running.values():
        store.control.reset()


@pytest.fixture
def crawling(settings: Settings, demo: dict[str, DemoStore]) -> Settings:
    return replace(
        settings, allow_private_hosts=frozenset(f"127.0.0.1:{store.port}" for store in demo.values())
    )


def few(store: DemoStore, count: int = 12) -> list[str]:
    """Leave the store so many products, so that reading it page by page is quick; their SKUs."""
    for product in store.store.products[count:]:
        for variant in product.variants:
            store.control.vanish(variant.sku)
    return [variant.sku for product in store.store.products for variant in product.variants]


def crawl(settings: Settings, sessions: Sessions, store: DemoStore) -> IngestReport:
    report = crawl_store(settings, sessions, store.slug, trigger="command")
    assert report is not None
    return report


def register(settings: Settings, sessions: Sessions, store: DemoStore) -> None:
    registered, _ = add_store(settings, sessions, store.address, slug=store.slug)
    assert registered is not None


def ask_for_every_page(sessions: Sessions, store: DemoStore) -> None:
    """Whatever the store's sitemap says of changes."""
    with sessions.begin() as session:
        row = session.scalars(select(StoreRow).where(StoreRow.slug == store.slug)).one()
        row.options = {**row.options, "lastmod": "ignore"}


def counts(report: IngestReport) -> dict[str, int]:
    names = ("new", "changed", "unchanged", "held", "quarantined", "gone")
    return {name: getattr(report, name) for name in names if getattr(report, name)}


def price_of(sessions: Sessions, sku: str) -> Decimal | None:
    with sessions.begin() as session:
        return session.scalar(select(OfferRow.price).where(OfferRow.sku == sku, OfferRow.gone_at.is_(None)))


@pytest.mark.parametrize(
    ("slug", "hand_off"),
    [
        ("fernway", "cart_link"),
        ("kettle-cable", "cart_link"),
        ("brightwell", "product_link"),
        ("lindenhof", "product_link"),
        ("pixel-parcel", "item_link"),
    ],
)
def test_a_probe_tells_the_platform_in_eight_requests(
    crawling: Settings, demo: dict[str, DemoStore], slug: str, hand_off: str
) -> None:
    store = demo[slug]
    told = probe(store.address, crawling).to_json()
    assert (told["platform"], told["hand_off"], told["currency"], told["robots"], told["name"]) == (
        store.platform, hand_off, "EUR", "allowed", store.name,
    )  # fmt: skip
    assert told["confidence"] >= 0.8
    assert told["signals"]
    assert told["sources"]
    assert told["requests"] == len(store.control.requests()) <= 8
    assert told["sample"][0]["currency"] == "EUR"


def test_a_site_that_is_no_shop_is_unknown(crawling: Settings, demo: dict[str, DemoStore]) -> None:
    store = demo["lindenhof"]
    store.control.fail("/sitemap.xml", times=99, status=404)
    told = probe(store.url, crawling)
    assert (told.platform, told.hand_off, told.is_known) == ("unknown", None, False)
    assert len(store.control.requests()) <= 8


def test_a_closed_port_and_a_private_address_are_unknown(settings: Settings) -> None:
    told = probe("http://127.0.0.1:9/", settings)
    assert (told.platform, told.requests) == ("unknown", 0)
    assert told.problem is not None
    assert "CLICK2CART_ALLOW_PRIVATE_HOSTS" in told.problem


@pytest.mark.parametrize("slug", SLUGS)
def test_a_store_is_read_and_reading_it_again_writes_nothing(
    crawling: Settings, sessions: Sessions, demo: dict[str, DemoStore], slug: str
) -> None:
    store = demo[slug]
    if store.platform == "generic":
        few(store, 60)
    skus = {variant.sku for product in store.store.products for variant in product.variants}
    register(crawling, sessions, store)
    store.control.clear_requests()
    first = crawl(crawling, sessions, store)
    assert (first.state, first.problem, counts(first)) == ("finished", None, {"new": len(skus)})
    # robots.txt is known from the probe; what a crawl process fetches by itself it counts, too.
    assert first.requests == len(store.control.requests())
    with sessions.begin() as session:
        assert (
            set(session.scalars(select(OfferRow.sku if slug != "pixel-parcel" else OfferRow.external_id)))
            == skus
        )
        for product in store.store.products:
            for variant in product.variants:
                key = (
                    OfferRow.external_id == variant.sku
                    if slug == "pixel-parcel"
                    else OfferRow.sku == variant.sku
                )
                offer = session.scalars(select(OfferRow).where(key)).one()
                assert offer.price == variant.price, variant.sku
                assert offer.list_price in (variant.list_price, None)
                assert (offer.availability == "InStock") is (variant.stock > 0)
        written = session.scalars(select(text("xmin::text")).select_from(OfferRow).distinct()).all()
    second = crawl(crawling, sessions, store)
    assert (second.state, counts(second)) == ("finished", {"unchanged": len(skus)})
    with sessions.begin() as session:
        assert session.scalars(select(text("xmin::text")).select_from(OfferRow).distinct()).all() == written
        assert session.scalar(select(func.count()).select_from(OfferPriceRow)) == len(skus)


@pytest.mark.parametrize("slug", SLUGS)
def test_no_crawl_ever_touches_a_cart(
    crawling: Settings, sessions: Sessions, demo: dict[str, DemoStore], slug: str
) -> None:
    store = demo[slug]
    few(store)
    register(crawling, sessions, store)
    crawl(crawling, sessions, store)
    for request in store.control.requests():
        assert request.method == "GET"
        assert request.user_agent.startswith("Click2Cart/")
        assert "add-to-cart" not in request.query
        assert not request.path.startswith(("/cart", "/checkout", "/basket", "/warenkorb"))


@pytest.mark.parametrize("slug", SLUGS)
def test_a_changed_price_and_a_vanished_product_arrive(
    crawling: Settings, sessions: Sessions, demo: dict[str, DemoStore], slug: str
) -> None:
    store = demo[slug]
    skus = few(store)
    register(crawling, sessions, store)
    crawl(crawling, sessions, store)
    dearer = next(
        product.variants[0] for product in store.store.products if product.variants[0].list_price is None
    )
    store.control.set_price(dearer.sku, "77.77")
    alone = next(
        product.variants[0] for product in reversed(store.store.products) if len(product.variants) == 1
    )
    store.control.vanish(alone.sku)
    report = crawl(crawling, sessions, store)
    assert (report.state, counts(report)) == (
        "finished",
        {"changed": 1, "unchanged": len(skus) - 2, "gone": 1},
    )
    if slug != "pixel-parcel":
        assert price_of(sessions, dearer.sku) == Decimal("77.77")
        assert price_of(sessions, alone.sku) is None


LISTINGS = {
    "fernway": "/products.json",
    "kettle-cable": "/wp-json/wc/store/v1/products",
    "pixel-parcel": "/feed.xml",
    "brightwell": "/sitemaps/products-1.xml.gz",
    "lindenhof": "/sitemap.xml",
}


@pytest.mark.parametrize("slug", SLUGS)
def test_a_store_that_asks_for_patience_gets_it(
    crawling: Settings, sessions: Sessions, demo: dict[str, DemoStore], slug: str
) -> None:
    store = demo[slug]
    skus = few(store)
    register(crawling, sessions, store)
    store.control.rate_limit(LISTINGS[slug], times=1, retry_after=1)
    if store.platform == "generic":
        page = "/p/" if slug == "brightwell" else "/artikel/"
        store.control.rate_limit(page, times=2, retry_after=1)
        store.control.fail(page, times=1)
    report = crawl(crawling, sessions, store)
    assert (report.state, counts(report)) == ("finished", {"new": len(skus)})


@pytest.mark.parametrize(
    ("slug", "fault"),
    [
        *(
            (slug, fault)
            for slug in ("fernway", "kettle-cable")
            for fault in ("truncate", "break_off", "fail")
        ),
        ("pixel-parcel", "truncate"),
        ("pixel-parcel", "break_off"),
        ("brightwell", "truncate"),
        ("lindenhof", "fail"),
    ],
)
def test_a_listing_that_stays_broken_takes_nothing_away(
    crawling: Settings, sessions: Sessions, demo: dict[str, DemoStore], slug: str, fault: str
) -> None:
    store = demo[slug]
    skus = few(store)
    register(crawling, sessions, store)
    crawl(crawling, sessions, store)
    # An unchanged feed would be answered with 304, which nothing can cut short.
    store.control.set_price(skus[0], "123.45")
    getattr(store.control, fault)(LISTINGS[slug], times=99)
    report = crawl(crawling, sessions, store)
    assert report.state == "failed"
    assert report.problem
    assert (report.new, report.gone) == (0, 0)
    with sessions.begin() as session:
        assert session.scalar(select(func.count()).where(OfferRow.gone_at.is_not(None))) == 0


def test_one_page_that_stays_broken_costs_only_the_gone_marks(
    crawling: Settings, sessions: Sessions, demo: dict[str, DemoStore]
) -> None:
    store = demo["lindenhof"]
    skus = few(store)
    register(crawling, sessions, store)
    crawl(crawling, sessions, store)
    ask_for_every_page(sessions, store)
    broken = store.store.products[3]
    store.control.fail(f"/artikel/{broken.id}/", times=99)
    store.control.vanish(skus[-1])
    report = crawl(crawling, sessions, store)
    assert (report.state, counts(report)) == ("failed", {"unchanged": len(skus) - 2})
    assert report.problem is not None
    assert f"/artikel/{broken.id}/" in report.problem


def test_a_listed_page_that_is_gone_is_an_answer(
    crawling: Settings, sessions: Sessions, demo: dict[str, DemoStore]
) -> None:
    store = demo["lindenhof"]
    skus = few(store)
    register(crawling, sessions, store)
    crawl(crawling, sessions, store)
    ask_for_every_page(sessions, store)
    store.control.fail(f"/artikel/{store.store.products[3].id}/", times=99, status=410)
    report = crawl(crawling, sessions, store)
    assert (report.state, counts(report)) == ("finished", {"unchanged": len(skus) - 1, "gone": 1})


def test_a_cancelled_run_stops_its_crawl(
    crawling: Settings, sessions: Sessions, demo: dict[str, DemoStore]
) -> None:
    store = demo["lindenhof"]
    register(crawling, sessions, store)

    def cancel(offers: int, requests: int) -> None:
        with sessions.begin() as session:
            (run,) = [run for run in list_runs(session) if run.state == "running"]
            cancel_run(session, run.id)

    with pytest.raises(Conflict, match="cancelled"):
        crawl_store(crawling, sessions, store.slug, trigger="command", progress=Once(cancel))
    with sessions.begin() as session:
        assert session.scalar(select(func.count()).select_from(OfferRow)) == 0


class Once:
    """Calls through the first time only."""

    def __init__(self, function: object) -> None:
        self._function = function

    def __call__(self, *arguments: int) -> None:
        function, self._function = self._function, None
        if callable(function):
            function(*arguments)


def test_registering_keeps_what_was_learned_and_what_was_given(
    crawling: Settings, sessions: Sessions, demo: dict[str, DemoStore]
) -> None:
    store = demo["kettle-cable"]
    rule = ShippingRule.flat(Decimal("4.90"))
    for _ in range(2):
        registered, _ = add_store(crawling, sessions, store.address, name="Mine", shipping=rule)
        assert registered is not None
        assert (registered.name, registered.platform, registered.currency, registered.options, registered.shipping) == (
            "Mine", "woocommerce", "EUR", {"woocommerce_version": "11.0.1"}, rule,
        )  # fmt: skip
    with pytest.raises(
        InvalidInput, match=r"woocommerce has no option 'region'; its options: woocommerce_version"
    ):
        add_store(crawling, sessions, store.address, options={"region": "x"})


def test_ctrl_c_cancels_the_run_and_frees_the_store(
    crawling: Settings, sessions: Sessions, demo: dict[str, DemoStore]
) -> None:
    store = demo["fernway"]
    register(crawling, sessions, store)

    def interrupt(_offers: int, _requests: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crawl_store(crawling, sessions, store.slug, trigger="command", progress=interrupt)
    with sessions.begin() as session:
        assert [run.state for run in list_runs(session)] == ["cancelled"]
    assert counts(crawl(crawling, sessions, store)) == {"new": 646}


def test_an_unknown_store_cannot_be_crawled(crawling: Settings, sessions: Sessions) -> None:
    with pytest.raises(NotFound, match="no such store: nobody"):
        crawl_store(crawling, sessions, "nobody", trigger="command")


@pytest.fixture
def environment(crawling: Settings, sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", crawling.database_url or "")
    monkeypatch.setenv("CLICK2CART_DATA_DIR", str(crawling.data_dir))
    monkeypatch.setenv("CLICK2CART_ALLOW_PRIVATE_HOSTS", ",".join(crawling.allow_private_hosts))


@pytest.mark.usefixtures("environment")
def test_the_commands_speak_json(demo: dict[str, DemoStore], tmp_path: Path) -> None:
    store = demo["fernway"]
    skus = few(store)
    shipping = tmp_path / "shipping.json"
    shipping.write_text('{"tiers": [{"min_subtotal": "0", "cost": "4.90"}], "min_order": null}')
    told = CliRunner().invoke(commands, ["probe", store.url, "--json"])
    assert (told.exit_code, json.loads(told.stdout)["platform"]) == (0, "shopify")
    added = CliRunner().invoke(
        commands, ["stores", "add", store.url, "--slug", "fernway", "--shipping", f"@{shipping}", "--json"]
    )
    assert added.exit_code == 0
    assert {key: json.loads(added.stdout)[key] for key in ("slug", "platform")} == {
        "slug": "fernway",
        "platform": "shopify",
    }
    read = CliRunner().invoke(commands, ["crawl", "fernway", "--json"])
    document = json.loads(read.stdout)
    assert (read.exit_code, document["state"]) == (0, "finished")
    assert document["offers"] == {
        "seen": len(skus), "new": len(skus), "changed": 0, "unchanged": 0, "held": 0, "quarantined": 0, "gone": 0,
    }  # fmt: skip
    listed = CliRunner().invoke(commands, ["stores", "list", "--json"])
    assert [(one["slug"], one["offer_count"]) for one in json.loads(listed.stdout)] == [
        ("fernway", len(skus))
    ]
    store.control.fail("/products.json", times=99)
    assert CliRunner().invoke(commands, ["crawl", "fernway", "--json"]).exit_code == 1


@pytest.mark.usefixtures("environment")
def test_a_store_that_cannot_be_read_exits_1_with_the_evidence(demo: dict[str, DemoStore]) -> None:
    store = demo["lindenhof"]
    store.control.fail("/sitemap.xml", times=99, status=404)
    added = CliRunner().invoke(commands, ["stores", "add", store.url, "--json"])
    assert (added.exit_code, json.loads(added.stdout)["platform"]) == (1, "unknown")
