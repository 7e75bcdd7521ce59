"""The route of sealed requests, which an enclave's own answer ends."""

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from parent.documentation import BINARY, HOP_PROBLEMS, RECEIPT_PROBLEMS, described, problems
from parent.errors import UnsupportedMediaType
from parent.relay import SealedRelay
from parent.router import Router
from parent.turns import Turns
from strongroom.protocol.constants import (
    MEDIA_SEALED_REQUEST,
    MEDIA_SEALED_RESPONSE,
    MEDIA_SEALED_STREAM,
    PATH_SEALED,
)
from strongroom.protocol.problems import Problem

_BODY = {"required": True, "content": {MEDIA_SEALED_REQUEST: {"schema": BINARY}}}


def add_sealed_route(app: FastAPI, requests: Router, uploads: Turns) -> None:
    """POST /v1/sealed, carried to the enclave that `requests` finds for it; long bodies come in by `uploads`.

    Added to the application first and by itself: it is looked for before all others, and nothing of FastAPI's work on
    parameters and responses, a quarter of what a request costs here, comes between.
    """
    relay = SealedRelay(requests, uploads)

    class Relayed(APIRoute):
        async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
            if scope["method"] not in (self.methods or ()):
                return await super().handle(scope, receive, send)
            _check_media_type(Headers(scope=scope))
            return await relay(scope, receive, send)

    async def sealed() -> Response:
        raise AssertionError("expected Relayed to answer")

    app.router.add_api_route(
        PATH_SEALED,
        sealed,
        methods=["POST"],
        route_class_override=Relayed,
        response_class=Response,
        summary="A sealed request; its sealed response, whole or in chunks. The gateway can read neither.",
        responses=_responses(),
        openapi_extra={"requestBody": _BODY},
    )


def _responses() -> Any:
    answers = described("The sealed response.", {MEDIA_SEALED_RESPONSE: BINARY, MEDIA_SEALED_STREAM: BINARY})
    refusals = (Problem.REJECTED, Problem.REPLAYED, Problem.TOO_LARGE, Problem.STALE_KEY)
    return answers | problems(*refusals, Problem.UNSUPPORTED_MEDIA_TYPE, *RECEIPT_PROBLEMS, *HOP_PROBLEMS)


def _check_media_type(headers: Headers) -> None:
    declared = headers.getlist("content-type")
    if [value.lower() for value in declared] != [MEDIA_SEALED_REQUEST] or "content-encoding" in headers:
        raise UnsupportedMediaType(f"expected {MEDIA_SEALED_REQUEST}, not encoded further")
