"""The demo stores as running servers: what all five share, the control, changing prices and the process itself."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from lxml import html

from fixtures.demo.drift import drift_once
from fixtures.demo.profiles import read_profiles
from fixtures.demo.store import StateUnreadable
from fixtures.demo.stores import DemoStore, PortUnusable, run_demo_stores

SLUGS = ["fernway", "kettle-cable", "brightwell", "lindenhof", "pixel-parcel"]


@pytest.fixture(scope="module")
def running() -> Iterator[dict[str, DemoStore]]:
    with run_demo_stores() as stores:
        yield {store.slug: store for store in stores}


@pytest.fixture
def stores(running: dict[str, DemoStore]) -> Iterator[dict[str, DemoStore]]:
    yield running
    for store in running.values():
        store.control.reset()


@pytest.fixture
def browser() -> Iterator[httpx.Client]:
    with httpx.Client(follow_redirects=True) as client:
        yield client


def _in_stock(store: DemoStore) -> str:
    return next(v.sku for p in store.store.products for v in p.variants if v.stock > 20)


def _product_url(store: DemoStore, client: httpx.Client, sku: str) -> str:
    offers = client.get(f"{store.url}/_control/offers").json()
    return next(str(offer["url"]) for offer in offers if offer["sku"] == sku)


@pytest.mark.parametrize("slug", SLUGS)
def test_every_store_has_a_labelled_home_page_and_an_empty_cart(
    stores: dict[str, DemoStore], browser: httpx.Client, slug: str
) -> None:
    store = stores[slug]
    home = browser.get(store.url)
    assert home.status_code == 200
    assert re.search("Demo store: nothing is for sale|Demo-Shop: Hier wird nichts verkauft", home.text)
    assert html.fromstring(home.text).xpath("//h1/text()") != []
    assert 'id="cart-empty"' in browser.get(f"{store.url}/cart").text


@pytest.mark.parametrize("slug", SLUGS)
def test_every_product_page_answers_and_shows_no_source(
    stores: dict[str, DemoStore], browser: httpx.Client, slug: str
) -> None:
    offers = browser.get(f"{stores[slug].url}/_control/offers").json()
    for offer in offers[::25]:
        page = browser.get(offer["url"])
        assert page.status_code == 200
        assert "pricerunner" not in page.text
        assert "abt-buy" not in page.text


@pytest.mark.parametrize("slug", SLUGS)
def test_head_answers_like_get_and_unknown_paths_are_404(
    stores: dict[str, DemoStore], browser: httpx.Client, slug: str
) -> None:
    store = stores[slug]
    head = browser.head(store.url)
    assert (head.status_code, head.content) == (200, b"")
    assert browser.get(f"{store.url}/no/such/page").status_code == 404
    assert browser.get(f"{store.url}/?page=999").status_code == 404


@pytest.mark.parametrize("slug", SLUGS)
def test_pictures_come_as_png_and_svg(stores: dict[str, DemoStore], browser: httpx.Client, slug: str) -> None:
    store = stores[slug]
    product = next(p for p in store.store.products if p.has_picture)
    png = browser.get(f"{store.url}/images/{product.variants[0].sku}.png")
    assert png.headers["Content-Type"] == "image/png"
    assert png.content.startswith(b"\x89PNG\r\n\x1a\n")
    svg = browser.get(f"{store.url}/images/{product.variants[0].sku}.svg")
    assert svg.headers["Content-Type"].startswith("image/svg+xml")
    assert html.fromstring(svg.content) is not None
    bare = next(p for p in store.store.products if not p.has_picture)
    assert browser.get(f"{store.url}/images/{bare.variants[0].sku}.png").status_code == 404


def test_each_store_has_its_own_cookie(stores: dict[str, DemoStore], browser: httpx.Client) -> None:
    for store in stores.values():
        browser.get(f"{store.url}/cart")
    names = [cookie.name for cookie in browser.cookies.jar]
    assert len(names) == len(set(names)) == 5


@pytest.mark.parametrize("slug", SLUGS)
def test_the_stores_own_button_fills_its_cart(
    stores: dict[str, DemoStore], browser: httpx.Client, slug: str
) -> None:
    store = stores[slug]
    sku = _in_stock(store)
    page = html.fromstring(browser.get(_product_url(store, browser, sku)).text)
    (form,) = page.xpath("//form[.//button[@id='add-to-cart']]")
    (button,) = form.xpath(".//button[@id='add-to-cart']")
    fields = dict(form.form_values())
    if button.get("name"):
        fields[button.get("name")] = button.get("value")
    fields[next(name for name in fields if name in {"quantity", "menge", "qty"})] = "2"
    address = f"{store.url}{form.get('action')}"
    posts = form.get("method") == "post"
    answer = browser.post(address, data=fields) if posts else browser.get(address, params=fields)
    (table,) = html.fromstring(answer.text).xpath("//table[@id='cart']")
    (row,) = table.xpath("tbody/tr")
    assert row.get("data-quantity") == "2"
    assert Decimal(table.get("data-subtotal")) == 2 * Decimal(row.get("data-price"))


def test_the_cart_adds_the_published_shipping(stores: dict[str, DemoStore], browser: httpx.Client) -> None:
    store = stores["kettle-cable"]
    product = next(p for p in store.store.products if not p.option_names and p.variants[0].stock > 20)
    variant = product.variants[0]
    expected = {"39.99": "5.90", "40.00": "3.90", "99.99": "3.90", "100.00": "0.00"}
    found = {}
    for price in expected:
        store.control.set_price(variant.sku, price)
        answer = browser.get(f"{store.url}/checkout-link/?products={variant.id}:1")
        (table,) = html.fromstring(answer.text).xpath("//table[@id='cart']")
        found[price] = table.get("data-shipping")
        assert Decimal(table.get("data-total")) == Decimal(price) + Decimal(found[price])
    assert found == expected


def test_one_store_publishes_no_shipping(stores: dict[str, DemoStore], browser: httpx.Client) -> None:
    statuses = {slug: browser.get(f"{store.url}/shipping").status_code for slug, store in stores.items()}
    assert {slug for slug, status in statuses.items() if status == 404} == {"lindenhof"}
    assert [profile.slug for profile in read_profiles() if profile.shipping is None] == ["lindenhof"]


def test_a_cart_never_holds_more_than_the_stock(stores: dict[str, DemoStore], browser: httpx.Client) -> None:
    store = stores["fernway"]
    product = store.store.products[0]
    variant = product.variants[0]
    store.control.set_stock(variant.sku, 3)
    page = browser.get(f"{store.url}/cart/{variant.id}:5")
    assert 'data-quantity="3"' in page.text
    assert "Only 3 of" in page.text
    store.control.set_stock(variant.sku, 0)
    assert "is out of stock and was left out" in browser.get(f"{store.url}/cart/{variant.id}:1").text


def test_visitors_have_separate_carts(stores: dict[str, DemoStore], browser: httpx.Client) -> None:
    store = stores["fernway"]
    variant = next(v for p in store.store.products for v in p.variants if v.stock > 0)
    assert str(variant.id) in browser.get(f"{store.url}/cart/{variant.id}:1").text
    with httpx.Client() as stranger:
        assert 'id="cart-empty"' in stranger.get(f"{store.url}/cart").text


def test_planned_faults_meet_the_next_requests_below_a_path_and_are_used_up(
    stores: dict[str, DemoStore], browser: httpx.Client
) -> None:
    store = stores["fernway"]
    store.control.rate_limit("/products.json", times=2, retry_after=7)
    assert browser.get(f"{store.url}/meta.json").status_code == 200
    limited = [browser.get(f"{store.url}/products.json?limit=1") for _ in range(3)]
    assert [answer.status_code for answer in limited] == [429, 429, 200]
    assert limited[0].headers["Retry-After"] == "7"
    store.control.fail("/products.json", status=503)
    assert browser.get(f"{store.url}/products.json").status_code == 503


def test_bodies_can_end_in_the_middle_or_break_off(
    stores: dict[str, DemoStore], browser: httpx.Client
) -> None:
    store = stores["kettle-cable"]
    address = f"{store.url}/wp-json/wc/store/v1/products"
    store.control.truncate("/wp-json/")
    with pytest.raises(json.JSONDecodeError):
        browser.get(address).json()
    store.control.break_off("/wp-json/")
    with pytest.raises(httpx.RemoteProtocolError):
        browser.get(address)
    assert len(browser.get(address).json()) == 10


def test_answers_can_be_slow(stores: dict[str, DemoStore], browser: httpx.Client) -> None:
    store = stores["pixel-parcel"]
    store.control.slow(30, "/feed.xml")
    with pytest.raises(httpx.ReadTimeout):
        browser.get(f"{store.url}/feed.xml", timeout=0.2)
    assert browser.get(f"{store.url}/feed.xml").status_code == 200


def test_the_control_answers_over_http(stores: dict[str, DemoStore], browser: httpx.Client) -> None:
    store = stores["brightwell"]
    sku = _in_stock(store)
    order = {"action": "set_price", "sku": sku, "price": "1234.50", "list_price": "1500.00"}
    assert browser.post(f"{store.url}/_control", json=order).json() == {"done": "set_price"}
    assert "€1,234.50" in browser.get(_product_url(store, browser, sku)).text
    assert browser.post(f"{store.url}/_control", json={"action": "reset"}).status_code == 200
    assert "€1,234.50" not in browser.get(_product_url(store, browser, sku)).text


@pytest.mark.parametrize(
    "order",
    [
        {"action": "explode"},
        {"action": "vanish", "sku": "none such"},
        {"action": "set_price", "sku": "BW-00101", "price": "cheap"},
        {"action": "vanish"},
        {},
    ],
)
def test_the_control_refuses_what_it_cannot_do(
    stores: dict[str, DemoStore], browser: httpx.Client, order: dict[str, str]
) -> None:
    answer = browser.post(f"{stores['brightwell'].url}/_control", json=order)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_the_control_takes_no_form_of_a_foreign_page(
    stores: dict[str, DemoStore], browser: httpx.Client
) -> None:
    address = f"{stores['brightwell'].url}/_control"
    assert (
        browser.post(
            address, content='{"action": "reset"}', headers={"Content-Type": "text/plain"}
        ).status_code
        == 400
    )


def test_the_log_tells_what_was_asked_for(stores: dict[str, DemoStore], browser: httpx.Client) -> None:
    store = stores["lindenhof"]
    browser.get(f"{store.url}/sitemap.xml?a=1", headers={"User-Agent": "Tester/1"})
    entries = browser.get(f"{store.url}/_control/log").json()
    assert [(e["method"], e["path"], e["query"], e["user_agent"], e["status"]) for e in entries] == [
        ("GET", "/sitemap.xml", "a=1", "Tester/1", 200)
    ]
    assert [entry.path for entry in store.control.requests()] == ["/sitemap.xml"]


def test_a_vanished_product_is_gone_everywhere_until_it_is_restored(
    stores: dict[str, DemoStore], browser: httpx.Client
) -> None:
    for slug, gone in (("brightwell", 404), ("lindenhof", 410), ("fernway", 404)):
        store = stores[slug]
        product = next(p for p in store.store.products if not p.option_names)
        sku = product.variants[0].sku
        address = _product_url(store, browser, sku)
        store.control.vanish(sku)
        assert browser.get(address).status_code == gone
        store.control.restore(sku)
        assert browser.get(address).status_code == 200


def test_every_change_is_later_than_all_before(stores: dict[str, DemoStore]) -> None:
    store = stores["brightwell"].store
    first, second = store.products[0], store.products[1]
    before = store.last_changed_at
    stores["brightwell"].control.set_price(first.variants[0].sku, "10.00")
    stores["brightwell"].control.set_price(second.variants[0].sku, "10.00")
    assert before < store.changed_at(first) < store.changed_at(second) == store.last_changed_at


def test_prices_drift_within_bounds_and_survive_a_restart(tmp_path: Path) -> None:
    with run_demo_stores(state_directory=tmp_path) as stores:
        store = stores[0].store
        catalogue = {sku: store.find_by_sku(sku) for sku in store.skus}
        changed = {sku for _ in range(40) for sku in drift_once(store)}
        drifted = {sku: found[1].price for sku in changed if (found := store.find_by_sku(sku))}
        opened_at, changed_at = store.opened_at, store.last_changed_at
    assert len(changed) > 20
    for sku, price in drifted.items():
        base = catalogue[sku]
        assert base is not None
        assert base[1].price * Decimal("0.79") < price < base[1].price * Decimal("1.21")
    with run_demo_stores(state_directory=tmp_path) as stores:
        again = stores[0].store
        kept = {sku: found[1].price for sku in changed if (found := again.find_by_sku(sku))}
        assert kept == drifted
        assert (again.opened_at, again.last_changed_at) == (opened_at, changed_at)


def test_a_damaged_state_file_is_named_and_kept(tmp_path: Path) -> None:
    state = tmp_path / "fernway.json"
    state.write_text('{"opened_at": ', encoding="utf-8")
    with (
        pytest.raises(StateUnreadable, match=r"fernway\.json cannot be read"),
        run_demo_stores(state_directory=tmp_path),
    ):
        pass
    assert state.read_text(encoding="utf-8") == '{"opened_at": '


def test_a_taken_port_is_named() -> None:
    with socket.socket() as occupant:
        occupant.bind(("127.0.0.1", 0))
        occupant.listen()
        port = occupant.getsockname()[1]
        with (
            pytest.raises(PortUnusable, match=rf"port {port} .*\(Address already in use"),
            run_demo_stores(port_of=lambda _: port),
        ):
            pass


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_the_program_tells_when_it_is_ready_and_stops_on_a_signal(
    tmp_path: Path, ending: signal.Signals
) -> None:
    ready = tmp_path / "ready.json"
    command = [
        sys.executable,
        "-m",
        "fixtures.demo",
        "--free-ports",
        "--ready-file",
        str(ready),
        "--drift",
        "60",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 30
        while not ready.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        announced = json.loads(ready.read_text(encoding="utf-8"))
        assert [entry["slug"] for entry in announced] == SLUGS
        assert [entry["platform"] for entry in announced] == [
            "shopify",
            "woocommerce",
            "generic",
            "generic",
            "merchant_feed",
        ]
        assert all(httpx.get(entry["url"]).status_code == 200 for entry in announced)
        process.send_signal(ending)
        output, errors = process.communicate(timeout=10)
    assert process.returncode == 0
    assert errors == b""
    assert json.loads(output) == announced
    assert not ready.exists()
