"""Condition operators, row by row: (operator, policy value, the request's values or None, holds)."""

import time

import pytest

from strongroom.simulator.conditions import PolicyError, parse_conditions

Values = tuple[str, ...] | None
NOON, ONE_SECOND_LATER = "2026-05-01T12:00:00Z", "2026-05-01T12:00:01Z"

ROWS: list[tuple[str, object, Values, bool]] = [
    ("StringEquals", "a", ("a",), True),
    ("StringEquals", "a", ("A",), False),
    ("StringEquals", "a", ("ab",), False),
    ("StringEquals", "a*", ("ab",), False),
    ("StringEquals", ["a", "b"], ("b",), True),
    ("StringEquals", ["a", "b"], ("c",), False),
    ("StringEquals", "a", None, False),
    ("StringEquals", "", None, False),
    ("StringEqualsIfExists", "a", None, True),
    ("StringEqualsIfExists", "a", ("b",), False),
    ("StringNotEquals", "a", ("b",), True),
    ("StringNotEquals", "a", ("a",), False),
    ("StringNotEquals", "a", ("A",), True),
    ("StringNotEquals", ["a", "b"], ("b",), False),
    ("StringNotEquals", ["a", "b"], ("c",), True),
    ("StringNotEquals", "a", None, True),
    ("StringNotEqualsIfExists", "a", None, True),
    ("StringNotEqualsIfExists", "a", ("a",), False),
    ("StringEqualsIgnoreCase", "aB", ("Ab",), True),
    ("StringEqualsIgnoreCase", "aB", ("abc",), False),
    ("StringEqualsIgnoreCase", "aB", None, False),
    ("StringEqualsIgnoreCaseIfExists", "aB", None, True),
    ("StringNotEqualsIgnoreCase", "aB", ("Ab",), False),
    ("StringNotEqualsIgnoreCase", "aB", ("c",), True),
    ("StringNotEqualsIgnoreCase", ["aB", "c"], ("C",), False),
    ("StringNotEqualsIgnoreCase", "aB", None, True),
    ("StringLike", "a*", ("a",), True),
    ("StringLike", "a*", ("abc",), True),
    ("StringLike", "a?", ("ab",), True),
    ("StringLike", "a?", ("abc",), False),
    ("StringLike", "a.c", ("abc",), False),
    ("StringLike", "A*", ("abc",), False),
    ("StringLike", "*b*c", ("abbcc",), True),
    ("StringLike", "*ab", ("aab",), True),
    ("StringLike", "a**c", ("ac",), True),
    ("StringLike", "a*a", ("a",), False),
    ("StringLike", "*a?*", ("aa",), True),
    ("StringLike", "*a?*", ("ba",), False),
    ("StringLike", "", ("",), True),
    ("StringLike", "*", ("",), True),
    ("StringLike", "?", ("",), False),
    ("StringLike", "a*", ("a\nb",), True),
    ("StringLike", ["x*", "*c"], ("abc",), True),
    ("StringLike", "*", None, False),
    ("StringLikeIfExists", "x*", None, True),
    ("StringNotLike", "a*", ("abc",), False),
    ("StringNotLike", "a*", ("b",), True),
    ("StringNotLike", ["a*", "b*"], ("b",), False),
    ("StringNotLike", "*", None, True),
    ("Null", "true", None, True),
    ("Null", "true", ("a",), False),
    ("Null", "false", None, False),
    ("Null", "false", ("a",), True),
    ("Null", True, None, True),
    ("Bool", "true", ("true",), True),
    ("Bool", True, ("true",), True),
    ("Bool", "false", ("true",), False),
    ("Bool", "true", None, False),
    ("BoolIfExists", "true", None, True),
    ("DateGreaterThan", NOON, (ONE_SECOND_LATER,), True),
    ("DateGreaterThan", NOON, (NOON,), False),
    ("DateGreaterThanEquals", NOON, (NOON,), True),
    ("DateGreaterThanEquals", ONE_SECOND_LATER, (NOON,), False),
    ("DateLessThan", ONE_SECOND_LATER, (NOON,), True),
    ("DateLessThan", NOON, (NOON,), False),
    ("DateLessThanEquals", NOON, (NOON,), True),
    ("DateLessThanEquals", NOON, (ONE_SECOND_LATER,), False),
    ("DateLessThan", NOON, None, False),
    ("DateLessThan", NOON, ("soon",), False),
    ("DateGreaterThan", "2026-05-01", (NOON,), True),
    ("DateGreaterThan", "2026-05-02", (NOON,), False),
    ("DateLessThan", "2026-05-01T14:30+02:00", (NOON,), True),
    ("DateLessThan", "2026-05-01T13:30:00.5+02:00", (NOON,), False),
    ("DateLessThan", "1777636801", ("1777636800",), True),
    ("DateLessThan", "1777636800", (NOON,), False),
    ("DateEquals", "1777636800", (NOON,), True),
    ("DateEquals", NOON, (ONE_SECOND_LATER,), False),
    ("DateNotEquals", NOON, (NOON,), False),
    ("DateNotEquals", NOON, (ONE_SECOND_LATER,), True),
    ("DateNotEquals", NOON, None, True),
    ("DateLessThanIfExists", NOON, None, True),
    ("ForAllValues:StringEquals", ["a", "b"], ("a", "b"), True),
    ("ForAllValues:StringEquals", ["a", "b"], ("a", "c"), False),
    ("ForAllValues:StringEquals", ["a", "b"], None, True),
    ("ForAllValues:StringNotEquals", ["a"], ("b", "a"), False),
    ("ForAllValues:StringNotEquals", ["a"], ("b", "c"), True),
    ("ForAnyValue:StringEquals", ["a", "b"], ("c", "b"), True),
    ("ForAnyValue:StringEquals", ["a", "b"], ("c",), False),
    ("ForAnyValue:StringEquals", "a", None, False),
    ("ForAnyValue:StringNotEquals", "a", None, False),
    ("ForAnyValue:StringNotLike", "a*", ("ab", "b"), True),
    ("ForAnyValue:StringEqualsIfExists", "a", None, True),
    ("StringEquals", "a", ("x", "a"), True),
    ("StringNotEquals", "a", ("x", "a"), False),
]


