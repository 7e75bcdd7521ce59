"""Every error of the client has a status; what is not to be trusted has one that nobody retries."""

import struct

import pytest

from strongroom.client.endpoint.refusals import refused_by
from strongroom.client.errors import (
    AnswerTruncated,
    AttestationRefused,
    ClientClosed,
    GatewayProblem,
    InvalidArgument,
    PolicyRequired,
    ReceiptRefused,
    SealBroken,
    StaleKey,
    StrongroomError,
    TimedOut,
    Unreachable,
)
from strongroom.protocol.problems import Problem

STATUSES: dict[StrongroomError, int] = {
    InvalidArgument("text: expected something else"): 400,
    AttestationRefused("expected one key", "use another"): 403,
    PolicyRequired(): 403,
    SealBroken("expected another answer"): 403,
    ReceiptRefused("expected one"): 403,
    AnswerTruncated(): 502,
    Unreachable(): 502,
    GatewayProblem(200): 502,
    GatewayProblem(400, Problem.REJECTED): 502,
    GatewayProblem(413, Problem.TOO_LARGE): 413,
    GatewayProblem(503, Problem.BUSY): 503,
    GatewayProblem(504, Problem.ENCLAVE_TIMED_OUT): 504,
    StaleKey(): 503,
    ClientClosed(): 503,
    TimedOut(1.0): 504,
}


@pytest.mark.parametrize(("error", "status"), STATUSES.items(), ids=lambda value: getattr(value, "code", str(value)))
def test_the_status_of_each_error(error: StrongroomError, status: int) -> None:
    refused = refused_by(error)
    assert (refused.status, refused.code, refused.message) == (status, error.code, str(error))
    assert (refused.retry_after_s is not None) == (status == 503)


def test_an_error_that_nobody_foresaw_is_told_by_its_type_and_place_alone() -> None:
    try:
        struct.pack("b", "canary")
    except struct.error as error:
        refused = refused_by(error)
    assert (refused.status, refused.code) == (500, "internal")
    assert "got error at test_an_error_that_nobody_foresaw" in refused.message


def test_no_error_is_left_out() -> None:
    ours = {error for error in StrongroomError.__subclasses__() if error.__module__ == StrongroomError.__module__}
    assert {error.__name__ for error in ours} - {type(error).__name__ for error in STATUSES} == {"RequestRefused"}
