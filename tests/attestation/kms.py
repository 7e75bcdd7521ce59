"""Enough of KMS's judgement of a key policy to see what a compiled one lets through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attestation.key_policy.statements import matches

Statement = Mapping[str, Any]


def allows(policy: Mapping[str, Any], principal: str, action: str, context: Mapping[str, str]) -> bool:
    """An Allow that applies, and no Deny that does."""
    applying = [each["Effect"] for each in policy["Statement"] if _applies(each, principal, action, context)]
    return "Allow" in applying and "Deny" not in applying


def enclave(pcrs: Mapping[int, bytes], purpose: str = "model") -> dict[str, str]:
    """The request context of a call with an attestation document and an encryption context."""
    attested = {f"kms:RecipientAttestation:PCR{index}": value.hex() for index, value in pcrs.items()}
    return {**attested, **sealing(purpose)}


def sealing(purpose: str) -> dict[str, str]:
    """The request context of a call with an encryption context."""
    return {"kms:EncryptionContext:purpose": purpose}


def _applies(statement: Statement, principal: str, action: str, context: Mapping[str, str]) -> bool:
    principals = statement["Principal"]["AWS"]
    return (
        (principals == "*" or principal in principals)
        and any(matches(pattern, action) for pattern in statement["Action"])
        and all(
            _holds(operator, context.get(key), values)
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def _holds(operator: str, actual: str | None, values: str | list[str]) -> bool:
    listed = [values] if isinstance(values, str) else values
    if operator == "StringEquals":
        return actual in listed
    if operator == "StringEqualsIgnoreCase":
        return actual is not None and actual.lower() in [value.lower() for value in listed]
    if operator == "StringNotEqualsIgnoreCase":
        return actual is None or actual.lower() not in [value.lower() for value in listed]
    if operator == "DateGreaterThanEquals":
        return actual is not None and actual >= listed[0]
    if operator == "DateLessThanEquals":
        return actual is not None and actual <= listed[0]
    raise AssertionError(f"no such operator here: {operator}")
