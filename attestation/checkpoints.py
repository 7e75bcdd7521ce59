"""Checkpoints: what the enclave signs about its log as a whole, under the same key as its receipts.

The profile inside what is signed keeps the two apart: no receipt can pass for a checkpoint, nor the other way round.
"""

from __future__ import annotations

from dataclasses import dataclass

import cbor2
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from attestation.receipt_claims import BOOT_ID, CHECKPOINT, PROFILE, TIME_MS
from attestation.signing import signed

CHECKPOINT_PROFILE = "urn:strongroom:checkpoint:v1"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """``root`` is that of the first ``size`` leaves of the boot's log; ``time_ms`` is the enclave's, at signing."""

    boot_id: bytes
    size: int
    root: bytes
    time_ms: int

    def to_payload(self) -> bytes:
        """The bytes that are signed: deterministic CBOR."""
        return cbor2.dumps(
            {
                PROFILE: CHECKPOINT_PROFILE,
                TIME_MS: self.time_ms,
                BOOT_ID: self.boot_id,
                CHECKPOINT: [self.size, self.root],
            }
        )


def sign_checkpoint(checkpoint: Checkpoint, key: EllipticCurvePrivateKey) -> bytes:
    """A tagged COSE_Sign1 of the checkpoint."""
    return signed(checkpoint.to_payload(), key)
