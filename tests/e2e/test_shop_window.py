"""The shop window in a real browser: accessible in both themes, by keyboard, without scripts, light and still."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial

import pyotp
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect
from sqlalchemy import create_engine, insert
from sqlalchemy.orm import Session, sessionmaker

from aggregator.accounts.sign_in import invite
from aggregator.catalog.products import describe_products
from aggregator.db.migrate import migrate
from aggregator.db.models import OfferPriceRow, StoreRow
from aggregator.db.session import Sessions
from aggregator.settings import Settings
from tests.databases import fresh_database, name_beside
from tests.e2e.conftest import free_port, running_web
from tests.e2e.looking import findings, present_findings, walk
from tests.every_page import Furnished, as_it_is, furnish, unseen_endpoints
from tests.integration.conftest import Browser as HttpBrowser
from tests.integration.shop_rows import flat_shipping, offer_row, product_row, store_row
from web import create_app

LONG = "Fridge freezer with water dispenser, ice maker and a name that goes on and on " * 3
ARABIC = "ثلاجة سامسونج 500 لتر بباب مزدوج RT50K"
SIZES = {"desktop": (1440, 900), "tablet": (768, 1024), "phone": (390, 844)}


@dataclass(frozen=True, slots=True)
class Window:
    """A site with every kind of product; ids by what is special about them."""

    url: str
    settings: Settings
    sessions: Sessions
    ids: dict[str, str]


def remember(session: Session, offer_id: int, prices: list[tuple[int, str]], currency: str = "EUR") -> None:
    now = datetime.now(UTC)
    session.execute(
        insert(OfferPriceRow),
        [
            {
                "offer_id": offer_id, "recorded_at": now - timedelta(days=days), "price": Decimal(price),
                "price_currency": currency, "price_kind": "regular", "availability": "InStock",
            }
            for days, price in prices
        ],
    )  # fmt: skip


def fill(session: Session) -> dict[str, str]:
    """Products at one store and at forty, with long and Arabic titles, in dinars, sold out, in versions."""
    now = datetime.now(UTC)
    stores: list[StoreRow] = [
        store_row(
            session, f"store-{number}", name=f"Store {number}", checked_at=now - timedelta(minutes=7 * number),
            shipping=None if number % 5 == 4 else flat_shipping("4.90", free_from="50"),
        )
        for number in range(40)
    ]  # fmt: skip
    products = {
        "many": product_row(session, "many"), "long": product_row(session, "long"),
        "arabic": product_row(session, "arabic"), "dinar": product_row(session, "dinar"),
        "gone": product_row(session, "gone"), "S": product_row(session, "S"), "L": product_row(session, "L"),
    }  # fmt: skip
    for number, store in enumerate(stores):
        offer = offer_row(
            session, store, products["many"], f"{499 + number}.00", brand="Bosch", mpn="KGN-36",
            title=f"Bosch KGN36 fridge freezer 366 l, white ({number})", category="Home > Fridge freezers",
        )  # fmt: skip
        remember(
            session,
            offer.id,
            [(200, f"{560 + number}.00"), (60, f"{540 + number}.00"), (3, f"{499 + number}.00")],
        )
    offer_row(session, stores[0], products["long"], "1234567.89", title=LONG, category="Shop > " + LONG[:60])
    offer_row(
        session, stores[1], products["arabic"], "799.90", title=ARABIC, brand="سامسونج", category="ثلاجات"
    )
    offer_row(session, stores[2], products["dinar"], "12.345", title="Coffee 250 g", price_currency="KWD")
    offer_row(session, stores[3], products["gone"], "19.90", title="Kettle", availability="OutOfStock")
    for number, size in enumerate("SL"):
        for colour in ("blue", "red"):
            product = products[size] if colour == "blue" else product_row(session, f"{size}{colour}")
            offer_row(
                session, stores[4], product, f"{20 + number}.00", title=f"T-shirt {size} {colour}", number=product.id,
                variant_attributes={"Size": size, "Colour": colour}, item_group_id="shirt", category="T-shirts",
            )  # fmt: skip
            describe_products(session, [product.id])
    describe_products(session, [product.id for product in products.values()])
    return {name: product.public_id for name, product in products.items()}


@pytest.fixture(scope="module")
def window(
    browser: Browser, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Window]:
    with fresh_database(settings, name_beside(settings, "window")) as (settings, engine):
        folder = tmp_path_factory.mktemp("window")
        settings = replace(settings, port=free_port(), data_dir=folder)
        migrate(engine)
        sessions = sessionmaker(engine, expire_on_commit=False)
        with sessions.begin() as session:
            ids = fill(session)
        with running_web(settings, folder / "web.log") as address:
            yield Window(address, settings, sessions, ids)


@pytest.fixture(scope="module")
def furnished(window: Window) -> Furnished:
    """Every page of the site, with something on each."""
    app = create_app(window.settings, window.sessions)
    seen = furnish(app, window.settings, window.sessions, list(window.ids.values()), as_it_is)
    assert unseen_endpoints(app, seen.all) == set()
    return seen


@contextmanager
def visit(
    browser: Browser, window: Window, *, is_admin: bool, email: str = "ada@example.org"
) -> Iterator[Page]:
    """A stranger's page, or that of an admin; ada's account has everything."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    page = context.new_page()
    if is_admin:
        with window.sessions.begin() as session:
            token = invite(session, email, "admin")
        page.goto(f"{window.url}/login/link/{token}")
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/operations")
    yield page
    context.close()


