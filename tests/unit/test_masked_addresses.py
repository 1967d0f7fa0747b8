"""Keys and passwords in addresses reach no log, alarm or page."""

from __future__ import annotations

import pytest

from aggregator.domain.errors import FetchFailed
from aggregator.domain.masked_addresses import mask_address


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://shop.example/feed.xml?page=2", "https://shop.example/feed.xml?page=2"),
        (
            "https://shop.example/monkey/long-tailed-one?q=key",
            "https://shop.example/monkey/long-tailed-one?q=key",
        ),
        ("https://ann:s3cret@shop.example/feed", "https://…@shop.example/feed"),
        ("https://shop.example/f?apiKey=abc123&page=2", "https://shop.example/f?apiKey=…&page=2"),
        (
            "https://shop.example/f?page=2&access_token=abc#top",
            "https://shop.example/f?page=2&access_token=…#top",
        ),
        (
            "https://productdata.awin.com/datafeed/download/apikey/0123456789abcdef/language/en/",
            "https://productdata.awin.com/datafeed/download/apikey/…/language/en/",
        ),
    ],
)
def test_what_opens_a_door_is_left_out(address: str, shown: str) -> None:
    assert mask_address(address) == shown


def test_an_error_about_a_store_keeps_its_address_and_tells_no_key() -> None:
    error = FetchFailed("https://shop.example/f?key=abc", "answered HTTP 500", status=500)
    assert error.url == "https://shop.example/f?key=abc"
    assert str(error) == "https://shop.example/f?key=…: answered HTTP 500"
