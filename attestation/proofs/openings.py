"""What a requester may show beside a receipt, each part for itself: a content under its salt, a place in the log."""

from __future__ import annotations

from dataclasses import dataclass, field

from attestation.proof_errors import ProofCode, ProofRejected
from attestation.receipts import SALT_BYTES, commitment


@dataclass(frozen=True, slots=True)
class Opening:
    """The content of one commitment and its salt of 32 bytes."""

    salt: bytes = field(repr=False)
    content: bytes = field(repr=False)

    def check(self, expected: bytes, code: ProofCode) -> None:
        """It opens ``expected``. Raises ProofRejected with ``code``.

        The salt's length is fixed: a longer one could take over the content's beginning.
        """
        if len(self.salt) != SALT_BYTES:
            raise ProofRejected(code, f"a salt of {SALT_BYTES} bytes", f"{len(self.salt)}")
        if commitment(self.salt, self.content) != expected:
            raise ProofRejected(code, "the content that the receipt commits to", "another content or salt")


@dataclass(frozen=True, slots=True)
class Inclusion:
    """A signed checkpoint that covers a leaf, and the path from the leaf to its root."""

    checkpoint: bytes = field(repr=False)
    path: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class LogProof:
    """A receipt's place in the log: the salt of its leaf (32 bytes), and where that leaf is."""

    leaf_salt: bytes = field(repr=False)
    inclusion: Inclusion