MAIN = ("/", "/search?q=fridge", "/categories", "/compare", "/drops", "/design", "/cart")


def test_the_main_pages_are_accessible_on_a_desktop_and_on_a_phone(browser: Browser, window: Window) -> None:
    paths = [*MAIN, *(f"/products/{window.ids[name]}" for name in ("many", "long", "arabic", "gone", "S"))]
    found = []
    with visit(browser, window, is_admin=False) as page:
        for number, path in enumerate(paths):
            width, scheme = ((1440, "light"), (390, "dark"))[number % 2]
            found += findings(page, window.url + path, width, [scheme])
    assert found == []


@pytest.mark.prove
@pytest.mark.parametrize("size", SIZES)
def test_every_page_is_accessible_in_both_themes_at_every_size(
    browser: Browser, window: Window, furnished: Furnished, size: str
) -> None:
    found = []
    for is_admin, addresses in ((False, furnished.shop), (True, (*furnished.own, *furnished.console))):
        with visit(browser, window, is_admin=is_admin) as page:
            for address in addresses:
                found += findings(page, window.url + address, SIZES[size][0], ("light", "dark"))
    assert found == []


@pytest.mark.prove
def test_pages_that_answer_a_form_are_accessible(browser: Browser, window: Window) -> None:
    found = []
    both = ("light", "dark")
    with visit(browser, window, is_admin=True, email="tess@example.org") as page:
        page.set_viewport_size({"width": 390, "height": 900})
        page.goto(f"{window.url}/account/security")
        page.get_by_text("Make a token").click()
        page.locator("#token-name").fill("My spreadsheet")
        page.locator("input[name=scopes]").first.check()
        page.get_by_role("button", name="Make token").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Your new token")
        found += present_findings(page, 390, both)
        page.goto(f"{window.url}/account/security")
        page.get_by_role("button", name="Set it up").click()
        found += present_findings(page, 390, both)
        page.get_by_label("Code", exact=True).fill(pyotp.TOTP(page.locator(".key").inner_text()).now())
        page.get_by_role("button", name="Turn it on").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Your recovery codes")
        found += present_findings(page, 390, both)
    assert found == []


