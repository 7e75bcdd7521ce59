"""Judging a proof bundle whole, years later, by somebody who holds nothing else."""

from __future__ import annotations

from attestation.anchors import AWS_NITRO_ROOT_G1, SimulatedTrustAnchor, TrustAnchor
from attestation.bundles import Bundle
from attestation.evidence import Evidence
from attestation.modes import Archived
from attestation.policy import Policy
from attestation.proofs.claims import read_receipt_claims
from attestation.proofs.envelopes import SignedPayload
from attestation.proofs.openings import Opening
from attestation.proofs.verifier import VerifiedReceipt, verify_receipt
from attestation.verifier import verify


def verify_bundle(
    bundle: Bundle,
    *,
    policy: Policy,
    request: Opening | None = None,
    response: Opening | None = None,
    anchor: TrustAnchor | SimulatedTrustAnchor = AWS_NITRO_ROOT_G1,
    allow_simulated: bool = False,
) -> VerifiedReceipt:
    """Judge a bundle by the caller's own ``policy``, its document as archived at the receipt's instant.

    ``request`` and ``response`` are judged in place of those that it shows.

    Raises Rejected, ProofRejected, PolicyError.
    """
    claims = read_receipt_claims(SignedPayload.from_bytes(bundle.receipt).payload)
    evidence = Evidence.from_bytes(bundle.evidence)
    archived = Archived(claims.time_ms)
    document = verify(evidence.document, policy=policy, mode=archived, anchor=anchor, allow_simulated=allow_simulated)
    return verify_receipt(
        bundle.receipt,
        document,
        evidence=evidence,
        request=request or bundle.request,
        response=response or bundle.response,
        log=bundle.log,
    )
