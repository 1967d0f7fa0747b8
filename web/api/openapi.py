"""The API's description in OpenAPI 3.1, made from the declarations of its operations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from flask import current_app
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from werkzeug.routing import Rule

from web.api.operations import Operation, Told
from web.permissions import declared_audience, scope_of

_REF = "#/components/schemas/{model}"
_PUBLIC_ID = {"type": "string", "pattern": "^[a-z0-9]+$", "maxLength": 40}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
    "description": "Sent again with its key within a day, a request changes nothing more and gets the first answer.",
}
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "schema": {"type": "string", "pattern": '^"[0-9a-f]{32}"$'},
    "description": "The ETag of what you read; where it has changed since, the answer is 412.",
}


class Problem(Told):
    """What went wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str


def describe() -> dict[str, Any]:
    """The OpenAPI document of this application's operations."""
    operations = sorted(_operations(), key=lambda each: (each[0].rule, each[1]))
    models: dict[tuple[type[BaseModel], Any], None] = {(Problem, "serialization"): None}
    for _rule, _method, declared in operations:
        for form in (declared.query, declared.body):
            if form is not None:
                models[(form, "validation")] = None
        for told in declared.answers.values():
            if told is not None:
                models[(told, "serialization")] = None
    references, definitions = models_json_schema(list(models), ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for rule, method, declared in operations:
        path = re.sub(r"<(?:[^:>]+:)?([^>]+)>", r"{\1}", rule.rule)
        paths.setdefault(path, {})[method.lower()] = _operation(
            rule, method, declared, references, definitions
        )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Click2Cart",
            "version": version("click2cart"),
            "summary": "Products and offers of many stores, one cart for all of them, and the cheapest way to buy it.",
            "description": (
                "Amounts are strings in major units with their currency, instants RFC 3339 in UTC, ids opaque. Errors "
                "are problem documents (RFC 9457). Lists go on at `next`. A browser's own cookies open what is its "
                "visitor's; programs send a bearer token, made on the account's page."
            ),
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in sorted({_tag(rule) for rule, _m, _d in operations})],
        "paths": paths,
        "components": {
            "schemas": definitions.get("$defs", {}),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API token, or an app's access token.",
                },
                "cookie": {"type": "apiKey", "in": "cookie", "name": "click2cart_account"},
            },
        },
    }


def _operations() -> Iterator[tuple[Rule, str, Operation]]:
    for rule in current_app.url_map.iter_rules():
        declared = getattr(current_app.view_functions[rule.endpoint], "operation", None)
        if isinstance(declared, Operation):
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                yield rule, method, declared


def _operation(
    rule: Rule, method: str, declared: Operation, references: Any, definitions: dict[str, Any]
) -> dict[str, Any]:
    audience = declared_audience(rule.endpoint)
    scope = scope_of(rule.endpoint, method)
    is_change = method != "GET"
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": _path_schema(rule, name)}
        for name in sorted(rule.arguments)
    ]
    if declared.query is not None:
        parameters += _query_parameters(references[(declared.query, "validation")], definitions)
    if is_change:
        parameters.append(_KEY)
    if declared.is_guarded:
        parameters.append(_IF_MATCH)
    described: dict[str, Any] = {
        "operationId": rule.endpoint.replace(".", "_"),
        "summary": declared.summary,
        "description": declared.detail.strip(),
        "tags": [_tag(rule)],
        "parameters": parameters,
        "responses": _responses(rule, method, declared, audience, references),
    }
    known = {"token": [scope] if scope else []}
    described["security"] = [{"cookie": []}, known] if audience != "anyone" else [{}, {"cookie": []}, known]
    if declared.body is not None:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": references[(declared.body, "validation")]}},
        }
    return described


def _responses(
    rule: Rule, method: str, declared: Operation, audience: str | None, references: Any
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for status, told in declared.answers.items():
        entry: dict[str, Any] = {"description": HTTPStatus(status).phrase}
        if told is not None:
            entry["content"] = {"application/json": {"schema": references[(told, "serialization")]}}
        found[str(status)] = entry
    errors = {400, 401, 403, 429, 503, *declared.errors}
    if rule.arguments:
        errors.add(404)
    if method != "GET":
        errors |= {412, 413, 415, 422}
    problem = {"application/problem+json": {"schema": references[(Problem, "serialization")]}}
    for status in sorted(errors):
        found[str(status)] = {"description": HTTPStatus(status).phrase, "content": problem}
    if method == "GET":
        found["304"] = {"description": "Not changed since the ETag in If-None-Match"}
    return found


def _query_parameters(reference: dict[str, Any], definitions: dict[str, Any]) -> Iterator[dict[str, Any]]:
    name = reference["$ref"].rpartition("/")[2]
    schema = definitions["$defs"][name]
    for parameter, described in schema["properties"].items():
        yield {
            "name": parameter,
            "in": "query",
            "required": parameter in schema.get("required", ()),
            "description": described.get("description", ""),
            "schema": {key: value for key, value in described.items() if key not in {"title", "description"}},
        }


def _path_schema(rule: Rule, name: str) -> dict[str, Any]:
    converter = type(rule._converters[name]).__name__
    return {"type": "integer"} if converter == "IntegerConverter" else dict(_PUBLIC_ID)


def _tag(rule: Rule) -> str:
    return rule.rule.removeprefix("/api/v1/").partition("/")[0].partition("<")[0] or "api"
