"""Sitemaps: indexes, gzip, loops, bounds, and knowing when they were not read to the end."""

from __future__ import annotations

import gzip

import httpx
import pytest

from aggregator.domain.errors import FetchFailed, FetchRefused
from aggregator.fetching import Fetcher
from aggregator.settings import Settings
from spiders.sitemaps import SitemapListing, chosen_sitemaps

SITE = "https://shop.example"


def urls(*paths: str) -> bytes:
    return (
        '<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
        + "".join(f"<url><loc>{path}</loc><lastmod>2026-01-01</lastmod></url>" for path in paths)
        + "</urlset>"
    ).encode()


def index(*paths: str) -> bytes:
    entries = "".join(f"<sitemap><loc>{path}</loc></sitemap>" for path in paths)
    return (
        f'<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{entries}</sitemapindex>'.encode()
    )


def listing(
    pages: dict[str, bytes], *, most_pages: int = 1000, sitemap_url: str | None = None
) -> SitemapListing:
    def answer(request: httpx.Request) -> httpx.Response:
        body = pages.get(request.url.path)
        return httpx.Response(404) if body is None else httpx.Response(200, content=body)

    fetcher = Fetcher(Settings(), transport=httpx.MockTransport(answer), sleep=lambda seconds: None)
    return SitemapListing(fetcher, SITE, sitemap_url=sitemap_url, most_pages=most_pages)


def test_reads_what_robots_names_through_index_and_gzip_each_page_once() -> None:
    pages = {
        "/robots.txt": f"Sitemap: {SITE}/index.xml".encode(),
        "/index.xml": index(f"{SITE}/a.xml.gz", f"{SITE}/b.xml"),
        "/a.xml.gz": gzip.compress(urls(f"{SITE}/1", f"{SITE}/2")),
        "/b.xml": urls(f"{SITE}/2", "/3?a=1&amp;b=2", "https://other.example/4", "javascript:5"),
    }
    read = listing(pages)
    assert list(read.pages()) == [f"{SITE}/1", f"{SITE}/2", f"{SITE}/3?a=1&b=2"]
    assert (read.problem, read.sitemaps_read) == (None, 3)


def test_finds_the_usual_places() -> None:
    assert list(listing({"/wp-sitemap.xml": urls(f"{SITE}/1")}).pages()) == [f"{SITE}/1"]
    assert list(listing({"/sitemap.xml": b"https://shop.example/1\nhttps://shop.example/2\n"}).pages()) == [
        f"{SITE}/1",
        f"{SITE}/2",
    ]


def test_a_shop_without_sitemap_is_refused_with_the_remedy() -> None:
    with pytest.raises(FetchRefused, match="--set sitemap_url="):
        list(listing({}).pages())


def test_a_given_sitemap_that_is_not_there_fails() -> None:
    with pytest.raises(FetchFailed, match="404"):
        list(listing({}, sitemap_url=f"{SITE}/mine.xml").pages())


def test_loops_end() -> None:
    read = listing(
        {
            "/sitemap.xml": index(f"{SITE}/sitemap.xml", f"{SITE}/b.xml"),
            "/b.xml": index(f"{SITE}/sitemap.xml"),
        }
    )
    assert list(read.pages()) == []
    assert (read.problem, read.sitemaps_read) == (None, 2)


def test_too_deep_and_too_many_are_noted() -> None:
    deep = {"/sitemap.xml": index(f"{SITE}/1.xml")} | {
        f"/{n}.xml": index(f"{SITE}/{n + 1}.xml") for n in range(1, 9)
    }
    read = listing(deep)
    assert list(read.pages()) == []
    assert read.problem is not None
    assert "deeper than 3 levels" in read.problem
    read = listing({"/sitemap.xml": urls(*(f"{SITE}/{n}" for n in range(9)))}, most_pages=5)
    assert len(list(read.pages())) == 5
    assert read.problem is not None
    assert "more than the 5 pages" in read.problem


@pytest.mark.parametrize(
    "broken",
    [urls(f"{SITE}/1")[:-12], b"<html></html>", b"", b"not a sitemap", gzip.compress(urls("x"))[:-8]],
)
def test_a_sitemap_that_was_not_read_to_its_end_is_noted(broken: bytes) -> None:
    pages = {
        "/sitemap.xml": index(f"{SITE}/a.xml", f"{SITE}/b.xml"),
        "/a.xml": broken,
        "/b.xml": urls(f"{SITE}/9"),
    }
    read = listing(pages)
    assert f"{SITE}/9" in list(read.pages())
    assert read.problem is not None
    assert "/a.xml" in read.problem


def test_a_missing_part_is_noted() -> None:
    read = listing({"/sitemap.xml": index(f"{SITE}/a.xml", f"{SITE}/b.xml"), "/b.xml": urls(f"{SITE}/9")})
    assert list(read.pages()) == [f"{SITE}/9"]
    assert read.problem == f"{SITE}/a.xml: answered HTTP 404"


def test_of_an_index_only_the_product_sitemaps_are_chosen() -> None:
    products = [f"{SITE}/sitemap_products_1.xml", f"{SITE}/wp-sitemap-posts-product-1.xml"]
    assert chosen_sitemaps([*products, f"{SITE}/blog.xml"]) == products
    assert chosen_sitemaps([f"{SITE}/1.xml", f"{SITE}/2.xml"]) == [f"{SITE}/1.xml", f"{SITE}/2.xml"]