@pytest.mark.prove
def test_pages_of_errors_are_accessible(browser: Browser, window: Window) -> None:
    """Those that need a fault: made by an application that has it, shown at the site's own address."""

    def broken() -> Session:
        raise RuntimeError("a fault of ours")

    away = sessionmaker(create_engine("postgresql+psycopg://127.0.0.1:1/nothing"))
    pages = {}
    for status, sessions in ((500, broken), (503, away)):
        app = create_app(replace(window.settings, redis_url=None), sessions)  # type: ignore[arg-type]  # broken on purpose
        app.logger.disabled = True
        answer = app.test_client().get("/stores/any")
        assert answer.status_code == status
        pages[status] = answer.text
    # It counts tries in the database, so that the site itself, which counts in the broker, still takes reports.
    shopper = HttpBrowser(create_app(replace(window.settings, redis_url=None), window.sessions))
    shopper.sign_in(window.sessions, "shopper", "eve@example.org")
    pages[403] = shopper.get("/operations").text
    report = {"offer": "x", "other": "y"}
    answers = [shopper.post(f"/products/{window.ids['many']}/report", **report) for _ in range(21)]
    assert answers[-1].status_code == 429
    pages[429] = answers[-1].text
    found = []
    with visit(browser, window, is_admin=False) as page:
        for status, html in pages.items():
            answer_with = partial(Route.fulfill, status=status, body=html, content_type="text/html")
            page.route(f"**/answers-{status}", lambda route, _request, answer=answer_with: answer(route))
            assert "<h1" in html, status
            found += findings(page, f"{window.url}/answers-{status}", 390, ("light", "dark"))
    assert found == []


@pytest.mark.prove
@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_the_tab_key_reaches_everything_on_every_page_and_shows_where_it_is(
    browser: Browser, window: Window, furnished: Furnished, size: str
) -> None:
    found = []
    for is_admin, addresses in ((False, furnished.shop), (True, (*furnished.own, *furnished.console))):
        with visit(browser, window, is_admin=is_admin) as page:
            width, height = SIZES[size]
            page.set_viewport_size({"width": width, "height": height})
            for address in addresses:
                found += walk(page, window.url + address)
    assert not found, "\n".join(map(str, found))


@pytest.mark.prove
def test_every_page_of_the_shop_is_light_and_still(
    browser: Browser, window: Window, furnished: Furnished
) -> None:
    measured = {
        address: weigh(browser, window.url + address) for address in furnished.shop if address != "/api/docs"
    }
    heavy = {address: weight for address, weight in measured.items() if not weight.is_light(200_000)}
    assert heavy == {}


def test_the_filters_close_by_escape(browser: Browser, window: Window) -> None:
    with visit(browser, window, is_admin=False) as page:
        page.set_viewport_size({"width": 390, "height": 844})
        page.goto(f"{window.url}/search")
        filters = page.get_by_role("button", name="Filters", exact=True)
        filters.focus()
        page.keyboard.press("Enter")
        expect(page.locator("#facets")).to_be_visible()
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.closest('#facets') !== null")
        page.keyboard.press("Escape")
        expect(page.locator("#facets")).to_be_hidden()
        expect(filters).to_be_focused()


