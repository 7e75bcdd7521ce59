"""Refusals, before a surface gives them its own shape."""

from http import HTTPStatus
from typing import Final

from strongroom.protocol.payloads import Failure, FailureCode

RETRY_AFTER_S: Final = 1

_STATUSES: Final[dict[FailureCode, HTTPStatus]] = {
    "unknown-model": HTTPStatus.NOT_FOUND,
    "wrong-task": HTTPStatus.BAD_REQUEST,
    "invalid-request": HTTPStatus.BAD_REQUEST,
    "too-long": HTTPStatus.BAD_REQUEST,
    "invalid-tensor": HTTPStatus.BAD_REQUEST,
    "expired": HTTPStatus.BAD_REQUEST,
    "busy": HTTPStatus.SERVICE_UNAVAILABLE,
    "internal": HTTPStatus.INTERNAL_SERVER_ERROR,
}


class Refused(Exception):
    """Why there is no answer: HTTP status, a stable code, a sentence, the field of the request that is at fault.

    `retry_after_s` is given where the same request can succeed later. The sentence may name fields of the request; it
    never quotes what is in them.
    """

    def __init__(
        self, status: int, code: str, message: str, *, field: str | None = None, retry_after_s: int | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = int(status), code, message
        self.field, self.retry_after_s = field, retry_after_s

    @property
    def headers(self) -> dict[str, str]:
        """What goes with it, whatever the shape."""
        return {} if self.retry_after_s is None else {"retry-after": str(self.retry_after_s)}


def of_failure(failure: Failure) -> Refused:
    """The enclave's own refusal, from inside the seal."""
    retry_after_s = RETRY_AFTER_S if failure.code == "busy" else None
    return Refused(_STATUSES[failure.code], failure.code, failure.detail, retry_after_s=retry_after_s)


def invalid(message: str, field: str | None = None) -> Refused:
    """A request that cannot be translated."""
    return Refused(HTTPStatus.BAD_REQUEST, "invalid-request", message, field=field)


def out_of_place() -> Refused:
    """Events that do not answer the task. What came under the seal is the enclave's, but is no answer."""
    return Refused(HTTPStatus.FORBIDDEN, "seal-broken", "expected the events of the task asked for, got others")
