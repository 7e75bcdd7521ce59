"""The floor of a key policy: Denies that hold whatever an Allow, or one that is added later, lets through."""

from __future__ import annotations

import re
from collections.abc import Iterator, Set

from attestation.key_policy.attested import ATTESTATION_PREFIX, REQUIRED_PCRS, pcr_of, releasing
from attestation.key_policy.findings import Finding, error, warning
from attestation.key_policy.statements import Condition, Statement

_UNEQUAL = ("stringnotequals", "stringnotequalsignorecase")
_NEGATED = (*_UNEQUAL, "stringnotlike")
_PLAIN = re.compile(r"string(not)?(equals(ignorecase)?|like)|null")


def floor_of(statement: Statement) -> tuple[int, Condition] | None:
    """The PCR for which this is a floor: a Deny of Decrypt to everyone unless that one PCR has a listed value.

    With two keys in one statement, a document that matches either passes: KMS joins them by AND.
    """
    if not _denies_everyone(statement) or len(statement.conditions) != 1:
        return None
    condition = statement.conditions[0]
    pcr = pcr_of(condition)
    return (pcr, condition) if pcr is not None and condition.operator in _UNEQUAL else None


def lint_floors(statements: tuple[Statement, ...]) -> Iterator[Finding]:
    """Findings on the Denies of a policy, each and together."""
    floors = {floor[0] for statement in statements if (floor := floor_of(statement)) is not None}
    for statement in statements:
        if statement.effect == "Deny":
            yield from _lint_operators(statement)
            yield from _lint_joined(statement, floors)
    if missing := [f"PCR{pcr}" for pcr in REQUIRED_PCRS if pcr not in floors]:
        yield warning(
            "no-floor",
            f"no Deny of kms:Decrypt for other values of {', '.join(missing)}",
            "add one Deny per PCR, with StringNotEqualsIgnoreCase and all live values",
        )


def _lint_operators(statement: Statement) -> Iterator[Finding]:
    if "NotPrincipal" in statement.negated:
        yield warning(
            "negated-element",
            f"{statement.name}: NotPrincipal in a Deny spares whoever is listed, and it is easily misread",
            "deny everyone, under conditions",
        )
    for condition in statement.conditions:
        if condition.key.startswith(ATTESTATION_PREFIX) and not _PLAIN.fullmatch(condition.operator):
            yield error(
                "loose-operator",
                f"{statement.name}: {condition.operator:.40} is a set operator, IfExists or unknown; "
                "without a document it may not hold, and then nothing is denied",
                "use StringNotEqualsIgnoreCase, which holds when there is no document",
            )


def _lint_joined(statement: Statement, floors: Set[int]) -> Iterator[Finding]:
    negated = {pcr_of(condition) for condition in statement.conditions if condition.operator in _NEGATED} - {None}
    if releasing(statement) and len(negated) > 1 and not negated <= floors:
        yield error(
            "joined-floor",
            f"{statement.name}: denies only where {len(negated)} PCRs differ at once; a mix of two releases passes it",
            "write one Deny per PCR",
        )


def _denies_everyone(statement: Statement) -> bool:
    return (
        statement.effect == "Deny"
        and not statement.negated
        and statement.reaches("kms:decrypt")
        and "*" in statement.principals
        and "*" in statement.resources
    )
