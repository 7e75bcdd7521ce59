"""How the tests ask for a verdict."""

from __future__ import annotations

import pytest

from attestation.chain import ChainCache
from attestation.errors import Rejected, RejectionCode
from attestation.modes import Archived, Mode
from attestation.policy import Policy, UnsafeAnyMeasurement
from attestation.second_opinion import second_opinion
from attestation.verifier import VerifiedDocument, verify
from tests.attestation import forge


def accept(
    document: bytes,
    *,
    policy: Policy | None = None,
    mode: Mode | None = None,
    chain: forge.PKI | None = None,
    allow_debug: bool = False,
    kind: str = "enclave",
    expect_public_key: bytes | None = None,
    expect_user_data: bytes | None = None,
    cache: ChainCache | None = None,
) -> VerifiedDocument:
    """Verify under the forge's root, and what was accepted again by the second opinion."""
    verified = verify(
        document,
        policy=policy or UnsafeAnyMeasurement(),
        mode=mode or Archived(),
        anchor=(chain or forge.pki()).anchor,
        allow_simulated=True,
        allow_debug=allow_debug,
        kind=kind,
        expect_public_key=expect_public_key,
        expect_user_data=expect_user_data,
        cache=cache,
    )
    second_opinion(document, verified)
    return verified


def reject(
    code: RejectionCode,
    document: bytes,
    *,
    policy: Policy | None = None,
    mode: Mode | None = None,
    chain: forge.PKI | None = None,
    kind: str = "enclave",
    expect_public_key: bytes | None = None,
    expect_user_data: bytes | None = None,
) -> Rejected:
    """Verify, and insist on this one reason."""
    with pytest.raises(Rejected) as caught:
        accept(
            document,
            policy=policy,
            mode=mode,
            chain=chain,
            kind=kind,
            expect_public_key=expect_public_key,
            expect_user_data=expect_user_data,
        )
    assert caught.value.code is code, str(caught.value)
    return caught.value
