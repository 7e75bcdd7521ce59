"""Whether a statement ties decryption to measured enclaves, and to which (KMS condition keys for Nitro Enclaves).

https://docs.aws.amazon.com/kms/latest/developerguide/conditions-nitro-enclaves.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from attestation.key_policy.findings import Finding, error, warning
from attestation.key_policy.statements import Condition, Statement
from attestation.measurements import CATALOGUE_PCR, CONFIGURATION_PCR, IMAGE_PCRS, PARENT_ROLE_PCR, ZERO

REQUIRED_PCRS = (*IMAGE_PCRS, CATALOGUE_PCR, CONFIGURATION_PCR)
RELEASING_ACTIONS = ("kms:decrypt", "kms:reencryptfrom")

_ATTESTATION_KEY = re.compile(r"kms:recipientattestation:(?:pcr([0-9]|[12][0-9]|3[01])|imagesha384)")
_MEASUREMENT = re.compile(r"[0-9a-fA-F]{96}")
_POSITIVE = ("stringequals", "stringequalsignorecase", "stringlike")
_NEGATED_EQUALITY = ("stringnotequals", "stringnotequalsignorecase")
_NARROWING = re.compile(
    r"(string(equals(ignorecase)?|like)|bool|null|binaryequals|ipaddress|arn(equals|like)"
    r"|(numeric|date)(equals|lessthan(equals)?|greaterthan(equals)?))"
)


def pcr_of(condition: Condition) -> int | None:
    """The PCR that a condition key names; ImageSha384 is PCR0. NitroTPM's keys name none."""
    found = _ATTESTATION_KEY.fullmatch(condition.key)
    return None if found is None else int(found[1] or 0)


def releasing(statement: Statement) -> bool:
    """Whether the statement is about an action that turns ciphertext into plaintext or into another key's."""
    return any(statement.reaches(action) for action in RELEASING_ACTIONS)


def lint_release(statement: Statement) -> Iterator[Finding]:
    """Findings on an Allow that reaches Decrypt or ReEncryptFrom."""
    name = statement.name
    for operator in {condition.operator for condition in statement.conditions}:
        if not _NARROWING.fullmatch(operator):
            yield error(
                "loose-operator",
                f"{name}: {operator} is negated, a set operator, IfExists or unknown; it can hold without a document",
                "use StringEqualsIgnoreCase alone",
            )
    pinned = {
        pcr
        for condition in statement.conditions
        if (pcr := pcr_of(condition)) is not None and condition.operator in _POSITIVE
    }
    if missing := [f"PCR{pcr}" for pcr in REQUIRED_PCRS if pcr not in pinned]:
        yield error(
            "unattested-release",
            f"{name}: allows decryption without conditions on {', '.join(missing)}",
            "allow kms:Decrypt only under conditions on PCR0, 1, 2, 16 and 17, and never kms:ReEncrypt*",
        )
    elif PARENT_ROLE_PCR not in pinned:
        yield warning("any-parent-role", f"{name}: any account's parent instance will do", "pin PCR3 as well")
    if statement.for_everyone:
        yield warning("any-principal", f"{name}: allows every principal", "name the runtime role")
    if mixed := [c.key for c in statement.conditions if pcr_of(c) is not None and len(c.values) > 1]:
        yield error(
            "mixed-tuples",
            f"{name}: {len(mixed)} PCRs list several values, so that parts of different releases pass together",
            "write one Allow per tuple of measurements",
        )


def lint_values(statement: Statement) -> Iterator[Finding]:
    """Findings on the values of attestation conditions, in an Allow or a Deny."""
    for condition in statement.conditions:
        if not condition.key.startswith("kms:recipientattestation:") or condition.operator == "null":
            continue
        for value in condition.values or ("",):
            if value == ZERO.hex():
                yield error(
                    "zero-measurement",
                    f"{statement.name}: {condition.key} is zero, as in every debug enclave",
                    "pin the values of a production build",
                )
            elif not _MEASUREMENT.fullmatch(value):
                yield error(
                    "bad-measurement",
                    f"{statement.name}: {condition.key} has a value with wildcards or of another form",
                    "give 96 hexadecimal digits",
                )


def floor_of(statement: Statement) -> int | None:
    """The PCR for which this is a floor: a Deny of Decrypt to everyone unless that one PCR has a listed value.

    With two keys in one statement, a document that matches either passes: KMS joins them by AND.
    """
    if statement.effect != "Deny" or statement.negated or not statement.reaches("kms:decrypt"):
        return None
    if "*" not in statement.principals or "*" not in statement.resources or len(statement.conditions) != 1:
        return None
    condition = statement.conditions[0]
    return pcr_of(condition) if condition.operator in _NEGATED_EQUALITY else None
