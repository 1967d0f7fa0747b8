"""Purchases through the browser's eyes: told, planned again, exported, printed; nobody else's."""

from __future__ import annotations

import csv
import io
import re

import pytest
from sqlalchemy import select, update

import web.printing
from aggregator.db.models import HandOffRow
from aggregator.db.session import Sessions
from tests.integration.conftest import Browser, ShopWindow
from tests.integration.test_web_cart import check_out, fill
from tests.integration.test_web_pages import words
from web.spreadsheets import safe_cell


def purchase_of(browser: Browser, *products: str) -> str:
    """The address of a purchase: checked out, every store opened."""
    fill(browser, *products)
    address = check_out(browser)
    page = browser.page(address)
    for step in sorted(set(re.findall(r'action="(/checkout/\w+/steps/\w+)"', page))):
        assert browser.post(f"{step}/open", quiet="1").status_code == 204
    return address.partition("?")[0].replace("/checkout/", "/purchases/")


def part_of(browser: Browser, address: str, store: str) -> str:
    """The address of one store's part."""
    for part in re.findall(
        r'<li class="purchase-part".*?(?=<li class="purchase-part"|</main>)', browser.page(address), re.S
    ):
        if f">{store}</a></h2>" in part:
            found = re.search(r'action="(/purchases/\w+/parts/\w+)"', part)
            assert found
            return found[1]
    raise AssertionError(f"no part of {store}")


def test_without_purchases_the_page_shows_the_next_step(browser: Browser) -> None:
    assert "Nothing was bought yet" in words(browser.page("/purchases"))
    assert words(browser.page("/purchases/summary")).count("Nothing was bought.") == 1
    assert browser.page("/purchases/export.csv").startswith("\ufeffdate,store,state,")


def test_an_order_is_told_corrected_moved_on_and_taken_back(
    browser: Browser, shop_window: ShopWindow
) -> None:
    address = purchase_of(browser, shop_window.mug)
    part = part_of(browser, address, "South")
    answer = browser.post(
        part,
        state="bought",
        paid="13,10 €",
        currency="eur",
        order_number=" A-17 / 2 ",
        bought_on="2026-03-02",
        note="gift",
    )
    assert answer.status_code == 303
    text = words(browser.page(address))
    assert "South Bought" in text
    assert "Planned €12.40 with €4.90 shipping · paid €13.10 · Mar 2, 2026 · order A-17 / 2" in text
    assert "You paid €0.70 more than planned." in text
    assert "gift" in text
    browser.post(
        part, state="bought", paid="12.40", currency="EUR", order_number="A-17", bought_on="2026-03-02"
    )
    assert "You paid exactly as planned." in words(browser.page(address))
    browser.post(part, state="shipped", currency="EUR", paid="12.40")
    assert "South On its way" in words(browser.page(address))
    assert browser.post(part, state="bought", currency="EUR").status_code == 409
    browser.post(part, take_back="1")
    assert "South Bought" in words(browser.page(address))
    history = words(browser.page("/purchases"))
    assert "Spent €12.40" in history
    assert "March 2026" not in history  # the receipt was replaced by one without a day


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("paid", "a lot", "is not an amount"),
        ("paid", "12 USD", "is not"),
        ("currency", "XYZ", "is not an ISO 4217 currency"),
        ("bought_on", "31.3.2026", "is not a day"),
        ("bought_on", "1887-01-01", "cannot be the day"),
        ("order_number", "1" * 101, "at most 100"),
    ],
)
def test_what_cannot_be_is_refused_and_stays_in_the_form(
    browser: Browser, shop_window: ShopWindow, field: str, value: str, says: str
) -> None:
    address = purchase_of(browser, shop_window.mug)
    form = {"state": "bought", "paid": "13", "currency": "EUR", "order_number": "KEEP-ME", field: value}
    answer = browser.post(part_of(browser, address, "South"), **form)
    assert answer.status_code == 400
    assert says in words(answer.text)
    assert f'value="{value}"' in answer.text
    assert "South Opened" in words(browser.page(address))


