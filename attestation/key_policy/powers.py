"""Powers over a key that undo every condition of its policy, and who is given them."""

from __future__ import annotations

from collections.abc import Iterator, Set

from attestation.key_policy.findings import Finding, error, warning
from attestation.key_policy.principals import account_of, is_account, role_of
from attestation.key_policy.statements import Statement, matches

_GRANTING = "kms:creategrant"
_REWRITING = "kms:putkeypolicy"
_NAMED_ONE_BY_ONE = "leave it to administrators of the key's own account, named one by one"


def lint_powers(statement: Statement, runtime_roles: Set[tuple[str, str]], account: str | None) -> Iterator[Finding]:
    """Findings on an Allow that reaches everything, CreateGrant or PutKeyPolicy, of a key in ``account``."""
    name = statement.name
    if any(matches(each, _GRANTING) and matches(each, _REWRITING) for each in statement.actions):
        yield error("every-action", f"{name}: allows kms:* or nearly so", "list the actions, without kms:Decrypt")
    if statement.reaches(_GRANTING):
        yield error(
            "grants-allowed",
            f"{name}: allows kms:CreateGrant, and a grant decrypts past every condition of the policy",
            "leave out kms:CreateGrant",
        )
    if statement.reaches(_REWRITING):
        yield from _lint_rewriting(statement, runtime_roles, account)


def _lint_rewriting(
    statement: Statement, runtime_roles: Set[tuple[str, str]], account: str | None
) -> Iterator[Finding]:
    explanation = f"{statement.name}: allows kms:PutKeyPolicy, which replaces the policy"
    if strangers := [each for each in statement.principals if not _belongs(each, account)]:
        yield error("policy-change-allowed", f"{explanation}, to {strangers[0]:.100}", _NAMED_ONE_BY_ONE)
    elif statement.for_everyone or any(role_of(each) in runtime_roles for each in statement.principals):
        whom = "everyone" if statement.for_everyone else "a runtime role, which the parent holds"
        yield error("policy-change-allowed", f"{explanation}, to {whom}", _NAMED_ONE_BY_ONE)
    elif any(is_account(each) for each in statement.principals):
        yield warning(
            "policy-change-allowed",
            f"{explanation}, to whomever the account's IAM policies allow it",
            "name the administrators",
        )


def _belongs(principal: str, account: str | None) -> bool:
    """Whether ``principal`` is of the key's own account; where that is unknown, of any."""
    owner = account_of(principal)
    return owner is not None and account in (None, owner)