def holds(block: object, context: dict[str, tuple[str, ...]]) -> bool:
    return all(condition.holds(context) for condition in parse_conditions(block))


@pytest.mark.parametrize(
    "block",
    [
        [],
        "StringEquals",
        {"StringEquals": []},
        {"StringEquals": {"k": []}},
        {"StringEquals": {"k": None}},
        {"StringEquals": {"k": 1}},
        {"StringEquals": {"k": ["a", {}]}},
        {"StringEquals": {"k": "${aws:username}"}},
        {"stringequals": {"k": "a"}},
        {"StringEqual": {"k": "a"}},
        {"ArnLike": {"k": "a"}},
        {"NumericEquals": {"k": "1"}},
        {"DateLessThan": {"k": "2026-05"}},
        {"DateLessThan": {"k": "2026-05-32"}},
        {"DateLessThan": {"k": "2026-05-01T12:00:00"}},
        {"DateLessThan": {"k": "999999999999"}},
        {"DateLessThan": {"k": [NOON, "tomorrow"]}},
        {"DateEqualsIgnoreCase": {"k": NOON}},
        {"ForSomeValues:StringEquals": {"k": "a"}},
        {"ForAnyValue:": {"k": "a"}},
        {"IfExists": {"k": "a"}},
        {"NullIfExists": {"k": "true"}},
        {"Null": {"k": "maybe"}},
        {"Null": {"k": ["true", "false"]}},
    ],
)
def test_what_is_not_understood_is_refused(block: object) -> None:
    with pytest.raises(PolicyError):
        parse_conditions(block)


@pytest.mark.parametrize(("operator", "expected", "values", "result"), ROWS)
def test_operator(operator: str, expected: object, values: Values, result: bool) -> None:
    context = {} if values is None else {"kms:key": values}
    assert holds({operator: {"kms:Key": expected}}, context) is result


def test_many_wildcards_take_no_time() -> None:
    """A regular expression that tries every split of the value would hold up all callers for minutes."""
    start = time.process_time()
    assert not holds({"StringLike": {"kms:key": "*a" * 200 + "b"}}, {"kms:key": ("a" * 2000,)})
    assert holds({"StringLike": {"kms:key": "*a" * 200 + "*b"}}, {"kms:key": ("a" * 2000 + "b",)})
    assert time.process_time() - start < 1


def test_keys_of_one_operator_are_anded() -> None:
    block = {"StringEquals": {"a": "1", "b": "2"}}
    assert holds(block, {"a": ("1",), "b": ("2",)})
    assert not holds(block, {"a": ("1",), "b": ("1",)})
    assert not holds(block, {"a": ("1",)})


def test_operators_of_one_block_are_anded() -> None:
    block = {"StringEquals": {"a": "1"}, "Null": {"b": "true"}}
    assert holds(block, {"a": ("1",)})
    assert not holds(block, {"a": ("1",), "b": ("2",)})


def test_negated_keys_of_one_block_are_anded_too() -> None:
    """Why one Deny with several negated keys is no floor: a mixed tuple passes it (review R12)."""
    block = {"StringNotEquals": {"pcr0": ["a", "b"], "pcr17": ["a", "b"]}}
    assert holds(block, {"pcr0": ("x",), "pcr17": ("x",)})
    assert not holds(block, {"pcr0": ("a",), "pcr17": ("x",)})


def test_an_empty_block_always_holds() -> None:
    assert holds({}, {})


def test_the_table_is_long_enough() -> None:
    assert len(ROWS) >= 40
