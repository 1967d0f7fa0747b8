"""How an operation of the API is declared: from one declaration come its checks and its part of the OpenAPI file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any

from flask import Response, request
from pydantic import BaseModel, ConfigDict, ValidationError

from aggregator.domain.errors import InvalidInput
from web.api.repetition import answered_once
from web.errors import problem

_JSON = "application/json"


class Given(BaseModel):
    """What a caller sends: nothing beyond what is declared, and no value of another type."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Told(BaseModel):
    """What the API answers."""

    model_config = ConfigDict(frozen=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one address. `answers` maps success statuses to what comes with them."""

    summary: str
    detail: str
    query: type[BaseModel] | None
    body: type[Given] | None
    answers: Mapping[int, type[Told] | None]
    errors: tuple[int, ...]
    is_guarded: bool


def operation(
    summary: str,
    *,
    query: type[BaseModel] | None = None,
    body: type[Given] | None = None,
    answer: type[Told] | None = None,
    status: int = 200,
    also: Mapping[int, type[Told] | None] | None = None,
    errors: tuple[int, ...] = (),
    current: Callable[..., Told] | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Response]]:
    """Declare a view as an operation; stands between the route and the function, whose docstring is its description.

    The view gets `query` and `body` read and checked, and returns the answer, (the answer, status), or a Response.
    With `current`, which locks what is to be changed and returns it as GET shows it, `If-Match` is honoured; without,
    a change that asks for it is refused, for nobody could keep that promise.
    """
    answers: dict[int, type[Told] | None] = {status: answer, **(also or {})}

    def declare(view: Callable[..., Any]) -> Callable[..., Response]:
        @wraps(view)
        def run(**arguments: Any) -> Response:
            if query is not None:
                arguments["query"] = read_query(query)
            if body is not None:
                arguments["body"] = read_body(body)
            if request.method in {"GET", "HEAD"}:
                return _conditional(_tagged(_response(view(**arguments), status)))

            def change() -> Response:
                if request.if_match and (refused := _unmatched(current)):
                    return refused
                return _response(view(**arguments), status)

            return _tagged(answered_once(change))

        run.__dict__["operation"] = Operation(
            summary=summary,
            detail=view.__doc__ or "",
            query=query,
            body=body,
            answers=answers,
            errors=errors,
            is_guarded=current is not None,
        )
        return run

    return declare


def read_query(form: type[BaseModel]) -> Any:
    """The address's parameters as the model; raises InvalidInput with the first one that is wrong."""
    lists = {
        field.alias or name
        for name, field in form.model_fields.items()
        if str(field.annotation).startswith(("list", "tuple"))
    }
    given = {
        name: request.args.getlist(name) if name in lists else request.args[name] for name in request.args
    }
    return _read(form, given, "query")


def read_body(form: type[Given]) -> Any:
    """The JSON body as the model; raises InvalidInput with the first place that is wrong."""
    if not request.is_json:
        raise InvalidInput("the body is not JSON", place="Content-Type", remedy="send application/json")
    try:
        given = json.loads(request.get_data(), parse_constant=_no_number)
        if not _is_text(given):
            raise ValueError("no text that can be kept")
    except (ValueError, RecursionError) as error:
        raise InvalidInput("the body is not JSON", place="body", remedy="send a JSON object") from error
    return _read(form, given, "body")


def _read(form: type[BaseModel], given: Any, where: str) -> Any:
    try:
        return form.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or where
        raise InvalidInput(str(first["msg"]), place=place) from error


def _is_text(given: Any) -> bool:
    """Whether all text in it can be kept: no null characters (PostgreSQL), no halves of surrogate pairs (RFC 7493)."""
    if isinstance(given, str):
        return "\0" not in given and (
            given.isascii() or not any("\ud800" <= one <= "\udfff" for one in given)
        )
    if isinstance(given, dict):
        return all(_is_text(one) for pair in given.items() for one in pair)
    return not isinstance(given, list) or all(map(_is_text, given))


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no JSON")


def entity_tag(body: bytes) -> str:
    """The strong tag of an answer."""
    return hashlib.sha256(body).hexdigest()[:32]


def _response(result: Any, status: int) -> Response:
    if isinstance(result, Response):
        return result
    told, status = result if isinstance(result, tuple) else (result, status)
    if told is None:
        return Response(status=204 if status == 200 else status)
    return told_with(told, status)


def told_with(told: Told, status: int) -> Response:
    """An answer as a response, for views that add headers or cookies to it."""
    return Response(written(told), status, content_type=_JSON)


def written(told: Told) -> bytes:
    """An answer as JSON."""
    return told.model_dump_json(by_alias=True).encode()


def _tagged(answer: Response) -> Response:
    if answer.content_type == _JSON:
        answer.set_etag(entity_tag(answer.get_data()))
    return answer


def _conditional(answer: Response) -> Response:
    if answer.status_code == 200:
        answer.make_conditional(request)
    return answer


def _unmatched(current: Callable[..., Told] | None) -> Response | None:
    if current is None:
        return problem(412, "This is changed without If-Match alone: no version of it is kept.")
    if request.if_match.contains(entity_tag(written(current()))):
        return None
    return problem(412, "It was changed meanwhile: read it again, then decide.")
