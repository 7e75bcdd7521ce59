"""Refusals as the OpenAI API words them."""

from collections.abc import Mapping

from strongroom.surfaces.http import Reply, json_reply
from strongroom.surfaces.openai.sse import event
from strongroom.surfaces.refusals import Refused

_TYPES: Mapping[int, str] = {401: "authentication_error", 403: "permission_error"}
_CODES: Mapping[str, str] = {"unknown-model": "model_not_found", "too-long": "context_length_exceeded"}
"""Codes that programs written for OpenAI look for; all others are ours."""


def reply(refused: Refused) -> Reply:
    """The whole reply."""
    return json_reply(_body(refused), refused.status, refused.headers)


def streamed(refused: Refused) -> bytes:
    """The last event of a stream that fails on its way; no `[DONE]` comes after it."""
    return event(_body(refused))


def _body(refused: Refused) -> dict[str, object]:
    kind = "server_error" if refused.status >= 500 else _TYPES.get(refused.status, "invalid_request_error")
    code = _CODES.get(refused.code, refused.code)
    return {"error": {"message": refused.message, "type": kind, "param": refused.field, "code": code}}
