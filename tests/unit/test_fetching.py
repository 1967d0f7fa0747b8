"""The fetcher's rules: robots, patience, redirects, limits."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from decimal import Decimal

import httpx
import pytest

from aggregator.domain.errors import FetchFailed, FetchRefused, Throttled, UnreadableAnswer
from aggregator.fetching import Answer, Fetcher, Politeness, RobotsRules, retry_after_seconds
from aggregator.fetching.politeness import read_robots
from aggregator.settings import Settings

Handler = Callable[[httpx.Request], httpx.Response]


class Site:
    """Answers by path; keeps what was asked and how long the fetcher slept."""

    def __init__(
        self, *, settings: Settings | None = None, obey_robots: bool = False, **pages: object
    ) -> None:
        self.asked: list[str] = []
        self.slept: list[float] = []
        self.pages = pages
        self.requests: list[httpx.Request] = []
        self.fetcher = Fetcher(
            settings or Settings(),
            obey_robots=obey_robots,
            transport=httpx.MockTransport(self.answer),
            sleep=self.slept.append,
        )

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url))
        self.requests.append(request)
        page = self.pages.get(request.url.path.strip("/").replace(".", "_"), httpx.Response(404))
        if isinstance(page, list):
            page = page.pop(0)
        if isinstance(page, Exception):
            raise page
        assert isinstance(page, httpx.Response)
        return page


def test_names_itself_with_the_operators_contact() -> None:
    site = Site(
        settings=Settings(contact="https://me.example/bot\r\nX: 1"), a=httpx.Response(200, text="hello")
    )
    answer = site.fetcher.get("https://shop.example/a")
    assert (answer.status, answer.text, answer.url) == (200, "hello", "https://shop.example/a")
    assert site.requests[0].headers["user-agent"].startswith("Click2Cart/")
    assert site.requests[0].headers["user-agent"].endswith(" (+https://me.example/botX: 1)")
    assert (site.fetcher.requests, site.fetcher.bytes_received) == (1, 5)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/", "http://[::1]:80/", "http://169.254.169.254/latest/", "http://10.0.0.1/", "file:///etc/passwd",
        "ftp://shop.example/", "http://u:p@shop.example/", "http://192.168.0.1:8080/",
    ],
)  # fmt: skip
def test_refuses_private_and_odd_addresses_before_any_request(url: str) -> None:
    site = Site()
    with pytest.raises(FetchRefused):
        site.fetcher.get(url)
    assert site.asked == []


def test_every_redirect_is_checked_again() -> None:
    site = Site(a=httpx.Response(302, headers={"location": "http://169.254.169.254/latest/meta-data"}))
    with pytest.raises(FetchRefused, match="no address of the open internet"):
        site.fetcher.get("https://shop.example/a")
    assert site.asked == ["https://shop.example/a"]


def test_follows_five_redirects_and_notes_a_downgrade() -> None:
    hops = {f"a{n}": httpx.Response(301, headers={"location": f"/a{n + 1}"}) for n in range(4)}
    site = Site(
        **hops,
        a4=httpx.Response(301, headers={"location": "http://shop.example/end"}),
        end=httpx.Response(200),
    )
    answer = site.fetcher.get("https://shop.example/a0")
    assert (answer.url, answer.is_downgraded) == ("http://shop.example/end", True)


def test_gives_up_on_a_redirect_loop() -> None:
    site = Site(a=httpx.Response(302, headers={"location": "/a"}))
    with pytest.raises(FetchRefused, match="more than 5 times"):
        site.fetcher.get("https://shop.example/a")
    assert len(site.asked) == 6


def test_own_headers_do_not_travel_to_another_origin() -> None:
    site = Site(a=httpx.Response(302, headers={"location": "https://other.example/b"}), b=httpx.Response(200))
    site.fetcher.get("https://shop.example/a", headers={"X-Token": "secret"})
    assert [request.headers.get("x-token") for request in site.requests] == ["secret", None]


def test_waits_as_long_as_the_store_asks() -> None:
    site = Site(a=[httpx.Response(429, headers={"retry-after": "7"}), httpx.Response(200, text="ok")])
    assert site.fetcher.get("https://shop.example/a").text == "ok"
    assert max(site.slept) == pytest.approx(7, abs=0.5)


def test_a_wait_beyond_its_patience_is_throttled() -> None:
    site = Site(a=[httpx.Response(429, headers={"retry-after": "3600"})])
    with pytest.raises(Throttled) as caught:
        site.fetcher.get("https://shop.example/a")
    assert (caught.value.status, caught.value.retry_after, caught.value.retryable) == (429, 3600.0, True)
    assert len(site.asked) == 1


def test_patience_is_bounded_over_all_waits() -> None:
    site = Site(a=[httpx.Response(429, headers={"retry-after": "25"}) for _ in range(9)])
    with pytest.raises(Throttled):
        site.fetcher.get("https://shop.example/a")
    assert len(site.asked) == 3


@pytest.mark.parametrize("asked", ["0", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_a_store_that_is_to_be_asked_again_at_once_for_ever_is_left_alone(asked: str) -> None:
    site = Site(a=[httpx.Response(429, headers={"retry-after": asked}) for _ in range(99)])
    with pytest.raises(Throttled):
        site.fetcher.get("https://shop.example/a")
    assert 3 <= len(site.asked) <= 8
    assert 20 < sum(site.slept) <= 70


def test_retries_errors_of_the_server_and_the_network() -> None:
    site = Site(a=[httpx.Response(500), httpx.ConnectError("down"), httpx.Response(200, text="up")])
    assert site.fetcher.get("https://shop.example/a").text == "up"


def test_a_server_that_stays_broken_fails() -> None:
    site = Site(a=[httpx.Response(500) for _ in range(9)])
    with pytest.raises(FetchFailed, match="HTTP 500") as caught:
        site.fetcher.get("https://shop.example/a")
    assert caught.value.status == 500
    assert len(site.asked) == 3


def test_other_statuses_are_answers() -> None:
    answer = Site().fetcher.get("https://shop.example/missing")
    assert answer.status == 404
    with pytest.raises(FetchFailed, match="HTTP 404"):
        answer.expect_ok()


def test_refuses_a_bomb_while_it_unfolds() -> None:
    bomb = gzip.compress(b"\0" * 30_000_000)
    site = Site(a=httpx.Response(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(bomb)))
    with pytest.raises(FetchRefused, match="larger than 1,000,000 bytes"):
        site.fetcher.get("https://shop.example/a", max_bytes=1_000_000)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [("gzip", gzip.compress(b"hello", mtime=0)), ("deflate", zlib.compress(b"hello")), ("", b"hello")],
)
def test_undoes_the_encodings_it_asks_for(encoding: str, body: bytes) -> None:
    headers = {"content-encoding": encoding} if encoding else {}
    site = Site(a=httpx.Response(200, headers=headers, stream=httpx.ByteStream(body)))
    assert site.fetcher.get("https://shop.example/a").body == b"hello"


@pytest.mark.parametrize(
    ("encoding", "body"),
    [("br", b"x"), ("gzip", b"no gzip"), ("gzip", gzip.compress(b"cut off", mtime=0)[:-9])],
)
def test_a_broken_or_foreign_encoding_is_unreadable(encoding: str, body: bytes) -> None:
    site = Site(a=httpx.Response(200, headers={"content-encoding": encoding}, stream=httpx.ByteStream(body)))
    with pytest.raises(UnreadableAnswer):
        site.fetcher.get("https://shop.example/a")


def test_streams_a_gzipped_file_whatever_it_is_called() -> None:
    body = gzip.compress(b"id\ttitle\n" * 50_000)
    site = Site(feed=httpx.Response(200, stream=httpx.ByteStream(body)))
    assert b"".join(site.fetcher.stream("https://shop.example/feed")) == b"id\ttitle\n" * 50_000
    site.pages["feed"] = httpx.Response(200, stream=httpx.ByteStream(body))
    with pytest.raises(FetchRefused, match="larger"):
        list(site.fetcher.stream("https://shop.example/feed", max_bytes=100_000))


def test_a_body_that_breaks_off_is_asked_for_once_more() -> None:
    class Broken(httpx.SyncByteStream):
        def __iter__(self):
            yield b"half"
            raise httpx.ReadError("reset")

    site = Site(a=[httpx.Response(200, stream=Broken()), httpx.Response(200, text="whole")])
    assert site.fetcher.get("https://shop.example/a").text == "whole"


def test_json_has_decimals_and_no_nan() -> None:
    def answer(body: str) -> Answer:
        return Answer("https://shop.example/a", 200, {}, body.encode())

    assert answer('\ufeff{"price": 19.99}').json() == {"price": Decimal("19.99")}
    for broken in ('{"price": NaN}', '{"price": ', "<html>", "[" * 100_000, "1" * 5000, "\xff"):
        with pytest.raises(UnreadableAnswer):
            answer(broken).json()


def test_truncated_json_is_asked_for_once_more() -> None:
    site = Site(a=[httpx.Response(200, text='{"a": '), httpx.Response(200, text=json.dumps({"a": 1}))])
    assert site.fetcher.get_json("https://shop.example/a")[1] == {"a": 1}


def test_a_budget_counts_every_request() -> None:
    site = Site(a=httpx.Response(200))
    site.fetcher._budget = 2
    site.fetcher.get("https://shop.example/a")
    site.fetcher.get("https://shop.example/a")
    with pytest.raises(FetchRefused, match="budget of 2 requests"):
        site.fetcher.get("https://shop.example/a")


ROBOTS = """User-agent: click2cart
Disallow: /private
Allow: /private/ok
Crawl-delay: 3

