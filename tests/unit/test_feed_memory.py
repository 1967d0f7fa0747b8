"""Feeds of any length are read in the same memory."""

from __future__ import annotations

import gc
import gzip
import zlib
from collections.abc import Callable, Iterator

import psutil
import pytest

from aggregator.domain.offers import RawOffer
from aggregator.fetching.answers import gunzipped_if_gzip
from spiders.adapters.merchant_feed import read_item
from spiders.feed_rows import read_rows

MEGABYTE = 1 << 20
MOST_GROWTH = 24 * MEGABYTE
_WORDS = "A kettle of brushed steel with a lid that stays shut & a handle that stays cool. " * 4


def xml_feed() -> tuple[str, Callable[[int], str], str]:
    words = _WORDS.replace("&", "&amp;")

    def item(number: int) -> str:
        return (
            f"<item><g:id>{number}</g:id><title>Kettle {number}</title><link>https://shop.example/p/{number}</link>"
            f"<g:price>{number % 900 + 1}.90 EUR</g:price><g:description>{words}</g:description>"
            "<g:availability>in_stock</g:availability><g:shipping><g:country>DE</g:country><g:price>3.95 EUR</g:price>"
            "</g:shipping></item>\n"
        )

    start = '<?xml version="1.0"?><rss xmlns:g="http://base.google.com/ns/1.0"><channel><title>T</title>'
    return start, item, "</channel></rss>"


def text_feed() -> tuple[str, Callable[[int], str], str]:
    def item(number: int) -> str:
        return f'{number}\tKettle {number}\thttps://shop.example/p/{number}\t{number % 900 + 1}.90 EUR\t"{_WORDS}"\n'

    return "id\ttitle\tlink\tprice\tdescription\n", item, ""


def json_feed() -> tuple[str, Callable[[int], str], str]:
    def item(number: int) -> str:
        comma = "," if number else ""
        return (
            f'{comma}\n{{"id": "{number}", "title": "Kettle {number}", "link": "https://shop.example/p/{number}", '
            f'"price": {{"value": "{number % 900 + 1}.90", "currency": "EUR"}}, "description": "{_WORDS}"}}'
        )

    return '{"products": [', item, "]}"


def pieces(form: tuple[str, Callable[[int], str], str], size: int) -> Iterator[bytes]:
    """A feed of about `size` bytes, in pieces as the network brings them."""
    start, item, end = form
    waiting, sent, number = start.encode(), 0, 0
    while sent < size:
        while len(waiting) < 65_536:
            waiting += item(number).encode()
            number += 1
        sent += len(waiting)
        yield waiting
        waiting = b""
    yield end.encode()


def packed(plain: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(1, wbits=31)
    for piece in plain:
        yield packer.compress(piece)
    yield packer.flush()


def growth(feed: Iterator[bytes]) -> tuple[int, int]:
    """(offers read, bytes by which the process grew after the first ten thousand of them)."""
    process = psutil.Process()
    gc.collect()
    base = highest = 0
    count = 0
    for row in read_rows(gunzipped_if_gzip(feed, url="feed"), url="feed"):
        assert isinstance(read_item(row, "https://shop.example/feed"), RawOffer)
        count += 1
        if count % 5000 == 0:
            used = process.memory_info().rss
            base = base or (used if count >= 10_000 else 0)
            highest = max(highest, used)
    assert base, "the feed is too short to tell"
    return count, highest - base


FORMS = {"xml": xml_feed, "text": text_feed, "json": json_feed}


@pytest.mark.parametrize("form", sorted(FORMS))
def test_a_feed_of_twenty_megabytes_is_read_in_flat_memory(form: str) -> None:
    count, grown = growth(pieces(FORMS[form](), 20 * MEGABYTE))
    assert count > 20_000
    assert grown < MOST_GROWTH


@pytest.mark.prove
@pytest.mark.parametrize("form", sorted(FORMS))
def test_a_feed_of_a_gigabyte_is_read_in_flat_memory(form: str) -> None:
    count, grown = growth(packed(pieces(FORMS[form](), 1024 * MEGABYTE)))
    assert count > 1_000_000
    assert grown < MOST_GROWTH


def test_the_packed_feed_of_the_proof_is_a_feed() -> None:
    body = b"".join(packed(pieces(text_feed(), MEGABYTE)))
    assert len(list(read_rows([gzip.decompress(body)], url="feed"))) > 1000
