"""Every error that leaves the gateway is one of Problem's fixed bodies: nothing of the request is ever echoed."""

from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from parent.answer import EnclaveProblem
from parent.errors import (
    EnclaveBroken,
    EnclaveBusy,
    EnclaveTimedOut,
    EnclaveUnreachable,
    GatewayError,
    InvalidRequest,
    NoSealedRequest,
    NoSuchEvidence,
    StaleKey,
    UnsupportedMediaType,
)
from parent.headers import SECURITY_HEADERS
from strongroom.protocol.constants import MEDIA_PROBLEM
from strongroom.protocol.problems import Problem

RETRY_AFTER_S = 1

_BY_ERROR: Mapping[type[GatewayError], Problem] = {
    InvalidRequest: Problem.INVALID_REQUEST,
    UnsupportedMediaType: Problem.UNSUPPORTED_MEDIA_TYPE,
    NoSealedRequest: Problem.REJECTED,
    StaleKey: Problem.STALE_KEY,
    NoSuchEvidence: Problem.NOT_FOUND,
    EnclaveUnreachable: Problem.ENCLAVE_UNREACHABLE,
    EnclaveBroken: Problem.ENCLAVE_UNREACHABLE,
    EnclaveTimedOut: Problem.ENCLAVE_TIMED_OUT,
    EnclaveBusy: Problem.BUSY,
}
_BY_STATUS: Mapping[int, Problem] = {
    HTTPStatus.NOT_FOUND: Problem.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED: Problem.METHOD_NOT_ALLOWED,
}


def problem_for(error: GatewayError) -> Problem:
    """The outward problem of an error."""
    if isinstance(error, EnclaveProblem):
        return error.problem
    return _BY_ERROR.get(type(error), Problem.INTERNAL)


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """The response for a problem, with Retry-After when waiting helps."""
    waiting = {"Retry-After": str(RETRY_AFTER_S)} if problem.status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    return Response(problem.to_bytes(), problem.status, {**(headers or {}), **waiting}, media_type=MEDIA_PROBLEM)


def problem_message(problem: Problem) -> bytes:
    """The same as a whole HTTP/1.1 message that ends the connection, for errors below ASGI."""
    body = problem.to_bytes()
    lines = [
        b"HTTP/1.1 %d %s" % (problem.status, problem.status.phrase.encode()),
        b"content-type: " + MEDIA_PROBLEM.encode(),
        b"content-length: %d" % len(body),
        b"connection: close",
        *(name + b": " + value for name, value in SECURITY_HEADERS),
    ]
    if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        lines.append(b"retry-after: %d" % RETRY_AFTER_S)
    return b"\r\n".join([*lines, b"", body])


def install_handlers(app: FastAPI) -> None:
    """Map the routes' errors and the framework's own (404, 405) to problems."""

    async def on_http(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.INTERNAL_SERVER_ERROR
        allow = (getattr(error, "headers", None) or {}).get("Allow")
        return problem_response(
            _BY_STATUS.get(status, Problem.INVALID_REQUEST if status < 500 else Problem.INTERNAL),
            {"Allow": allow} if allow else None,
        )

    app.add_exception_handler(HTTPException, on_http)
