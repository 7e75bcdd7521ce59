"""A key policy's statements, read strictly into plain values (IAM JSON policy grammar).

Element names are compared exactly as IAM does; actions, condition operators and condition keys are folded to lower
case, since IAM ignores their case. A condition given twice that way has no one reading, so it is not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_ELEMENTS = {
    *("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource"),
    "Condition",
}
_NEGATED_ELEMENTS = ("NotAction", "NotPrincipal", "NotResource")
_POLICY_ELEMENTS = {"Version", "Id", "Statement"}
_MAX_NAME_CHARS = 64


class UnreadableStatementError(ValueError):
    """The statement does not follow the grammar; the message names the element, never its content."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator applied to one key; the values are alternatives."""

    operator: str
    key: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement; ``negated`` names its NotAction, NotPrincipal and NotResource elements."""

    name: str
    effect: str
    principals: tuple[str, ...]
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: tuple[Condition, ...]
    negated: tuple[str, ...]

    @classmethod
    def from_object(cls, raw: object, index: int) -> Statement:
        """Read a statement from parsed JSON; ``index`` names it if it has no Sid. Raises UnreadableStatementError."""
        if not isinstance(raw, Mapping) or not set(raw) <= _ELEMENTS:
            raise UnreadableStatementError(f"statement {index}: unknown elements")
        if raw.get("Effect") not in ("Allow", "Deny"):
            raise UnreadableStatementError(f"statement {index}: Effect")
        for element in ("Principal", "Action", "Resource"):
            if (element in raw) == (f"Not{element}" in raw):
                raise UnreadableStatementError(f"statement {index}: one of {element} and Not{element}")
        return cls(
            name=str(raw.get("Sid") or f"statement {index}")[:_MAX_NAME_CHARS],
            effect=str(raw["Effect"]),
            principals=_principals(raw.get("Principal")),
            actions=tuple(action.lower() for action in _strings(raw.get("Action"), "Action")),
            resources=_strings(raw.get("Resource"), "Resource"),
            conditions=tuple(_conditions(raw.get("Condition"))),
            negated=tuple(element for element in _NEGATED_ELEMENTS if element in raw),
        )

    def reaches(self, action: str) -> bool:
        """Whether an action pattern matches ``action`` (lower case); NotAction reaches everything."""
        return "NotAction" in self.negated or any(matches(pattern, action) for pattern in self.actions)

    @property
    def for_everyone(self) -> bool:
        """Whether the principal is everyone, or everyone but some."""
        return "NotPrincipal" in self.negated or any("*" in principal for principal in self.principals)


def read_statements(policy: object) -> tuple[Statement, ...]:
    """The statements of a parsed policy. Raises UnreadableStatementError."""
    if not isinstance(policy, Mapping) or not set(policy) <= _POLICY_ELEMENTS:
        raise UnreadableStatementError("the policy is not a JSON object of Version, Id and Statement")
    raw = policy.get("Statement")
    listed = raw if isinstance(raw, list) else [raw]
    return tuple(Statement.from_object(entry, index) for index, entry in enumerate(listed))


def matches(pattern: str, text: str) -> bool:
    """IAM's wildcards, ``*`` and ``?``, in time linear in pattern times text: patterns come from strangers."""
    reachable = {0}  # lengths of the prefixes of ``text`` that the pattern so far can match
    for character in pattern:
        if character == "*":
            reachable = set(range(min(reachable), len(text) + 1))
        else:
            reachable = {at + 1 for at in reachable if at < len(text) and character in ("?", text[at])}
        if not reachable:
            return False
    return len(text) in reachable


def _principals(raw: object) -> tuple[str, ...]:
    if isinstance(raw, Mapping):
        return tuple(principal for listed in raw.values() for principal in _strings(listed, "Principal"))
    return _strings(raw, "Principal")


def _conditions(raw: object) -> list[Condition]:
    found = [
        Condition(_folded(operator), _folded(key), _strings(values, "Condition"))
        for operator, keys in _pairs(raw)
        for key, values in _pairs(keys)
    ]
    if len({(each.operator, each.key) for each in found}) != len(found):
        raise UnreadableStatementError("Condition gives an operator and key twice, in another case")
    return found


def _folded(name: str) -> str:
    """In lower case, if it is ASCII: Python would also make a k of a Kelvin sign, and no such name is KMS's."""
    return name.lower() if name.isascii() else name


def _pairs(raw: object) -> list[tuple[str, object]]:
    if raw is None:
        return []
    if not isinstance(raw, Mapping) or not all(isinstance(key, str) for key in raw):
        raise UnreadableStatementError("Condition is not an object of objects")
    return list(raw.items())


def _strings(raw: object, element: str) -> tuple[str, ...]:
    if raw is None:
        return ()
    listed = raw if isinstance(raw, list | tuple) else [raw]
    return tuple(_string(entry, element) for entry in listed)


def _string(entry: object, element: str) -> str:
    if isinstance(entry, bool | int | float):
        return str(entry).lower()  # JSON literals are allowed as condition values
    if not isinstance(entry, str):
        raise UnreadableStatementError(f"{element} is not text or a list of texts")
    return entry
