"""Condition blocks of key policies: operators, multi-value logic, and what an absent key means.

Source: IAM User Guide, "IAM JSON policy elements: Condition operators" and "Creating a condition with multiple keys
or values". Within one operator several values are ORed (NORed for a negated operator); keys and operators are ANDed.
An operator that is not in the table is refused when the policy is parsed, so that nothing is silently ignored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from strongroom.simulator.operators import MATCHERS, Matcher, instant

Context = Mapping[str, tuple[str, ...]]
"""Condition keys of one request, in lower case, each with its values; an absent key is not in the mapping."""


class PolicyError(ValueError):
    """The policy document cannot be understood, or uses what the simulator does not evaluate."""


class Quantifier(Enum):
    """How an operator treats a key with several values."""

    NONE = ""
    ALL = "ForAllValues:"
    ANY = "ForAnyValue:"


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator applied to one key."""

    key: str
    matches: Matcher
    patterns: tuple[str, ...]
    negated: bool
    if_exists: bool
    quantifier: Quantifier

    def holds(self, context: Context) -> bool:
        """Whether the request with this `context` satisfies the condition."""
        values = context.get(self.key, ())
        if self.quantifier is Quantifier.ALL:
            return all(self._accepts(value) for value in values)
        if not values:
            return self.if_exists or (self.negated and self.quantifier is Quantifier.NONE)
        if self.quantifier is Quantifier.ANY:
            return any(self._accepts(value) for value in values)
        # A negated operator refuses when any value matches, so "all accepted" is its only true case.
        return (all if self.negated else any)(self._accepts(value) for value in values)

    def _accepts(self, value: str) -> bool:
        return any(self.matches(pattern, value) for pattern in self.patterns) != self.negated


@dataclass(frozen=True, slots=True)
class NullCondition:
    """`Null`: true demands that the key is absent, false that it is there."""

    key: str
    absent: bool

    def holds(self, context: Context) -> bool:
        """Whether the request with this `context` satisfies the condition."""
        return (not context.get(self.key)) == self.absent


def parse_conditions(block: object) -> tuple[Condition | NullCondition, ...]:
    """The conditions of a `Condition` element; all must hold. Raises `PolicyError`."""
    conditions = []
    for name, tests in _mapping(block, "Condition").items():
        for key, values in _mapping(tests, name).items():
            conditions.append(_parse_condition(name, key, _strings(values, key)))
    return tuple(conditions)


def _parse_condition(name: str, key: str, values: tuple[str, ...]) -> Condition | NullCondition:
    if name == "Null":
        if len(values) != 1 or values[0].lower() not in ("true", "false"):
            raise PolicyError(f'Null on {key}: expected "true" or "false"')
        return NullCondition(key.lower(), absent=values[0].lower() == "true")
    quantifier = next((q for q in (Quantifier.ALL, Quantifier.ANY) if name.startswith(q.value)), Quantifier.NONE)
    unquantified = name.removeprefix(quantifier.value)
    base = unquantified.removesuffix("IfExists")
    if base not in MATCHERS:
        raise PolicyError(f"expected one of {sorted(MATCHERS)} or Null, got the condition operator {name!r}")
    if base.startswith("Date"):
        _check_dates(values)
    matches, negated = MATCHERS[base]
    return Condition(key.lower(), matches, values, negated, unquantified != base, quantifier)


def _check_dates(values: tuple[str, ...]) -> None:
    for value in values:
        if instant(value) is None:
            raise PolicyError(f"expected a date like 2026-01-31T00:00:00Z, got {value!r}")


def _mapping(value: object, where: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise PolicyError(f"{where}: expected an object, got {type(value).__name__}")
    return value


def _strings(value: object, where: str) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    if not values:
        raise PolicyError(f"{where}: expected at least one value")
    return tuple(_string(item, where) for item in values)


def _string(value: object, where: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        raise PolicyError(f"{where}: expected a string, got {type(value).__name__}")
    if "${" in value:
        raise PolicyError(f"{where}: policy variables are not evaluated here; write the value out")
    return value