def test_a_product_is_found_and_bought_by_the_keyboard_alone(browser: Browser, window: Window) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    page = context.new_page()
    page.goto(f"{window.url}/stores")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    reach(page, lambda: page.evaluate("document.activeElement.name") == "q")
    page.keyboard.type("KGN36")
    page.keyboard.press("Enter")
    page.wait_for_url("**/products/**" if "/products/" in page.url else "**/*KGN36*")
    if "/products/" not in page.url:
        title = page.locator("h3 a", has_text="KGN36").first
        reach(page, lambda: title.evaluate("one => one === document.activeElement"))
        page.keyboard.press("Enter")
    page.wait_for_url("**/products/**")
    add = page.get_by_role("button", name="Add to cart").first
    reach(page, lambda: add.evaluate("one => one === document.activeElement"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_contain_text(re.compile("cart", re.IGNORECASE))
    context.close()


def reach(page: Page, is_there: object, most: int = 80) -> None:
    """Press Tab until it is; each stop shows where it is."""
    assert callable(is_there)
    for _ in range(most):
        if is_there():
            return
        page.keyboard.press("Tab")
        outline = page.evaluate(
            "[document.activeElement, document.activeElement.parentElement]"
            ".map((one) => getComputedStyle(one).outlineStyle).join('')"
        )
        assert outline != "nonenone", page.evaluate("document.activeElement.outerHTML")
    raise AssertionError("the keyboard never gets there")


@pytest.fixture
def without_scripts(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(
        viewport={"width": 1440, "height": 900}, java_script_enabled=False, locale="en-GB"
    )
    yield context
    context.close()


def test_the_shop_works_without_scripts(without_scripts: BrowserContext, window: Window) -> None:
    page = without_scripts.new_page()
    page.goto(f"{window.url}/categories")
    page.get_by_role("link", name="Fridges and freezers").first.click()
    page.get_by_role("link", name=re.compile("Bosch KGN36")).first.click()
    expect(page.locator("svg.chart-area")).to_be_visible()
    page.get_by_role("link", name="1 year").click()
    expect(page).to_have_url(re.compile(r"range=1y"))
    expect(page.get_by_text("Low price")).to_be_visible()
    page.get_by_text("Not the same? Tell us").click()
    page.get_by_role("button", name="Report it").click()
    expect(page.get_by_role("status")).to_contain_text("A person will look at it")
    page.get_by_role("link", name="Compare").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Compare products")
    page.get_by_role("button", name="Deutsch").click()
    expect(page.locator("html")).to_have_attribute("lang", re.compile("^de"))


def test_the_chart_moves_what_was_seen_is_remembered_and_comparisons_grow(
    browser: Browser, window: Window
) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    page = context.new_page()
    page.goto(f"{window.url}/products/{window.ids['many']}")
    page.locator("figure.chart").scroll_into_view_if_needed()
    if page.locator("figure[data-library]").count():  # npm's packages were installed
        expect(page.locator(".chart-live canvas")).to_be_visible()
        page.get_by_role("link", name="30 days").click()
        expect(page).to_have_url(re.compile("range=30d"))
        expect(page.locator(".chart-live canvas")).to_be_visible()
    page.get_by_role("link", name="Compare").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Compare products")
    page.wait_for_load_state()
    page.goto(f"{window.url}/products/{window.ids['gone']}")
    page.get_by_role("link", name="Compare").first.click()
    expect(page.locator("table.compare thead th")).to_have_count(2)
    page.goto(window.url)
    expect(page.locator(".recent-list a")).to_have_count(2)
    page.get_by_role("button", name="Forget these").click()
    page.reload()
    expect(page.locator("[data-recent]")).to_be_hidden()
    context.close()


SHIFT_AND_PAINT = """() => new Promise((resolve) => {
  let shift = 0, paint = 0;
  const add = (one) => { if (!one.hadRecentInput) shift += one.value; };
  new PerformanceObserver((list) => list.getEntries().forEach(add)).observe({ type: "layout-shift", buffered: true });
  const note = (one) => { paint = one.startTime; };
  new PerformanceObserver((list) => list.getEntries().forEach(note))
    .observe({ type: "largest-contentful-paint", buffered: true });
  setTimeout(() => resolve({ shift, paint }), 300);
})"""


@dataclass(frozen=True, slots=True)
class Weight:
    """What a first look at a page costs: bytes, requests, layout shift, milliseconds to the largest paint."""

    size: int
    requests: int
    shift: float
    paint: float

    def is_light(self, most_bytes: int) -> bool:
        return self.size < most_bytes and self.requests <= 24 and self.shift < 0.05 and self.paint < 2_500


def weigh(browser: Browser, address: str) -> Weight:
    context = browser.new_context(viewport={"width": 390, "height": 844}, locale="en-GB")
    page = context.new_page()
    sizes: list[int] = []
    page.on("requestfinished", lambda request: sizes.append(request.sizes()["responseBodySize"]))
    page.goto(address, wait_until="load")
    seen = page.evaluate(SHIFT_AND_PAINT)
    context.close()
    return Weight(sum(sizes), len(sizes), seen["shift"], seen["paint"])


def test_pages_are_light_still_and_drawn_at_once(browser: Browser, window: Window) -> None:
    for path in ("/", "/search?q=fridge", f"/products/{window.ids['many']}"):
        weight = weigh(browser, window.url + path)
        assert weight.is_light(100_000 if path == "/" else 200_000), (path, weight)
