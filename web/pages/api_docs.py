"""The API's page: every operation as its OpenAPI document tells it, to read and to try."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from flask import Blueprint, render_template

from web.api.openapi import describe

pages = Blueprint("api_docs", __name__, url_prefix="/api/docs")


@pages.get("")
def show() -> str:
    """Operations by what they are about."""
    document = describe()
    schemas = document["components"]["schemas"]
    groups: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            groups[operation["tags"][0]].append(
                {
                    **operation,
                    "method": method.upper(),
                    "path": path,
                    "sample": _sample_body(operation, schemas),
                }
            )
    return render_template("api_docs/show.html", info=document["info"], groups=dict(sorted(groups.items())))


def _sample_body(operation: dict[str, Any], schemas: dict[str, Any]) -> str | None:
    """A body to begin with, made of what the schema requires."""
    if "requestBody" not in operation:
        return None
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    return json.dumps(_sample(schema, schemas), indent=2)


def _sample(schema: dict[str, Any], schemas: dict[str, Any]) -> Any:
    if "$ref" in schema:
        return _sample(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "default" in schema:
        return schema["default"]
    if "anyOf" in schema:
        return _sample(schema["anyOf"][0], schemas)
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            names = schema.get("required") or list(schema.get("properties", {}))
            return {name: _sample(schema["properties"][name], schemas) for name in names}
        case "array":
            return [_sample(schema["items"], schemas)]
        case "integer":
            return max(schema.get("minimum", 1), 1)
        case "number":
            return 1.0
        case "boolean":
            return True
        case _:
            return ""
