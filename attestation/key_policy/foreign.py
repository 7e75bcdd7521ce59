"""Principals of other accounts: KMS may decrypt for them, but does not show them the key's policy.

https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyPolicy.html: "Cross-account use: No."
"""

from __future__ import annotations

from collections.abc import Iterator

from attestation.key_policy.findings import Finding, warning
from attestation.key_policy.principals import account_of
from attestation.key_policy.statements import Statement


def lint_foreign(statement: Statement, account: str | None) -> Iterator[Finding]:
    """Findings on an Allow of Decrypt for principals outside ``account``; none where the key's account is unknown."""
    if account is None or not statement.reaches("kms:decrypt"):
        return
    if foreign := [each for each in statement.principals if account_of(each) not in (None, account)]:
        yield warning(
            "foreign-decrypt",
            f"{statement.name}: lets {foreign[0]:.80} decrypt, of another account than the key's, {account}; "
            "an enclave with its credentials cannot read this policy, and so refuses the key",
            "name a role of the key's own account, which the parent assumes",
        )
