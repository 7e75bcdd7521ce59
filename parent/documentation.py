"""The API description: what OpenAPI says of each route, and a page of it that needs no script and no other host."""

from collections.abc import Mapping
from html import escape
from typing import Any

from fastapi import FastAPI

from strongroom.protocol.constants import MEDIA_PROBLEM
from strongroom.protocol.problems import Problem

Responses = dict[int | str, dict[str, Any]]

HOP_PROBLEMS = (
    Problem.BUSY,
    Problem.NOT_READY,
    Problem.ENCLAVE_UNREACHABLE,
    Problem.ENCLAVE_TIMED_OUT,
    Problem.INTERNAL,
)
"""Of every route that needs an enclave."""
RECEIPT_PROBLEMS = (Problem.INVALID_REQUEST, Problem.TIMED_OUT, Problem.HEADERS_TOO_LARGE)
"""Of every route, before its request was all there."""
BINARY = {"type": "string", "format": "binary"}
NONCE_PARAMETER = {
    "name": "nonce",
    "in": "query",
    "required": False,
    "description": "16 to 64 bytes in hex, made for this question; without it the enclave's recent document.",
    "schema": {"type": "string", "pattern": "^([0-9a-fA-F]{2}){16,64}$"},
}

DIGEST_PARAMETER = {
    "name": "digest",
    "in": "path",
    "required": True,
    "description": "SHA-384 of the document's signed payload in hex, as the head of a sealed response names it.",
    "schema": {"type": "string", "pattern": "^[0-9a-f]{96}$"},
}


def described(description: str, contents: Mapping[str, Mapping[str, Any]]) -> Responses:
    """The 200 of a route: media type → schema."""
    return {
        200: {"description": description, "content": {media: {"schema": schema} for media, schema in contents.items()}}
    }


def problems(*listed: Problem) -> Responses:
    """The problem responses of a route, grouped by status, each with its exact body as an example."""
    responses: Responses = {}
    for problem in listed:
        entry = responses.setdefault(
            int(problem.status),
            {"description": "", "content": {MEDIA_PROBLEM: {"schema": _problem_schema(), "examples": {}}}},
        )
        entry["description"] = " Or: ".join(filter(None, [entry["description"], problem.detail]))
        example = {"type": problem.type, "title": problem.code, "status": int(problem.status), "detail": problem.detail}
        entry["content"][MEDIA_PROBLEM]["examples"][problem.code] = {"value": example}
    return responses


def _problem_schema() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string", "enum": [problem.type for problem in Problem]},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
        },
    }


def page(app: FastAPI) -> str:
    """The description as plain HTML."""
    description = app.openapi()
    sections = "".join(
        _section(path, method, operation)
        for path, operations in description["paths"].items()
        for method, operation in operations.items()
    )
    title = escape(description["info"]["title"])
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title></head><body>'
        f"<h1>{title}</h1><p>{escape(description['info']['description'])}</p>"
        f'<p>For tools: <a href="/openapi.json">openapi.json</a>.</p>{sections}</body></html>'
    )


def _section(path: str, method: str, operation: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{escape(status)}</td><td>{escape(', '.join(response.get('content', {})))}</td>"
        f"<td>{escape(response['description'])}</td></tr>"
        for status, response in operation["responses"].items()
    )
    parameters = "".join(
        f"<p><code>{escape(parameter['name'])}</code>: {escape(parameter['description'])}</p>"
        for parameter in operation.get("parameters", ())
    )
    body = ", ".join(operation.get("requestBody", {}).get("content", {}))
    return (
        f"<h2><code>{escape(method.upper())} {escape(path)}</code></h2><p>{escape(operation['summary'])}</p>"
        f"{parameters}{f'<p>Body: {escape(body)}</p>' if body else ''}"
        f"<table><thead><tr><th>Status</th><th>Type</th><th>Meaning</th></tr></thead><tbody>{rows}</tbody></table>"
    )
