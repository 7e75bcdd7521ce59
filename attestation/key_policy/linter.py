"""Lint a KMS key by KMS's own answers, before trusting it with anything.

A key policy shows much, not all: the linter never says that there is no way around it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set

from attestation.key_policy import attested
from attestation.key_policy.findings import Finding, error, warning
from attestation.key_policy.floors import lint_floors
from attestation.key_policy.foreign import lint_foreign
from attestation.key_policy.powers import lint_powers
from attestation.key_policy.principals import role_of
from attestation.key_policy.statements import Statement, UnreadableStatementError, read_statements

MAX_TUPLES = 2
IAM_UNSEEN = warning(
    "iam-unseen",
    "IAM policies, who may assume the roles, and past or later policies cannot be seen from here",
    "audit IAM and CloudTrail for kms:Decrypt, kms:PutKeyPolicy and kms:CreateGrant",
)

_KEY_ARN = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:([0-9]{12}):key/.+")
_EXPECTED_METADATA: tuple[tuple[str, object, str, str], ...] = (
    ("MultiRegion", False, "multi-region", "replicas have policies of their own; create a single-Region key"),
    ("Origin", "AWS_KMS", "key-origin", "imported or external key material has copies; let KMS create it"),
    ("Enabled", True, "key-state", "enable the key"),
    ("KeyState", "Enabled", "key-state", "enable the key, cancel its deletion"),
    ("KeySpec", "SYMMETRIC_DEFAULT", "key-spec", "create a symmetric key"),
    ("KeyUsage", "ENCRYPT_DECRYPT", "key-usage", "create a key for encryption"),
)


def lint_key(
    description: Mapping[str, object],
    policy: Mapping[str, object],
    grants: Sequence[object],
    *,
    runtime_role_arn: str | None = None,
) -> tuple[Finding, ...]:
    """Judge a key by DescribeKey's KeyMetadata, GetKeyPolicy's Policy (parsed JSON) and ListGrants' Grants.

    Never raises for what it reads: what it cannot read is an error in the result. IAM is always reported as unseen.
    """
    return (
        *lint_metadata(description),
        *lint_grants(grants),
        *lint_policy(policy, runtime_role_arn, account_in(description)),
        IAM_UNSEEN,
    )


def account_in(description: Mapping[str, object]) -> str | None:
    """The account of the key's ARN; None if its metadata have none."""
    found = _KEY_ARN.fullmatch(str(description.get("Arn")))
    return None if found is None else found[1]


def lint_metadata(description: Mapping[str, object]) -> Iterator[Finding]:
    """Findings on DescribeKey's KeyMetadata."""
    for field, expected, code, mend in _EXPECTED_METADATA:
        actual = description.get(field)
        if actual != expected:
            yield error(code, f"{field}: expected {expected}, got {actual!r:.40}", mend)


def lint_grants(grants: Sequence[object]) -> Iterator[Finding]:
    """Findings on ListGrants' Grants."""
    if grants:
        yield error("grants", f"{len(grants)} grants, which ignore the key policy's conditions", "revoke every grant")


def lint_policy(
    policy: Mapping[str, object], runtime_role_arn: str | None, account: str | None = None
) -> Iterator[Finding]:
    """Findings on the parsed policy of a key in ``account``; without the account fewer can be made.

    A role that may decrypt for an enclave is a runtime role, and so is the one that is named.
    """
    try:
        statements = read_statements(policy)
    except UnreadableStatementError as unreadable:
        yield error("unreadable-policy", f"{unreadable}", "write the policy with the key policy compiler")
        return
    runtime_roles = _runtime_roles(statements, runtime_role_arn)
    for statement in statements:
        yield from attested.lint_values(statement)
        if statement.effect == "Allow":
            yield from _lint_allow(statement, runtime_roles, account)
    yield from lint_floors(statements)
    yield from _lint_count(statements)


def _runtime_roles(statements: tuple[Statement, ...], named: str | None) -> frozenset[tuple[str, str]]:
    releases = (each for each in statements if each.effect == "Allow" and attested.releasing(each))
    principals = [each for release in releases if attested.pins(release) for each in release.principals]
    return frozenset(role for each in [named or "", *principals] if (role := role_of(each)) is not None)


def _lint_allow(statement: Statement, runtime_roles: Set[tuple[str, str]], account: str | None) -> Iterator[Finding]:
    for element in statement.negated:
        yield error(
            "negated-element",
            f"{statement.name}: {element} in an Allow allows what nobody listed",
            "list what is allowed",
        )
    if attested.releasing(statement):
        yield from attested.lint_release(statement)
    yield from lint_powers(statement, runtime_roles, account)
    yield from lint_foreign(statement, account)


def _lint_count(statements: tuple[Statement, ...]) -> Iterator[Finding]:
    allows = [each for each in statements if each.effect == "Allow" and attested.releasing(each)]
    tuples = {frozenset((pcr, condition.values) for pcr, condition in attested.pins(each)) for each in allows}
    if len(tuples) > MAX_TUPLES:
        yield error("many-tuples", f"{len(tuples)} tuples of measurements decrypt", "retire old releases")
