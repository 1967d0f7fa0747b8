"""Pages nested so deep that a parser would never be done are not parsed."""

from __future__ import annotations

import time

import pytest

from aggregator.domain.errors import UnreadableAnswer
from aggregator.domain.offers import InvalidOffer
from aggregator.fetching import Answer
from spiders.html_trees import is_too_deep, parse_html
from spiders.pages import select_page
from spiders.probe_evidence import as_page

MANY = 400_000


@pytest.mark.parametrize(
    "page",
    [
        "<div>" * MANY, "<div>" * MANY + "</div>" * MANY, "<b><div>" * MANY, "<ul><li>" * MANY,
        "<x>" * MANY + "<div></div>" * MANY, "<DIV\n class='a'>" * MANY,
    ],
    ids=["open", "closed", "mixed", "lists", "below unknown ones", "written otherwise"],
)  # fmt: skip
def test_endless_nesting_is_refused_at_once(page: str) -> None:
    before = time.process_time()
    with pytest.raises(UnreadableAnswer, match="nests its elements too deep"):
        parse_html(page, "https://shop.example/p")
    assert time.process_time() - before < 2


def test_a_page_nested_without_end_is_kept_as_unreadable() -> None:
    before = time.process_time()
    answer = Answer("https://shop.example/p", 200, {}, b"<div>" * MANY)
    (kept,) = select_page(answer).to_raw_offers()
    assert isinstance(kept, InvalidOffer)
    assert (kept.reason, kept.detail) == ("unreadable_page", "nests its elements too deep to be read")
    assert as_page(answer).text == ""
    assert time.process_time() - before < 3


@pytest.mark.parametrize(
    "page",
    [
        "<ul>" + "<li>one" * MANY + "</ul>", "<p>x" * MANY, "<br>" * MANY, "<div><span>a</span></div>" * MANY,
        "<table>" + "<tr><td>1<td>2" * MANY + "</table>", "<i>a</i> &lt; " * MANY, "plain text", "",
    ],
    ids=["items", "paragraphs", "breaks", "blocks", "rows", "letters", "text", "nothing"],
)  # fmt: skip
def test_long_pages_are_not_deep(page: str) -> None:
    assert not is_too_deep(page)


def test_the_deepest_page_that_is_parsed_takes_seconds_at_most() -> None:
    before = time.process_time()
    tree = parse_html("<div>" * 31_000 + "<h1>x</h1>\x00<p>after", "https://shop.example/p")
    assert time.process_time() - before < 10
    found = tree.css_first("p")
    assert found is not None
    assert found.text() == "after"
