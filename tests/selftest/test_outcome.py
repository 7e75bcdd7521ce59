"""The verdict: one thing that is wrong, whatever it is, fails the run."""

import json
from types import SimpleNamespace
from typing import cast

import pytest

from strongroom.selftest.catalogue import ATTACKS, Planned
from strongroom.selftest.outcome import Outcome
from strongroom.selftest.run import attempt
from strongroom.selftest.trial import Attack, Desk, Inconclusive, Trial

CAUGHT = ATTACKS[1]


def passed() -> Outcome:
    outcome = Outcome(seed=1, honest=3, control={CAUGHT.name: True})
    for attack in ATTACKS:
        outcome.add(attack, fooled=False)
    return outcome


def test_the_json_of_a_run_that_passed() -> None:
    said = json.loads(json.dumps(passed().to_json()))
    assert (said["passed"], said["accepted"], said["trials"]) == (True, 0, len(ATTACKS))
    assert (said["honest_ok"], said["control_caught"], said["simulated"]) == (True, True, True)
    assert [attack["name"] for attack in said["attacks"]] == [attack.name for attack in ATTACKS]
    assert [attack["name"] for attack in said["attacks"] if attack["control_fooled"]] == [CAUGHT.name]
    assert all(attack["trials"] == 1 and attack["accepted"] == 0 and attack["threat"] for attack in said["attacks"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"honest": 0},
        {"honest_failed": 1},
        {"control": {}},
        {"control": {CAUGHT.name: True, ATTACKS[2].name: False}},
        {"faults": ["unclear"]},
    ],
    ids=str,
)
def test_one_thing_that_is_wrong_fails_the_run(wrong: dict[str, object]) -> None:
    outcome = passed()
    for name, value in wrong.items():
        setattr(outcome, name, value)
    assert not outcome.passed
    assert outcome.to_json()["passed"] is False


def test_one_accepted_trial_fails_the_run() -> None:
    outcome = passed()
    outcome.add(ATTACKS[3], fooled=True)
    assert not outcome.passed
    assert outcome.accepted == outcome.fooled[ATTACKS[3].name] == 1


def test_few_faults_of_many_are_shown() -> None:
    outcome = passed()
    outcome.faults += ["unclear"] * 100
    assert len(outcome.shown_faults) == 20


@pytest.mark.parametrize(
    ("inconclusive", "fooled", "repeated", "faults"),
    [(0, False, 0, 0), (1, False, 1, 0), (1, True, 1, 0), (2, True, 1, 1)],
)
async def test_what_is_inconclusive_twice_is_a_fault(
    inconclusive: int, fooled: bool, repeated: int, faults: int
) -> None:
    drawn = []

    async def run(trial: Trial) -> bool:
        drawn.append(trial.rng.random())
        if len(drawn) <= inconclusive:
            raise Inconclusive("busy")
        return fooled

    outcome = Outcome(seed=1)
    desk = cast(Desk, SimpleNamespace(world=SimpleNamespace(enclaves=None)))
    await attempt(desk, Planned(Attack("any", "a threat", run), "5"), outcome)
    assert (outcome.repeated, len(outcome.faults), outcome.accepted) == (repeated, faults, fooled and not faults)
    assert len(set(drawn)) == 1
