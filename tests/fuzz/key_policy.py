"""Invariant of ``parse_key_policy`` and ``lint_key``: PolicyError, or findings; the linter never raises."""

from __future__ import annotations

import json

from attestation.compiler import compile_key_policy
from attestation.errors import PolicyError
from attestation.key_policy.linter import lint_key
from attestation.key_policy.text import parse_key_policy
from attestation.policy import Measurements
from tests.attestation import forge
from tests.fuzz.targets import check

_ACCOUNT = "111122223333"
_ROLE = f"arn:aws:iam::{_ACCOUNT}:role/runtime"


def seeds() -> list[bytes]:
    policy = compile_key_policy(
        key_arn=f"arn:aws:kms:eu-west-1:{_ACCOUNT}:key/11112222-3333-4444-5555-666677778888",
        runtime_role_arn=_ROLE,
        measurements=[Measurements({index: forge.pcr(index) for index in (0, 1, 2, 3, 16, 17)})],
    )
    odd = ('{"Statement": []}', '{"Statement": {"Effect": "Allow"}}', '{"a": 1, "a": 2}', "[1e400, NaN]", "[" * 2000)
    return [json.dumps(policy).encode(), *(text.encode() for text in odd)]


def one_input(data: bytes) -> None:
    try:
        policy = parse_key_policy(data.decode("utf-8", errors="surrogateescape"))
    except PolicyError:
        return
    check(lint_key({}, policy, [], runtime_role_arn=_ROLE) != (), "findings")
