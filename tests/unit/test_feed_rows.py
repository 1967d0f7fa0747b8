"""Rows of feeds in their many forms."""

from __future__ import annotations

import pytest

from aggregator.domain.errors import UnreadableAnswer
from spiders.feed_rows import Row, read_rows

RSS = (
    '<rss xmlns:g="http://base.google.com/ns/1.0"><channel><title>T</title><item><g:id>1</g:id>'
    "<title>A &amp; B</title><g:gtin>1</g:gtin><g:gtin>2</g:gtin><g:shipping><g:price>3 EUR</g:price></g:shipping>"
    "</item><item><g:id>2</g:id><title></title></item></channel></rss>\n"
)


def rows(body: bytes, piece: int = 1_000_000) -> list[Row]:
    pieces = [body[start : start + piece] for start in range(0, len(body), piece)]
    return list(read_rows(pieces, url="https://shop.example/feed"))


@pytest.mark.parametrize("piece", [1, 7, 64, 1_000_000])
def test_xml_is_read_however_it_is_cut_into_pieces(piece: int) -> None:
    expected = [
        {"id": "1", "title": "A & B", "gtin": ["1", "2"], "shipping": {"price": "3 EUR"}},
        {"id": "2"},
    ]
    assert rows(RSS.encode(), piece) == expected
    assert rows(b"\xef\xbb\xbf" + RSS.encode(), piece) == expected


def test_unescaped_ampersands_and_html_entities_do_not_end_a_feed() -> None:
    read = rows(RSS.replace("A &amp; B", "A & B&nbsp;C").encode())
    assert [row["id"] for row in read] == ["1", "2"]
    assert str(read[0]["title"]).startswith("A ")


def test_atom_has_its_link_in_an_attribute() -> None:
    links = '<link rel="self" href="/x"/><link href="/y"/>'
    atom = f'<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>1</id>{links}</entry></feed>'
    assert rows(atom.encode()) == [{"id": "1", "link": "/y"}]


def test_text_feeds_with_tabs_commas_and_quotes() -> None:
    tabs = 'id\ttitle\tlink\timage link\n1\tA "q"\thttps://a\t\n\n2\tB\thttps://b\thttps://i\n'
    assert rows(tabs.encode()) == [
        {"id": "1", "title": 'A "q"', "link": "https://a"},
        {"id": "2", "title": "B", "link": "https://b", "image_link": "https://i"},
    ]
    commas = '\ufeffid,title,link\r\n1,"A, ""x""\r\nmore",https://a\r\n'
    assert rows(commas.encode(), 5) == [{"id": "1", "title": 'A, "x"\r\nmore', "link": "https://a"}]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"<html><body>Not found</body></html",
        RSS.encode()[:-9],
        RSS.encode()[:120],
        b"<rss>" + b"<x>" * 6000,
        b"a,b,c\n1,2,3\n",
        b"id,title,link\n" + b"x" * 3_000_000,
    ],
)
def test_what_is_cut_or_no_feed_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        rows(body)


def test_entities_are_never_expanded() -> None:
    bomb = '<!DOCTYPE rss [<!ENTITY a "xxxxxxxxxx"><!ENTITY b "&a;&a;&a;">]>' + RSS.replace(
        "A &amp; B", "&b;&b;"
    )
    assert "xxx" not in str(rows(bomb.encode()))
    external = '<!DOCTYPE rss [<!ENTITY f SYSTEM "file:///etc/passwd">]>' + RSS.replace("A &amp; B", "&f;")
    assert "root" not in str(rows(external.encode()))


def test_an_export_of_products_is_read_and_other_xml_is_no_empty_feed() -> None:
    assert rows(b"<products><product><sku>1</sku><name>A</name><url>/a</url></product></products>") == [
        {"sku": "1", "name": "A", "url": "/a", "id": "1", "title": "A", "link": "/a"}
    ]
    assert rows(b"<rss><channel><title>T</title></channel></rss>") == []
    with pytest.raises(UnreadableAnswer, match="is XML, but no feed"):
        rows(b"<html><body><p>Sign in</p></body></html>")
