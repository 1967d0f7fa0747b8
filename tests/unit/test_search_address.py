"""The search page's address: reading it and the addresses of its neighbours."""

from __future__ import annotations

from decimal import Decimal
from urllib.parse import parse_qsl, urlsplit

import pytest
from werkzeug.datastructures import MultiDict

from aggregator.domain.errors import InvalidInput
from aggregator.domain.products import SearchQuery
from web import search_address
from web.context import local_path
from web.presenters import leaf, plain_amount, spaced, web_address
from web.security import content_security_policy, host_name, is_plain_origin


def read(address: str) -> SearchQuery:
    return search_address.read_query(MultiDict(parse_qsl(urlsplit(address).query, keep_blank_values=True)))


FULL = SearchQuery(
    text="kettle & co",
    brands=("Alfi", "Ä & B"),
    categories=("Home > Kettles",),
    stores=("north",),
    min_price=Decimal("5.00"),
    max_price=Decimal("9.50"),
    available_only=True,
    sorting="-price",
)


def test_an_address_reads_back_as_the_query_it_was_made_of() -> None:
    assert read(search_address.address(FULL)) == FULL
    assert search_address.address(SearchQuery()) == "/search"


def test_a_changed_query_begins_at_its_first_page() -> None:
    paged = read("/search?q=kettle&cursor=abc")
    assert paged.cursor == "abc"
    assert search_address.changed(paged, available_only=True) == "/search?q=kettle&available=1"


def test_toggling_puts_a_choice_in_and_takes_it_out() -> None:
    once = search_address.toggled(SearchQuery(), "brand", "Alfi")
    assert once == "/search?brand=Alfi"
    twice = search_address.toggled(read(once), "brand", "Bosch")
    assert twice == "/search?brand=Alfi&brand=Bosch"
    assert search_address.toggled(read(twice), "brand", "Alfi") == "/search?brand=Bosch"


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("12", "12.00"), ("12.5", "12.50"), ("12,50", "12.50"), (" 0 ", "0.00"),
        ("", None), ("cheap", None), ("-1", None), ("NaN", None), ("Infinity", None), ("1e99", None), ("1.2.3", None),
    ],
)  # fmt: skip
def test_prices_are_read_as_typed_and_nonsense_is_left_out(text: str, amount: str | None) -> None:
    assert search_address.read_amount(text) == (None if amount is None else Decimal(amount))


def test_swapped_price_limits_are_put_right() -> None:
    query = read("/search?min=20&max=5")
    assert (query.min_price, query.max_price) == (Decimal("5.00"), Decimal("20.00"))


def test_what_an_address_repeats_or_overdoes_is_cut() -> None:
    query = read(
        "/search?q="
        + "x" * 500
        + "&sort=cheapest"
        + "&brand=A" * 3
        + "".join(f"&store=s{n}" for n in range(99))
    )
    assert len(query.text) == search_address.LONGEST_TEXT
    assert query.sorting == "relevance"
    assert query.brands == ("A",)
    assert len(query.stores) == search_address.MOST_CHOICES


@pytest.mark.parametrize("text", ["0", "101", "x", "", "-1", "1.5", "٣", "9" * 50])
def test_a_limit_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="limit"):
        search_address.read_limit(text)


def test_a_limit_in_range_is_read() -> None:
    assert [search_address.read_limit(text) for text in (None, "1", "100")] == [24, 1, 100]


@pytest.mark.parametrize(
    ("address", "safe"),
    [
        ("/cart", True), ("/search?q=a&b=c#d", True), ("", False), ("cart", False), ("//evil.example", False),
        ("https://evil.example", False), ("/\\evil.example", False), ("/a\nb", False), ("/\t/evil.example", False),
    ],
)  # fmt: skip
def test_only_paths_of_this_site_are_followed(address: str, safe: bool) -> None:
    assert local_path(address, "/") == (address if safe else "/")


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://shop.example/p?a=1", True), ("http://127.0.0.1:5101/", True), ("javascript:alert(1)", False),
        ("JAVASCRIPT:alert(1)", False), ("data:text/html,x", False), ("//shop.example", False), ("https://", False),
        ("https://a b", False), ("https://shop.example/\r\nX: y", False), ("http://[", False), (None, False),
    ],
)  # fmt: skip
def test_only_web_addresses_become_links(url: str | None, safe: bool) -> None:
    assert web_address(url) == (url if safe else None)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("Localhost:5000", "localhost"), ("127.0.0.1", "127.0.0.1"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]"),
        ("", ""), ("localhost:x", ""), ("a:b:80", "a:b"),
    ],
)  # fmt: skip
def test_a_host_header_is_read_without_its_port(host: str, name: str) -> None:
    assert host_name(host) == name


def test_nothing_but_an_origin_gets_into_the_policy() -> None:
    assert is_plain_origin("shop.example:8443")
    for netloc in ("", "*", "a;b", "a b", "user@shop.example", "shöp.example", "a\nb"):
        assert not is_plain_origin(netloc), netloc
    assert "form-action 'self' https://shop.example;" in content_security_policy(["https://shop.example"])


def test_a_category_path_shows_its_last_step_first() -> None:
    assert leaf("Home > Kitchen > Kettles") == "Kettles"
    assert leaf("Kettles") == "Kettles"
    assert leaf(">") == ">"


def test_amounts_read_well() -> None:
    assert [plain_amount(value) for value in (None, Decimal("100.00"), Decimal("12.50"))] == [
        "",
        "100",
        "12.50",
    ]
    assert spaced("KWD1.234") == "KWD\u00a01.234"
    assert spaced("€12.50") == "€12.50"
