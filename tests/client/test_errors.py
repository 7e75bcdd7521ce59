"""Errors serve programs, the command line and people; and name no content."""

import pickle
import re
from pathlib import Path

import pytest

from attestation import errors as evidence
from attestation.errors import AttestationError, Disagreement, PolicyError, Rejected, RejectionCode
from attestation.proof_errors import ProofCode, ProofRejected
from strongroom import client
from strongroom.client import errors
from strongroom.client.errors import StrongroomError
from strongroom.client.resting import errors as resting
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
AT_REST = [
    resting.NameTaken(Path("a.sealed"), "its own"),
    resting.FolderInUse(Path("a")),
    resting.SealedExpired(Path("a.ticket")),
    resting.TicketMissing(Path("a.ticket")),
    resting.NotText(Path("a")),
    resting.NotATask(Path("a.json")),
    resting.FileTooLarge(Path("a"), 9),
    resting.DataKeyRefused(RuntimeError("no credentials")),
]
OF_EVIDENCE = [
    Rejected(RejectionCode.NONCE, "mine", "another"),
    Disagreement("another"),
    PolicyError("expected a policy"),
    ProofRejected(ProofCode.SIGNATURE, "mine", "another"),
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


@pytest.mark.parametrize("error", [*EXAMPLES, *AT_REST, *OF_EVIDENCE], ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("protocol", [2, pickle.HIGHEST_PROTOCOL])
def test_they_pass_from_process_to_process(error: Exception, protocol: int) -> None:
    again = pickle.loads(pickle.dumps(error, protocol))
    assert (type(again), str(again)) == (type(error), str(error))
    assert {name: str(value) for name, value in vars(again).items()} == {
        name: str(value) for name, value in vars(error).items()
    }


def test_errors_at_rest_and_of_evidence_have_an_example_here() -> None:
    for module, base, examples in ((resting, StrongroomError, AT_REST), (evidence, AttestationError, OF_EVIDENCE)):
        kinds = {each for each in vars(module).values() if isinstance(each, type) and issubclass(each, base)}
        assert kinds - {base} <= {type(example) for example in examples}


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
