"""What the fetcher posts: the same guard, robots and patience as for what it gets."""

from __future__ import annotations

import json

import httpx
import pytest

from aggregator.domain.errors import FetchFailed, FetchRefused, Throttled
from aggregator.fetching import Fetcher
from aggregator.settings import Settings
from tests.unit.test_fetching import Site


def test_posts_a_json_document_with_its_headers() -> None:
    site = Site(graphql=httpx.Response(200, json={"data": {}}))
    answer = site.fetcher.post_json(
        "https://shop.example/graphql", {"query": "{größe}"}, headers={"X-Token": "t"}
    )
    (request,) = site.requests
    assert (request.method, answer.json()) == ("POST", {"data": {}})
    assert json.loads(request.content) == {"query": "{größe}"}
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-token"] == "t"
    assert (site.fetcher.requests, site.fetcher.bytes_received) == (1, len(answer.body))


def test_posts_a_form() -> None:
    site = Site(token=httpx.Response(200, json={"access_token": "a"}))
    site.fetcher.post_form("https://shop.example/token", {"grant_type": "x y", "scope": "a&b"})
    assert site.requests[0].content == b"grant_type=x+y&scope=a%26b"
    assert site.requests[0].headers["content-type"] == "application/x-www-form-urlencoded"


def test_a_status_is_an_answer_to_a_post_too() -> None:
    answer = Site(graphql=httpx.Response(400, text="no")).fetcher.post_json(
        "https://shop.example/graphql", {}
    )
    assert (answer.status, answer.text) == (400, "no")


def test_what_is_posted_is_sent_again_with_its_body() -> None:
    site = Site(a=[httpx.Response(502), httpx.ConnectError("down"), httpx.Response(200, text="up")])
    assert site.fetcher.post_json("https://shop.example/a", [1]).text == "up"
    assert [request.content for request in site.requests] == [b"[1]"] * 3
    patience = Site(a=httpx.Response(429, headers={"retry-after": "3600"}))
    with pytest.raises(Throttled):
        patience.fetcher.post_json("https://shop.example/a", [1])
    broken = Site(a=[httpx.Response(500) for _ in range(9)])
    with pytest.raises(FetchFailed, match="HTTP 500"):
        broken.fetcher.post_json("https://shop.example/a", [1])


def test_a_post_follows_only_redirects_that_keep_its_body_at_home() -> None:
    site = Site(a=httpx.Response(308, headers={"location": "/b"}), b=httpx.Response(200, text="here"))
    assert site.fetcher.post_json("https://shop.example/a", {"q": 1}).url == "https://shop.example/b"
    assert [request.content for request in site.requests] == [b'{"q":1}'] * 2
    for status, target in ((302, "/b"), (307, "https://other.example/b"), (307, "http://10.0.0.1/")):
        site = Site(a=httpx.Response(status, headers={"location": target}), b=httpx.Response(200))
        with pytest.raises(FetchRefused):
            site.fetcher.post_json("https://shop.example/a", {"client_secret": "s"})
        assert site.asked == ["https://shop.example/a"]


def test_a_post_obeys_guard_robots_and_size() -> None:
    closed = Site(
        obey_robots=True,
        robots_txt=httpx.Response(200, text="User-agent: *\nDisallow: /api/\n"),
        graphql=httpx.Response(200, text="x" * 100),
    )
    with pytest.raises(FetchRefused, match=r"robots\.txt forbids it"):
        closed.fetcher.post_json("https://shop.example/api/graphql", {})
    with pytest.raises(FetchRefused, match="no address of the open internet"):
        closed.fetcher.post_json("http://169.254.169.254/", {})
    with pytest.raises(FetchRefused, match="larger than 50 bytes"):
        closed.fetcher.post_json("https://shop.example/graphql", {}, max_bytes=50)
    assert closed.asked == ["https://shop.example/robots.txt", "https://shop.example/graphql"]


def test_what_is_handed_over_waits_for_no_turn_and_a_crawl_does() -> None:
    for keep_gaps, slept in ((True, 1), (False, 0)):
        site = Site(a=[httpx.Response(201), httpx.Response(201)])
        fetcher = Fetcher(
            Settings(),
            obey_robots=False,
            keep_gaps=keep_gaps,
            transport=httpx.MockTransport(site.answer),
            sleep=site.slept.append,
        )
        for _ in range(2):
            assert fetcher.post_bytes("https://push.example/a", b"\x00\xff").status == 201
        assert len(site.slept) == slept
        assert site.requests[1].headers["content-type"] == "application/octet-stream"
