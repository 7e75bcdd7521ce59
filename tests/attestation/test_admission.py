"""A key policy held against a policy file: what it admits, misses, and admits beyond."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from attestation.admission import MAX_COMBINATIONS, Comparison, compare, releases
from attestation.policy import Measurements
from tests.attestation import forge
from tests.attestation.test_key_policy_compiler import ONE, TWO, compiled, pcrs

PCRS = "kms:RecipientAttestation:PCR"
WINDOW = Measurements(pcrs(), "window", 1_000_000, 2_000_000)
SIGNED = Measurements(pcrs() | {8: forge.pcr(8)}, "signed")


def names(comparison: Comparison) -> dict[str, list[str]]:
    said = {"admitted": comparison.admitted, "missed": comparison.missed, "untimely": comparison.untimely}
    listed = {word: [each.name for each in measurements] for word, measurements in said.items() if measurements}
    return listed | ({"beyond": [each.statement for each in comparison.beyond]} if comparison.beyond else {})


@pytest.mark.parametrize(
    ("in_key_policy", "in_file", "expected"),
    [
        pytest.param([ONE], [ONE], {"admitted": ["one"]}, id="equal"),
        pytest.param([ONE, TWO], [TWO, ONE], {"admitted": ["two", "one"]}, id="equal, another order"),
        pytest.param([ONE], [ONE, TWO], {"admitted": ["one"], "missed": ["two"]}, id="a release more in the file"),
        pytest.param([ONE, TWO], [ONE], {"admitted": ["one"], "beyond": ["Release2"]}, id="an old release left"),
        pytest.param([ONE], [TWO], {"missed": ["two"], "beyond": ["Release1"]}, id="another release"),
        pytest.param([ONE], [SIGNED], {"admitted": ["signed"], "beyond": ["Release1"]}, id="the file says more"),
        pytest.param([SIGNED], [ONE], {"missed": ["one"]}, id="the key policy says more"),
        pytest.param([WINDOW], [WINDOW], {"admitted": ["window"]}, id="the same window"),
        pytest.param([WINDOW], [ONE], {"admitted": ["one"], "untimely": ["one"]}, id="a window in the key policy"),
        pytest.param([ONE], [WINDOW], {"admitted": ["window"], "untimely": ["window"]}, id="a window in the file"),
    ],
)
def test_compiled(in_key_policy: list[Measurements], in_file: list[Measurements], expected: dict[str, Any]) -> None:
    assert names(compare(compiled(*in_key_policy), in_file)) == expected


def released(policy: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in policy["Statement"] if each["Sid"] == "Release1")
    return found


def everyone(policy: dict[str, Any]) -> None:
    released(policy).pop("Condition")


def wildcard(policy: dict[str, Any]) -> None:
    released(policy)["Condition"] = {"StringLike": {f"{PCRS}{index}": "*" for index in pcrs()}}


def alternatives(policy: dict[str, Any]) -> None:
    values = released(policy)["Condition"]["StringEqualsIgnoreCase"]
    values[f"{PCRS}17"] = [values[f"{PCRS}17"], forge.pcr(217).hex()]
    policy["Statement"] = [each for each in policy["Statement"] if each["Sid"] != "FloorPCR17"]


def explosion(policy: dict[str, Any]) -> None:
    values = released(policy)["Condition"]["StringEqualsIgnoreCase"]
    for index in (16, 17):
        values[f"{PCRS}{index}"] = [forge.pcr(number).hex() for number in range(100, 130)]


def not_action(policy: dict[str, Any]) -> None:
    released(policy).pop("Action")
    released(policy).update(NotAction="kms:Encrypt", Condition={})


@pytest.mark.parametrize("change", [everyone, wildcard, alternatives, explosion, not_action])
def test_what_is_wider_than_the_file_is_beyond_it(change: Callable[[dict[str, Any]], None]) -> None:
    policy = compiled(ONE)
    change(policy)
    assert compare(policy, [ONE]).beyond


def test_a_floor_takes_away_what_an_allow_admits() -> None:
    policy = compiled(ONE, TWO)
    for statement in policy["Statement"]:
        if statement["Sid"] == "FloorPCR16":
            statement["Condition"]["StringNotEqualsIgnoreCase"][f"{PCRS}16"] = [ONE.pcrs[16].hex().upper()]
    assert names(compare(policy, [ONE, TWO])) == {"admitted": ["one"], "missed": ["two"]}


def test_the_work_is_bounded() -> None:
    policy = compiled(ONE)
    explosion(policy)
    assert len(list(releases(policy))) <= MAX_COMBINATIONS


def test_two_values_that_must_hold_at_once_admit_nothing() -> None:
    policy = compiled(ONE)
    released(policy)["Condition"]["StringEquals"][f"{PCRS}17"] = forge.pcr(99).hex()
    assert names(compare(policy, [ONE])) == {"missed": ["one"]}


@pytest.mark.parametrize(("operator", "admitted"), [("StringEquals", False), ("StringEqualsIgnoreCase", True)])
def test_kms_writes_lower_case(operator: str, admitted: bool) -> None:
    policy = compiled(ONE)
    conditions = released(policy)["Condition"]
    pinned = {key: value.upper() for key, value in conditions.pop("StringEqualsIgnoreCase").items()}
    conditions[operator] = pinned | conditions.get(operator, {})
    assert names(compare(policy, [ONE])) == {"admitted" if admitted else "missed": ["one"]}


@pytest.mark.parametrize(("operator", "admitted"), [("StringNotEquals", False), ("StringNotEqualsIgnoreCase", True)])
def test_kms_writes_lower_case_before_a_floor(operator: str, admitted: bool) -> None:
    policy = compiled(ONE)
    for statement in policy["Statement"]:
        if statement["Sid"] == "FloorPCR16":
            statement["Condition"] = {operator: {f"{PCRS}16": ONE.pcrs[16].hex().upper()}}
    assert names(compare(policy, [ONE])) == {"admitted" if admitted else "missed": ["one"]}


def test_what_cannot_be_read_admits_nothing() -> None:
    assert names(compare({"Statement": [{"Effect": "maybe"}]}, [ONE])) == {"missed": ["one"]}


def test_findings_name_what_differs() -> None:
    nameless = Measurements(pcrs(2, 2, 2))
    findings = list(compare(compiled(ONE, WINDOW), [WINDOW, nameless]).findings())
    said = [(each.severity, each.code) for each in findings]
    assert said == [("error", "other-window"), ("warning", "not-admitted")]
    assert nameless.pcrs[0].hex()[:16] in findings[1].explanation
    [beyond] = compare(compiled(ONE), [nameless]).beyond
    assert dict(beyond.pcrs) == dict(ONE.pcrs)
