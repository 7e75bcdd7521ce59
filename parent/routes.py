"""The routes that lead into the enclave. None reads what it carries."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from starlette.responses import Response

from parent.documentation import BINARY, NONCE_PARAMETER, described, problems
from parent.errors import InvalidRequest, UnsupportedMediaType
from parent.link import EnclaveLink
from parent.readiness import MAX_DOCUMENT_BYTES
from parent.relay import SealedRelay
from strongroom.protocol.constants import (
    MAX_KEYS_BYTES,
    MEDIA_ATTESTATION,
    MEDIA_KEYS,
    MEDIA_SEALED_REQUEST,
    MEDIA_SEALED_RESPONSE,
    MEDIA_SEALED_STREAM,
    NONCE_BYTES_MAX,
    NONCE_BYTES_MIN,
    PATH_ATTESTATION,
    PATH_KEYS,
    PATH_MODELS,
    PATH_SEALED,
)
from strongroom.protocol.problems import Problem

MEDIA_JSON = "application/json"
MAX_MODELS_BYTES = 64 << 10

Handler = TypeVar("Handler", bound=Callable[..., Any])

_NONCE = re.compile(rf"(?:[0-9a-fA-F]{{2}}){{{NONCE_BYTES_MIN},{NONCE_BYTES_MAX}}}")
_HOP_PROBLEMS = (
    Problem.BUSY,
    Problem.NOT_READY,
    Problem.ENCLAVE_UNREACHABLE,
    Problem.ENCLAVE_TIMED_OUT,
    Problem.INTERNAL,
)
_RECEIPT_PROBLEMS = (Problem.INVALID_REQUEST, Problem.TIMED_OUT, Problem.HEADERS_TOO_LARGE)
_MODEL = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("id", "version", "task", "manifest_sha384")},
}
_MODELS = {"type": "object", "properties": {"models": {"type": "array", "items": _MODEL}}}
_SEALED_BODY = {"required": True, "content": {MEDIA_SEALED_REQUEST: {"schema": BINARY}}}


def enclave_routes(link: EnclaveLink) -> APIRouter:
    """The four routes of the enclave's API, carried over `link`."""
    router = APIRouter(default_response_class=Response)

    def get(
        path: str, summary: str, media_type: str, schema: dict[str, Any], **more: Any
    ) -> Callable[[Handler], Handler]:
        responses = described(summary, {media_type: schema}) | problems(*_RECEIPT_PROBLEMS, *_HOP_PROBLEMS)
        return router.get(path, summary=summary, responses=responses, **more)

    async def fetched(path: str, media_type: str, max_bytes: int) -> Response:
        return Response(await link.fetch(path, media_type=media_type, max_bytes=max_bytes), media_type=media_type)

    @get(
        PATH_ATTESTATION,
        "The attestation document: COSE_Sign1 made by the enclave's NSM.",
        MEDIA_ATTESTATION,
        BINARY,
        openapi_extra={"parameters": [NONCE_PARAMETER]},
    )
    async def attestation(request: Request) -> Response:
        return await fetched(PATH_ATTESTATION + _nonce_query(request), MEDIA_ATTESTATION, MAX_DOCUMENT_BYTES)

    @get(PATH_KEYS, "The key configurations that the document binds.", MEDIA_KEYS, BINARY)
    async def keys() -> Response:
        return await fetched(PATH_KEYS, MEDIA_KEYS, MAX_KEYS_BYTES)

    @get(PATH_MODELS, "The models that the enclave serves.", MEDIA_JSON, _MODELS)
    async def models() -> Response:
        return await fetched(PATH_MODELS, MEDIA_JSON, MAX_MODELS_BYTES)

    @router.post(
        PATH_SEALED,
        summary="A sealed request; its sealed response, whole or in chunks. The gateway can read neither.",
        responses=_sealed_responses(),
        openapi_extra={"requestBody": _SEALED_BODY},
    )
    async def sealed(request: Request) -> Response:
        _check_media_type(request)
        return SealedRelay(link)

    return router


def _sealed_responses() -> Any:
    answers = described("The sealed response.", {MEDIA_SEALED_RESPONSE: BINARY, MEDIA_SEALED_STREAM: BINARY})
    refusals = (Problem.REJECTED, Problem.REPLAYED, Problem.TOO_LARGE, Problem.STALE_KEY)
    return answers | problems(*refusals, Problem.UNSUPPORTED_MEDIA_TYPE, *_RECEIPT_PROBLEMS, *_HOP_PROBLEMS)


def _nonce_query(request: Request) -> str:
    given = request.query_params.multi_items()
    if not given:
        return ""
    if len(given) > 1 or given[0][0] != "nonce" or not _NONCE.fullmatch(given[0][1]):
        raise InvalidRequest(f"expected at most one nonce of {NONCE_BYTES_MIN} to {NONCE_BYTES_MAX} bytes in hex")
    return f"?nonce={given[0][1]}"


def _check_media_type(request: Request) -> None:
    declared = request.headers.getlist("content-type")
    if [value.lower() for value in declared] != [MEDIA_SEALED_REQUEST] or "content-encoding" in request.headers:
        raise UnsupportedMediaType(f"expected {MEDIA_SEALED_REQUEST}, not encoded further")