def test_when_a_store_fails_the_rest_is_planned_without_it(
    browser: Browser, sessions: Sessions, shop_window: ShopWindow
) -> None:
    address = purchase_of(browser, shop_window.mug, shop_window.kettle)
    with sessions() as session:
        assert session.scalars(select(HandOffRow.store_name)).all() == ["South"]
    assert "Plan the rest again" not in browser.page(address)
    assert browser.post(f"{address}/rest").status_code == 409
    browser.post(part_of(browser, address, "South"), state="given_up", currency="EUR", note="sold out there")
    assert "Plan the rest again" in browser.page(address)
    answer = browser.post(f"{address}/rest")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/cart")
    text = words(browser.page("/cart"))
    assert "The rest is planned anew without South." in text
    assert "North" in text
    assert "South €" not in text
    assert "Plan the rest again" not in browser.page(address)


def test_what_was_bought_is_taken_out_of_the_cart(browser: Browser, shop_window: ShopWindow) -> None:
    address = purchase_of(browser, shop_window.mug)
    browser.post(part_of(browser, address, "South"), state="bought", currency="EUR")
    assert "What you bought still lies in your cart." in words(browser.page(address))
    browser.post(f"{address}/bought-out")
    assert "Your cart is empty" in browser.page("/cart")
    assert "still lies" not in browser.page(address)


def test_the_csv_holds_no_formula(browser: Browser, sessions: Sessions, shop_window: ShopWindow) -> None:
    address = purchase_of(browser, shop_window.mug)
    part = part_of(browser, address, "South")
    browser.post(
        part,
        state="bought",
        paid="12.40",
        currency="EUR",
        order_number='=HYPERLINK("x")',
        bought_on="2026-03-02",
    )
    with sessions.begin() as session:
        session.execute(update(HandOffRow).values(store_name="@South"))
    answer = browser.get("/purchases/export.csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["Content-Disposition"]
    (row,) = csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff")))
    assert (row["store"], row["order_number"], row["paid"]) == ("'@South", '\'=HYPERLINK("x")', "12.40")
    assert len(browser.page("/purchases/export.csv?year=2025").splitlines()) == 1


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", "\n=1"])
def test_a_cell_that_would_calculate_is_told_to_be_text(cell: str) -> None:
    assert safe_cell(cell) == f"'{cell}"
    assert safe_cell(f"a{cell}") == f"a{cell}"


def test_the_summary_is_drawn_as_pdf(browser: Browser, sessions: Sessions, shop_window: ShopWindow) -> None:
    pytest.importorskip("weasyprint", reason="no PDF without WeasyPrint and Pango", exc_type=OSError)
    address = purchase_of(browser, shop_window.mug)
    hostile = "<img src='http://127.0.0.1:1/x'><b>Mug</b> العربية"
    browser.post(
        part_of(browser, address, "South"), state="bought", paid="12.40", currency="EUR", order_number=hostile
    )
    page = words(browser.page("/purchases/summary"))
    assert "Spent €12.40" in page
    answer = browser.get("/purchases/summary.pdf")
    assert (answer.status_code, answer.content_type) == (200, "application/pdf")
    assert answer.data.startswith(b"%PDF-")
    with sessions() as session:
        assert session.scalars(select(HandOffRow.order_number)).all() == [hostile]


def test_where_no_pdf_can_be_drawn_the_page_is_shown_with_what_to_do(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The library's absence is the machine's, nothing of ours.
    monkeypatch.setattr(web.printing, "_weasyprint", lambda: None)
    answer = browser.get("/purchases/summary.pdf?year=2026")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/purchases/summary?year=2026")
    assert "your browser can save it as PDF" in words(browser.page("/purchases/summary?year=2026"))


def test_addresses_that_nothing_has_are_not_found(browser: Browser, shop_window: ShopWindow) -> None:
    fill(browser, shop_window.mug)
    for odd in ("nothing", "2" * 12, "%F0%9F%91%BB"):
        assert browser.get(f"/purchases/{odd}").status_code == 404
        assert browser.post(f"/purchases/{odd}/rest").status_code == 404
        assert (
            browser.post(f"/purchases/{odd}/parts/{odd}", state="bought", currency="EUR").status_code == 404
        )
    assert browser.get("/purchases?year=abcd&before=%00x").status_code == 400
    assert browser.get("/purchases?year=0000&before=zzz").status_code == 200
