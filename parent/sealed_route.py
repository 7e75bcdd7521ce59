"""The route of sealed requests, which an enclave's own answer ends."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from parent.documentation import BINARY, HOP_PROBLEMS, RECEIPT_PROBLEMS, described, problems
from parent.errors import UnsupportedMediaType
from parent.relay import SealedRelay
from parent.router import Router
from strongroom.protocol.constants import (
    MEDIA_SEALED_REQUEST,
    MEDIA_SEALED_RESPONSE,
    MEDIA_SEALED_STREAM,
    PATH_SEALED,
)
from strongroom.protocol.problems import Problem

_BODY = {"required": True, "content": {MEDIA_SEALED_REQUEST: {"schema": BINARY}}}


def sealed_route(requests: Router) -> APIRouter:
    """POST /v1/sealed, carried to the enclave that `requests` finds for it."""
    router = APIRouter(default_response_class=Response)

    @router.post(
        PATH_SEALED,
        summary="A sealed request; its sealed response, whole or in chunks. The gateway can read neither.",
        responses=_responses(),
        openapi_extra={"requestBody": _BODY},
    )
    async def sealed(request: Request) -> Response:
        _check_media_type(request)
        return SealedRelay(requests)

    return router


def _responses() -> Any:
    answers = described("The sealed response.", {MEDIA_SEALED_RESPONSE: BINARY, MEDIA_SEALED_STREAM: BINARY})
    refusals = (Problem.REJECTED, Problem.REPLAYED, Problem.TOO_LARGE, Problem.STALE_KEY)
    return answers | problems(*refusals, Problem.UNSUPPORTED_MEDIA_TYPE, *RECEIPT_PROBLEMS, *HOP_PROBLEMS)


def _check_media_type(request: Request) -> None:
    declared = request.headers.getlist("content-type")
    if [value.lower() for value in declared] != [MEDIA_SEALED_REQUEST] or "content-encoding" in request.headers:
        raise UnsupportedMediaType(f"expected {MEDIA_SEALED_REQUEST}, not encoded further")