User-agent: *
Disallow: /
Sitemap: https://shop.example/s.xml
"""


def test_obeys_robots_by_its_own_name() -> None:
    site = Site(obey_robots=True, robots_txt=httpx.Response(200, text=ROBOTS), a=httpx.Response(200))
    site.fetcher.get("https://shop.example/a")
    with pytest.raises(FetchRefused, match=r"robots.txt forbids it for Click2Cart"):
        site.fetcher.get("https://shop.example/private/b")
    assert site.asked == ["https://shop.example/robots.txt", "https://shop.example/a"]
    assert site.fetcher.robots("https://shop.example/x").sitemaps == ["https://shop.example/s.xml"]
    assert site.slept[-1] == pytest.approx(0.5, abs=0.1)
    site.fetcher.get("https://shop.example/a")
    assert site.slept[-1] == pytest.approx(3, abs=0.6)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (200, "read"), (404, "none"), (401, "none"), (403, "none"), (410, "none"),
        (429, "unreachable"), (500, "unreachable"), (503, "unreachable"), (None, "unreachable"),
    ],
)  # fmt: skip
def test_robots_by_status(status: int | None, state: str) -> None:
    rules = read_robots(status, "User-agent: *\nDisallow: /x\n")
    assert rules.state == state
    assert rules.allows("https://shop.example/a") is (state != "unreachable")
    assert rules.allows("https://shop.example/x") is (state == "none")


def test_nothing_is_fetched_while_robots_cannot_be_read() -> None:
    site = Site(obey_robots=True, robots_txt=[httpx.Response(500) for _ in range(9)], a=httpx.Response(200))
    with pytest.raises(FetchRefused, match="cannot be read"):
        site.fetcher.get("https://shop.example/a")
    assert set(site.asked) == {"https://shop.example/robots.txt"}


def test_robots_found_by_a_redirect_count_for_the_origin_they_are_of_too() -> None:
    moved = httpx.Response(301, headers={"location": "https://www.shop.example/robots.txt"})
    site = Site(obey_robots=True, robots_txt=[moved, httpx.Response(200, text=ROBOTS)], a=httpx.Response(200))
    assert site.fetcher.robots("https://shop.example/").state == "read"
    site.fetcher.get("https://www.shop.example/a")
    assert site.asked == [
        "https://shop.example/robots.txt",
        "https://www.shop.example/robots.txt",
        "https://www.shop.example/a",
    ]


def test_robots_are_kept_for_a_day() -> None:
    now = [0.0]
    politeness = Politeness(clock=lambda: now[0])
    politeness.keep_rules("https://a.example", read_robots(404, ""))
    politeness.keep_rules("https://b.example", read_robots(None, ""))
    now[0] = 3600.0
    assert isinstance(politeness.kept_rules("https://a.example"), RobotsRules)
    assert politeness.kept_rules("https://b.example") is None
    now[0] = 24 * 3600.0
    assert politeness.kept_rules("https://a.example") is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("12", 12.0), (" 0 ", 0.0), ("", None), (None, None), ("soon", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
    ],
)  # fmt: skip
def test_reads_retry_after(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header) == seconds
