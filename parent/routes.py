"""What enclaves say of themselves, carried and not believed: documents, evidence, models."""

import re
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from parent.documentation import (
    BINARY,
    DIGEST_PARAMETER,
    HOP_PROBLEMS,
    NONCE_PARAMETER,
    RECEIPT_PROBLEMS,
    described,
    problems,
)
from parent.errors import InvalidRequest
from parent.fleet import Fleet
from parent.models import MEDIA_JSON, common_models
from parent.readiness import MAX_DOCUMENT_BYTES
from parent.turns import Turns, caller_in
from strongroom.protocol.constants import (
    DOCUMENT_DIGEST_BYTES,
    MEDIA_ATTESTATION,
    MEDIA_EVIDENCE,
    NONCE_BYTES_MAX,
    NONCE_BYTES_MIN,
    PATH_ATTESTATION,
    PATH_EVIDENCE,
    PATH_MODELS,
)
from strongroom.protocol.problems import Problem

PATH_EVIDENCE_OF = PATH_EVIDENCE + "/{digest}"

Handler = TypeVar("Handler", bound=Callable[..., Any])

_NONCE = re.compile(rf"(?:[0-9a-fA-F]{{2}}){{{NONCE_BYTES_MIN},{NONCE_BYTES_MAX}}}")
_DIGEST = re.compile(rf"[0-9a-f]{{{2 * DOCUMENT_DIGEST_BYTES}}}")
_WITH_NONCE = {"parameters": [NONCE_PARAMETER]}
_WITH_DIGEST = {"parameters": [DIGEST_PARAMETER]}
_MODEL = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("id", "version", "task", "manifest_sha384")}
    | {"loaded": {"type": "boolean"}},
}
_MODELS = {"type": "object", "properties": {"models": {"type": "array", "items": _MODEL}}}
_DOCUMENT = "An attestation document: COSE_Sign1 made by an enclave's NSM."
_EVIDENCE = "An attestation document with the key list and the receipt key that it binds."
_EVIDENCE_OF = "Evidence with a certain document: the enclave's cached one, or one of those before it."


def statement_routes(fleet: Fleet, turns: Turns) -> APIRouter:
    """The routes of the enclaves' API that ask; each question has its turn, and goes to those of `fleet` that can
    answer it.
    """

    async def turn(request: Request) -> AsyncIterator[None]:
        async with turns.turn(caller_in(request.scope)):
            yield

    router = APIRouter(default_response_class=Response, dependencies=[Depends(turn, scope="function")])

    @_get(router, PATH_ATTESTATION, _DOCUMENT, MEDIA_ATTESTATION, openapi_extra=_WITH_NONCE)
    async def attestation(request: Request) -> Response:
        path, link = PATH_ATTESTATION + _nonce_query(request), fleet.next().questions
        document = await link.fetch(path, media_type=MEDIA_ATTESTATION, max_bytes=MAX_DOCUMENT_BYTES)
        return Response(document, media_type=MEDIA_ATTESTATION)

    @_get(router, PATH_EVIDENCE, _EVIDENCE, MEDIA_EVIDENCE, openapi_extra=_WITH_NONCE)
    async def evidence(request: Request) -> Response:
        query = _nonce_query(request)
        return Response(await fleet.next().evidence(query), media_type=MEDIA_EVIDENCE)

    @_get(router, PATH_EVIDENCE_OF, _EVIDENCE_OF, MEDIA_EVIDENCE, Problem.NOT_FOUND, openapi_extra=_WITH_DIGEST)
    async def evidence_of(request: Request) -> Response:
        return Response(await fleet.evidence_of(_digest(request)), media_type=MEDIA_EVIDENCE)

    @_get(router, PATH_MODELS, "The models that every ready enclave serves.", MEDIA_JSON, schema=_MODELS)
    async def models() -> Response:
        return Response(await common_models(fleet.available()), media_type=MEDIA_JSON)

    return router


def _get(
    router: APIRouter,
    path: str,
    summary: str,
    media_type: str,
    *more: Problem,
    schema: dict[str, Any] = BINARY,
    **options: Any,
) -> Callable[[Handler], Handler]:
    responses = described(summary, {media_type: schema}) | problems(*RECEIPT_PROBLEMS, *more, *HOP_PROBLEMS)
    return router.get(path, summary=summary, responses=responses, **options)


def _nonce_query(request: Request) -> str:
    given = request.query_params.multi_items()
    if not given:
        return ""
    if len(given) > 1 or given[0][0] != "nonce" or not _NONCE.fullmatch(given[0][1]):
        raise InvalidRequest(f"expected at most one nonce of {NONCE_BYTES_MIN} to {NONCE_BYTES_MAX} bytes in hex")
    return f"?nonce={given[0][1]}"


def _digest(request: Request) -> str:
    digest: str = request.path_params["digest"]
    if not _DIGEST.fullmatch(digest):
        raise InvalidRequest(f"expected a digest of {DOCUMENT_DIGEST_BYTES} bytes in lower-case hex")
    return digest
