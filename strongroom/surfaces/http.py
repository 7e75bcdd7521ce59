"""Requests and replies of HTTP as values: what is translated, without any I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class HTTPRequest:
    """One request, whole. The names of `headers` are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


def json_reply(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """`value` as JSON."""
    return Reply(status, {"content-type": JSON, **(headers or {})}, msgspec.json.encode(value))
