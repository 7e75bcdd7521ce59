"""What counts as a refusal: the one that the attack must meet. An accident is none."""

import pytest

from strongroom.client import GatewayProblem, SealBroken, StaleKey
from strongroom.protocol.problems import Problem
from strongroom.selftest.replies import Reply
from strongroom.selftest.trial import REFUSED_OUTSIDE, Inconclusive, answered, check_code


def test_an_enclave_answers_refuses_or_fails() -> None:
    assert answered(Reply(200, "any", b""), Problem.REPLAYED)
    assert not answered(Reply.problem(Problem.REPLAYED), Problem.REPLAYED)
    for other in (Reply.problem(Problem.BUSY), Reply(409, "text/plain", b""), Reply(500, "", b"")):
        with pytest.raises(Inconclusive, match="expected replayed"):
            answered(other, Problem.REPLAYED)


def test_a_problem_goes_by_its_name_and_not_by_having_been_a_problem() -> None:
    for refusal in (GatewayProblem(400, Problem.REJECTED), StaleKey()):
        check_code(refusal, REFUSED_OUTSIDE)
    accidents = (Problem.INTERNAL, Problem.ENCLAVE_UNREACHABLE, Problem.ENCLAVE_TIMED_OUT, None)
    for accident in [*(GatewayProblem(500, problem) for problem in accidents), SealBroken("altered")]:
        with pytest.raises(Inconclusive):
            check_code(accident, REFUSED_OUTSIDE)
