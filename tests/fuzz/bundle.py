"""Invariant of ``Bundle.from_bytes``: ProofRejected (bundle-form), or a bundle that has no other encoding."""

from __future__ import annotations

from dataclasses import replace

from attestation.bundles import Bundle
from attestation.proof_errors import ProofCode, ProofRejected
from tests.attestation import bombs
from tests.attestation.issuing import Enclave
from tests.fuzz.targets import check


def seeds() -> list[bytes]:
    enclave = Enclave("A")
    enclave.fill(5)
    issued = enclave.issue()
    enclave.fill(3)
    whole = enclave.bundle(issued, policy="a policy", inclusion=enclave.inclusion(5))
    bundles = (whole, replace(whole, inclusion=None), Bundle(whole.evidence, whole.receipt))
    return [*(each.to_bytes() for each in bundles), *bombs.payloads().values()]


def one_input(data: bytes) -> None:
    try:
        bundle = Bundle.from_bytes(data)
    except ProofRejected as refused:
        check(refused.code is ProofCode.BUNDLE_FORM, "bundle-form")
        return
    check(bundle.to_bytes() == data, "one encoding only")
