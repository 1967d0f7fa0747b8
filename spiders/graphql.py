"""Asking a store's GraphQL API: one question, its data, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aggregator.domain.errors import FetchFailed, FetchRefused, UnreadableAnswer
from aggregator.fetching import Fetcher
from spiders.untrusted import mapping, rows, text

# Servers word a question that asks for too much in these ways; a smaller page may pass.
_TOO_MUCH = ("cost", "complex", "more than", "too many", "exceed", "limit")


class GraphQLProblem(UnreadableAnswer):
    """The API answered with errors; `messages` are its own words."""

    def __init__(self, url: str, messages: tuple[str, ...]) -> None:
        self.messages = messages
        super().__init__(url, f"answers with an error ({messages[0]})")

    @property
    def asks_for_less(self) -> bool:
        """Whether the question was too big rather than wrong."""
        words = " ".join(self.messages).lower()
        return any(word in words for word in _TOO_MUCH)


def ask_graphql(
    fetcher: Fetcher,
    url: str,
    query: str,
    variables: Mapping[str, Any] | None = None,
    *,
    headers: Mapping[str, str] | None = None,
) -> Mapping[str, Any]:
    """The `data` of the answer, numbers with a fraction as Decimals.

    Raises GraphQLProblem where the answer holds errors (they come with HTTP 200 and 400 alike), FetchRefused
    for 401 and 403, FetchFailed for another status, UnreadableAnswer for what is no GraphQL answer.
    """
    question = {"query": " ".join(query.split()), "variables": dict(variables or {})}
    try:
        return _ask(fetcher, url, question, headers)
    except GraphQLProblem:
        raise
    except UnreadableAnswer:
        return _ask(fetcher, url, question, headers)


def _ask(
    fetcher: Fetcher, url: str, question: Mapping[str, Any], headers: Mapping[str, str] | None
) -> Mapping[str, Any]:
    answer = fetcher.post_json(url, question, headers={"Accept": "application/json", **(headers or {})})
    if answer.status in {401, 403}:
        raise FetchRefused(url, f"wants a valid key (HTTP {answer.status})")
    if answer.status not in {200, 400, 422}:
        raise FetchFailed(url, f"answered HTTP {answer.status}", status=answer.status)
    document = mapping(answer.json())
    messages = tuple(
        message
        for error in rows(document.get("errors"))
        if (message := text(mapping(error).get("message"), 300) or "no message")
    )
    if messages:
        raise GraphQLProblem(url, messages)
    data = document.get("data")
    if answer.status != 200 or not isinstance(data, dict):
        raise UnreadableAnswer(url, "is no answer to a GraphQL question")
    return data
