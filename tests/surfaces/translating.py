"""Requests of the surfaces, translated as an endpoint would."""

import json
from typing import Any

import pytest

from strongroom.surfaces.calls import Call, Stamp, StreamedCall, WholeCall
from strongroom.surfaces.http import HTTPRequest, Reply
from strongroom.surfaces.refusals import Refused
from strongroom.surfaces.routes import Asking, refusal, route

CHAT, COMPLETIONS, EMBEDDINGS = "/v1/chat/completions", "/v1/completions", "/v1/embeddings"
INFER = "/v2/models/m/infer"
STAMP = Stamp("0" * 32, 1_700_000_000)


def translated(path: str, body: bytes | dict[str, Any], headers: dict[str, str] | None = None) -> Call:
    """What the request asks for."""
    told = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = HTTPRequest("POST", path, headers or {}, told)
    meant = route(request)
    assert isinstance(meant, Asking)
    return meant.translate(request, STAMP)


def whole(path: str, body: bytes | dict[str, Any], headers: dict[str, str] | None = None) -> WholeCall:
    call = translated(path, body, headers)
    assert isinstance(call, WholeCall)
    return call


def streamed(path: str, body: dict[str, Any]) -> StreamedCall:
    call = translated(path, {**body, "stream": True})
    assert isinstance(call, StreamedCall)
    return call


def refused(path: str, body: bytes | dict[str, Any], headers: dict[str, str] | None = None) -> Refused:
    """The refusal that the request gets; its text quotes nothing of the body's contents."""
    with pytest.raises(Refused) as caught:
        translated(path, body, headers)
    assert "canary" not in str(caught.value)
    return caught.value


def told(reply: Reply) -> Any:
    return json.loads(reply.body)


def shaped(path: str, error: Refused) -> Any:
    return told(refusal(path, error))
