"""What may be said outside the seal: fixed problems (RFC 9457), equal bytes whatever the cause, of one size (R20)."""

import json
from enum import Enum
from http import HTTPStatus
from typing import Final

PROBLEM_BYTES: Final = 192
"""The length of every problem's body: there are spaces before the closing brace."""


class Problem(Enum):
    """One outward problem: its name, HTTP status and the sentence that says what to do.

    The enclave uses the first five and no others; the rest are the gateway's own.
    """

    REJECTED = (
        "rejected",
        HTTPStatus.BAD_REQUEST,
        "Fetch and verify the attestation document, then seal again.",
    )
    REPLAYED = (
        "replayed",
        HTTPStatus.CONFLICT,
        "This request id was used before; seal again with a new one.",
    )
    TOO_LARGE = ("too-large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Send a smaller request.")
    STALE_KEY = (
        "stale-key",
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The key is gone; verify a new document and seal again.",
    )
    BUSY = ("busy", HTTPStatus.SERVICE_UNAVAILABLE, "Wait, then try again.")

    INVALID_REQUEST = ("invalid-request", HTTPStatus.BAD_REQUEST, "See the API description at /docs.")
    NOT_FOUND = ("not-found", HTTPStatus.NOT_FOUND, "See the API description at /docs.")
    METHOD_NOT_ALLOWED = (
        "method-not-allowed",
        HTTPStatus.METHOD_NOT_ALLOWED,
        "See the API description at /docs.",
    )
    TIMED_OUT = ("timed-out", HTTPStatus.REQUEST_TIMEOUT, "Send the whole request within the deadline.")
    UNSUPPORTED_MEDIA_TYPE = (
        "unsupported-media-type",
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "Send application/vnd.strongroom.sealed-request.",
    )
    HEADERS_TOO_LARGE = (
        "headers-too-large",
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        "Send fewer headers.",
    )
    INTERNAL = ("internal", HTTPStatus.INTERNAL_SERVER_ERROR, "Try again; if it persists, tell the operator.")
    ENCLAVE_UNREACHABLE = (
        "enclave-unreachable",
        HTTPStatus.BAD_GATEWAY,
        "The enclave is down; try again later.",
    )
    NOT_READY = ("not-ready", HTTPStatus.SERVICE_UNAVAILABLE, "The enclave is starting; try again later.")
    ENCLAVE_TIMED_OUT = ("enclave-timed-out", HTTPStatus.GATEWAY_TIMEOUT, "Try again with a smaller request.")

    def __init__(self, code: str, status: HTTPStatus, detail: str) -> None:
        self.code, self.status, self.detail = code, status, detail

    @property
    def type(self) -> str:
        """The problem's URN."""
        return f"urn:strongroom:problem:{self.code}"

    def to_bytes(self) -> bytes:
        """The body, PROBLEM_BYTES long and always the same for the same problem."""
        body = {"type": self.type, "title": self.code, "status": int(self.status), "detail": self.detail}
        said = json.dumps(body, separators=(",", ":")).encode()
        return said[:-1].ljust(PROBLEM_BYTES - 1) + b"}"

    @classmethod
    def from_type(cls, urn: object) -> "Problem | None":
        """The problem of that URN, or None when it is not of the fixed set."""
        return next((problem for problem in cls if problem.type == urn), None)
