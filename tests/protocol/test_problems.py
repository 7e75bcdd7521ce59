"""The outward set: fixed bytes, unique names."""

import json

import pytest

from strongroom.protocol.problems import PROBLEM_BYTES, Problem


@pytest.mark.parametrize("problem", list(Problem))
def test_a_problem_is_found_by_its_type_and_says_its_status(problem: Problem) -> None:
    assert len(problem.to_bytes()) == PROBLEM_BYTES
    body = json.loads(problem.to_bytes())
    assert Problem.from_type(body["type"]) is problem
    assert (body["status"], body["title"]) == (problem.status, problem.code)


def test_the_statuses_of_the_enclave_are_those_of_the_review() -> None:
    statuses = {problem.code: int(problem.status) for problem in list(Problem)[:5]}
    assert statuses == {"rejected": 400, "replayed": 409, "too-large": 413, "stale-key": 422, "busy": 503}


@pytest.mark.parametrize("other", [None, 1, "", "urn:strongroom:problem:other", ["x"]])
def test_other_types_are_no_problem_of_ours(other: object) -> None:
    assert Problem.from_type(other) is None
