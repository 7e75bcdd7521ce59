"""The errors of the client as HTTP: what can be told to a program that knows only that.

403 says that the enclave, or what claims to be its answer, is not to be trusted. It is no 5xx on purpose: programs meet
those by asking again, or by asking somebody else, and somebody else would get the prompt in the clear.
"""

import traceback
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from strongroom.client.errors import (
    AnswerTruncated,
    AttestationRefused,
    ClientClosed,
    GatewayProblem,
    InvalidArgument,
    PolicyRequired,
    ReceiptRefused,
    RequestRefused,
    SealBroken,
    StaleKey,
    StrongroomError,
    TimedOut,
    Unreachable,
)
from strongroom.protocol.payloads import Failure
from strongroom.protocol.problems import Problem
from strongroom.surfaces.refusals import RETRY_AFTER_S, Refused, of_failure

_STATUSES: Final[Mapping[type[StrongroomError], HTTPStatus]] = {
    InvalidArgument: HTTPStatus.BAD_REQUEST,
    AttestationRefused: HTTPStatus.FORBIDDEN,
    PolicyRequired: HTTPStatus.FORBIDDEN,
    SealBroken: HTTPStatus.FORBIDDEN,
    ReceiptRefused: HTTPStatus.FORBIDDEN,
    AnswerTruncated: HTTPStatus.BAD_GATEWAY,
    Unreachable: HTTPStatus.BAD_GATEWAY,
    GatewayProblem: HTTPStatus.BAD_GATEWAY,
    StaleKey: HTTPStatus.SERVICE_UNAVAILABLE,
    ClientClosed: HTTPStatus.SERVICE_UNAVAILABLE,
    TimedOut: HTTPStatus.GATEWAY_TIMEOUT,
}


def refused_by(error: Exception) -> Refused:
    """The refusal that an error is: of the client, or one that nobody foresaw."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, RequestRefused):
        return of_failure(Failure(error.failure_code, error.detail))
    if not isinstance(error, StrongroomError):
        return _unforeseen(error)
    status = _STATUSES.get(type(error), HTTPStatus.INTERNAL_SERVER_ERROR)
    if isinstance(error, GatewayProblem) and error.problem is not None:
        status = _status_of(error.problem)
    retry_after_s = RETRY_AFTER_S if status is HTTPStatus.SERVICE_UNAVAILABLE else None
    return Refused(status, error.code, str(error), retry_after_s=retry_after_s)


def _unforeseen(error: Exception) -> Refused:
    """Its text may hold what was asked or answered: its type and place do not."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].name}:{frames[-1].lineno}" if frames else "an unknown place"
    message = f"expected no error of this side's own, got {type(error).__name__} at {place}: please report it"
    return Refused(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", message)


def _status_of(problem: Problem) -> HTTPStatus:
    """The gateway's own status where it means the same to whoever asks this side."""
    told = problem.status >= 500 or problem is Problem.TOO_LARGE
    return problem.status if told else HTTPStatus.BAD_GATEWAY
