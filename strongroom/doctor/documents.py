"""Attestation documents for probes: where they come from, and how a genuine one is altered."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from attestation.documents import AttestationDocument
from attestation.errors import PolicyError, Rejected


class DocumentMaker(Protocol):
    """Makes attestation documents under one root, with an RSA key that nobody holds."""

    def __call__(self, pcrs: Mapping[int, bytes], at_ms: int) -> bytes:
        """A document that lists `pcrs` (index → 48 bytes), of a module that booted at `at_ms`."""


@dataclass(frozen=True, slots=True)
class GivenDocument:
    """A document that the operator has: made by an enclave for KMS, so its public key is that enclave's alone."""

    data: bytes
    parsed: AttestationDocument

    @classmethod
    def from_bytes(cls, data: bytes) -> "GivenDocument":
        """Parse, believe nothing. Raises PolicyError for what KMS could not use in any case."""
        try:
            parsed = AttestationDocument.from_bytes(data)
        except Rejected as error:
            raise PolicyError(f"document: {error}") from None
        if not parsed.public_key:
            raise PolicyError("document: expected one that an enclave made for KMS, got one without a public key")
        if parsed.kind != "enclave" or 0 not in parsed.pcrs:
            raise PolicyError("document: expected one that an enclave made for KMS, got one without an enclave's PCR0")
        return cls(data, parsed)


def with_other_signature(document: bytes) -> bytes:
    """One bit of the signature flipped, which ends a COSE_Sign1."""
    return document[:-1] + bytes([document[-1] ^ 1])


def with_other_payload(document: bytes) -> bytes:
    """One bit of PCR0 flipped under the same signature."""
    at = document.index(AttestationDocument.from_bytes(document).pcrs[0])
    return document[:at] + bytes([document[at] ^ 1]) + document[at + 1 :]
