"""Lint a KMS key by KMS's own answers, before trusting it with anything.

A key policy shows much, not all: the linter never says that there is no way around it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from attestation.key_policy import attested
from attestation.key_policy.findings import Finding, error, warning
from attestation.key_policy.principals import is_account, is_role
from attestation.key_policy.statements import Statement, UnreadableStatementError, read_statements

MAX_TUPLES = 2

_EXPECTED_METADATA: tuple[tuple[str, object, str, str], ...] = (
    ("MultiRegion", False, "multi-region", "replicas have policies of their own; create a single-Region key"),
    ("Origin", "AWS_KMS", "key-origin", "imported or external key material has copies; let KMS create it"),
    ("Enabled", True, "key-state", "enable the key"),
    ("KeyState", "Enabled", "key-state", "enable the key, cancel its deletion"),
    ("KeySpec", "SYMMETRIC_DEFAULT", "key-spec", "create a symmetric key"),
    ("KeyUsage", "ENCRYPT_DECRYPT", "key-usage", "create a key for encryption"),
)
_POWERS = {
    "kms:creategrant": ("grants-allowed", "a grant decrypts past every condition of the policy"),
    "kms:putkeypolicy": ("policy-change-allowed", "the policy can be replaced"),
}


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
        *_lint_metadata(description),
        *_lint_grants(grants),
        *_lint_policy(policy, runtime_role_arn),
        warning(
            "iam-unseen",
            "IAM policies, who may assume the roles, and past or later policies cannot be seen from here",
            "audit IAM and CloudTrail for kms:Decrypt, kms:PutKeyPolicy and kms:CreateGrant",
        ),
    )


def _lint_metadata(description: Mapping[str, object]) -> Iterator[Finding]:
    for field, expected, code, mend in _EXPECTED_METADATA:
        actual = description.get(field)
        if actual != expected:
            yield error(code, f"{field}: expected {expected}, got {actual!r:.40}", mend)


def _lint_grants(grants: Sequence[object]) -> Iterator[Finding]:
    if grants:
        yield error("grants", f"{len(grants)} grants, which ignore the key policy's conditions", "revoke every grant")


def _lint_policy(policy: Mapping[str, object], runtime_role_arn: str | None) -> Iterator[Finding]:
    try:
        statements = read_statements(policy)
    except UnreadableStatementError as unreadable:
        yield error("unreadable-policy", f"{unreadable}", "write the policy with the key policy compiler")
        return
    for statement in statements:
        yield from attested.lint_values(statement)
        if statement.effect == "Allow":
            yield from _lint_allow(statement, runtime_role_arn)
    yield from _lint_whole(statements)


def _lint_allow(statement: Statement, runtime_role_arn: str | None) -> Iterator[Finding]:
    for element in statement.negated:
        yield error(
            "negated-element",
            f"{statement.name}: {element} in an Allow allows what nobody listed",
            "list what is allowed",
        )
    if attested.releasing(statement):
        yield from attested.lint_release(statement)
    for action, (code, consequence) in _POWERS.items():
        if statement.reaches(action):
            yield from _lint_power(statement, runtime_role_arn, code, f"{action}: {consequence}")


def _lint_power(statement: Statement, runtime_role_arn: str | None, code: str, explanation: str) -> Iterator[Finding]:
    if statement.for_everyone or any(is_role(each, runtime_role_arn) for each in statement.principals):
        yield error(code, f"{statement.name}: {explanation}", "leave it to administrators, named one by one")
    elif code == "grants-allowed" or any(is_account(each) for each in statement.principals):
        yield warning(code, f"{statement.name}: {explanation}", "name the administrators; leave out CreateGrant")


def _lint_whole(statements: tuple[Statement, ...]) -> Iterator[Finding]:
    floors = {attested.floor_of(statement) for statement in statements}
    if missing := [f"PCR{pcr}" for pcr in attested.REQUIRED_PCRS if pcr not in floors]:
        yield warning(
            "no-floor",
            f"no Deny of kms:Decrypt for other values of {', '.join(missing)}",
            "add one Deny per PCR, with StringNotEqualsIgnoreCase and all live values",
        )
    tuples = [each for each in statements if each.effect == "Allow" and attested.releasing(each)]
    if len(tuples) > MAX_TUPLES:
        yield error("many-tuples", f"{len(tuples)} statements allow decryption", "retire old releases")
