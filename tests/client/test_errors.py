"""Errors serve programs, the command line and people; and name no content."""

import re

import pytest

from attestation.errors import Rejected, RejectionCode
from attestation.proof_errors import ProofCode, ProofRejected
from strongroom import client
from strongroom.client import errors
from strongroom.client.errors import StrongroomError
from strongroom.protocol.payloads import Failure
from strongroom.protocol.problems import Problem

KINDS: list[type[StrongroomError]] = [
    kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, StrongroomError)
]
EXAMPLES = [
    errors.InvalidArgument("model: expected an id"),
    errors.PolicyRequired(),
    errors.ClientClosed(),
    errors.Unreachable(),
    errors.TimedOut(0.5),
    errors.AttestationRefused.from_rejection(Rejected(RejectionCode.NONCE, "mine", "another")),
    errors.GatewayProblem(503, Problem.BUSY),
    errors.StaleKey(),
    errors.SealBroken("expected 200"),
    errors.AnswerTruncated(),
    errors.ReceiptRefused("expected one, got none", ProofRejected(ProofCode.SIGNATURE, "mine", "another")),
    errors.RequestRefused(Failure("busy", "Try again."), proof=None),  # type: ignore[arg-type]  # unused here
]


def test_every_error_has_an_example_here_and_a_place_in_the_tree_and_the_package() -> None:
    assert {type(example) for example in EXAMPLES} | {StrongroomError} == set(KINDS)
    for kind in KINDS:
        assert kind.__name__ in (errors.__doc__ or "")
        assert getattr(client, kind.__name__) is kind


def test_codes_are_unique_and_exit_codes_tell_families_apart() -> None:
    assert len({kind.code for kind in KINDS}) == len(KINDS)
    usage: set[type[StrongroomError]] = {errors.InvalidArgument, errors.PolicyRequired, errors.ClientClosed}
    others = [kind.exit_code for kind in KINDS if kind not in usage]
    assert {kind.exit_code for kind in usage} == {2}
    assert len(set(others)) == len(others)
    assert 0 not in others


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: error.code)
def test_texts_are_one_line(error: StrongroomError) -> None:
    assert re.fullmatch(r"[a-z-]+", error.code)
    assert str(error)
    assert "\n" not in str(error)


def test_what_a_program_may_want_to_know() -> None:
    by_code = {example.code: example for example in EXAMPLES}
    refused, problem, failure = (
        by_code[code] for code in ("attestation-refused", "gateway-problem", "request-refused")
    )
    assert isinstance(refused, errors.AttestationRefused)
    assert refused.rejection is not None
    assert refused.rejection.code is RejectionCode.NONCE
    assert isinstance(problem, errors.GatewayProblem)
    assert (problem.status, problem.problem) == (503, Problem.BUSY)
    assert isinstance(failure, errors.RequestRefused)
    assert (failure.failure_code, failure.detail) == ("busy", "Try again.")
    assert errors.GatewayProblem(302).problem is None


def test_no_other_names() -> None:
    with pytest.raises(AttributeError, match="Clients"):
        _ = client.Clients
