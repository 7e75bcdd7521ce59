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
ATTESTATION_PREFIX = "kms:recipientattestation:"

_ATTESTATION_KEY = re.compile(ATTESTATION_PREFIX + r"(?:pcr([0-9]|[12][0-9]|3[01])|imagesha384)")
_MEASUREMENT = re.compile(r"[0-9a-fA-F]{96}")
_POSITIVE = ("stringequals", "stringequalsignorecase", "stringlike")
_NARROWING = re.compile(
    r"(string(equals(ignorecase)?|like)|bool|null|binaryequals|ipaddress|arn(equals|like)"
    r"|(numeric|date)(equals|lessthan(equals)?|greaterthan(equals)?))"
)


def pcr_of(condition: Condition) -> int | None:
    """The PCR that a condition key names; ImageSha384 is PCR0. NitroTPM's keys name none."""
    found = _ATTESTATION_KEY.fullmatch(condition.key)
    return None if found is None else int(found[1] or 0)


def pins(statement: Statement) -> list[tuple[int, Condition]]:
    """The conditions that demand a value of a PCR, with its index: without a document they do not hold."""
    found = ((pcr_of(condition), condition) for condition in statement.conditions if condition.operator in _POSITIVE)
    return [(pcr, condition) for pcr, condition in found if pcr is not None]


def releasing(statement: Statement) -> bool:
    """Whether the statement is about an action that turns ciphertext into plaintext or into another key's."""
    return any(statement.reaches(action) for action in RELEASING_ACTIONS)


def lint_release(statement: Statement) -> Iterator[Finding]:
    """Findings on an Allow that reaches Decrypt or ReEncryptFrom."""
    name = statement.name
    yield from _lint_operators(statement)
    pinned = {pcr for pcr, _ in pins(statement)}
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
    if mixed := [c.key for c in statement.conditions if pcr_of(c) is not None and len(set(c.values)) > 1]:
        yield error(
            "mixed-tuples",
            f"{name}: {len(mixed)} PCRs list several values, so that parts of different releases pass together",
            "write one Allow per tuple of measurements",
        )


def _lint_operators(statement: Statement) -> Iterator[Finding]:
    for operator in sorted({condition.operator for condition in statement.conditions}):
        if not _NARROWING.fullmatch(operator):
            yield error(
                "loose-operator",
                f"{statement.name}: {operator:.40} is negated, a set operator, IfExists or unknown; "
                "it can hold without a document",
                "use StringEqualsIgnoreCase alone",
            )


def lint_values(statement: Statement) -> Iterator[Finding]:
    """Findings on the keys and values of attestation conditions, in an Allow or a Deny."""
    for condition in statement.conditions:
        if not condition.key.startswith(ATTESTATION_PREFIX):
            continue
        if pcr_of(condition) is None:
            yield warning(
                "other-attestation",
                f"{statement.name}: {condition.key:.60} is no PCR of an enclave; a NitroTPM measures another machine",
                "use kms:RecipientAttestation:PCR0 to PCR31",
            )
        if condition.operator != "null":
            yield from _lint_measurements(statement, condition)


def _lint_measurements(statement: Statement, condition: Condition) -> Iterator[Finding]:
    refused_by_name = statement.effect == "Deny" and condition.operator in _POSITIVE
    for value in condition.values or ("",):
        if value == ZERO.hex() and not refused_by_name:
            yield error(
                "zero-measurement",
                f"{statement.name}: {condition.key:.60} is zero, as in every debug enclave",
                "pin the values of a production build",
            )
        elif not _MEASUREMENT.fullmatch(value):
            yield error(
                "bad-measurement",
                f"{statement.name}: {condition.key:.60} has a value with wildcards or of another form",
                "give 96 hexadecimal digits",
            )
