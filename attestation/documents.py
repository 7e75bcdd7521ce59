"""The attestation document: what an enclave's NSM says, parsed but not yet believed.

Only ``attestation.verifier`` turns an AttestationDocument into a VerifiedDocument.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from attestation import cbor, fields
from attestation.cose import COSESign1
from attestation.fields import Kind


@dataclass(frozen=True)
class AttestationDocument:
    """The signed fields of one document (AWS nsm-api, attestation_process.md), every length already bounded.

    ``pcrs`` maps an index to 48 bytes and lists locked PCRs only; ``cabundle`` starts at the root;
    ``public_key``, ``user_data`` and ``nonce`` are None when null or absent, and may be empty.
    """

    module_id: str
    digest: str
    timestamp_ms: int
    kind: Kind
    pcrs: Mapping[int, bytes] = field(repr=False)
    certificate: bytes = field(repr=False)
    cabundle: tuple[bytes, ...] = field(repr=False)
    public_key: bytes | None = field(repr=False)
    user_data: bytes | None = field(repr=False)
    nonce: bytes | None = field(repr=False)
    envelope: COSESign1 = field(repr=False)

    @classmethod
    def from_bytes(cls, data: bytes) -> AttestationDocument:
        """Parse a tagged or untagged COSE_Sign1 by rules 1 to 19. Raises Rejected; believes nothing."""
        return cls.from_envelope(COSESign1.from_bytes(data))

    @classmethod
    def from_envelope(cls, envelope: COSESign1) -> AttestationDocument:
        """Parse the signed payload of ``envelope`` by rules 9 to 19. Raises Rejected."""
        payload = fields.named(cbor.decode(envelope.payload))
        kind, pcrs = fields.kind_and_pcrs(payload)
        return cls(
            module_id=fields.module_id(payload["module_id"], kind),
            digest=fields.digest(payload["digest"]),
            timestamp_ms=fields.timestamp_ms(payload["timestamp"]),
            kind=kind,
            pcrs=pcrs,
            certificate=fields.certificate(payload["certificate"]),
            cabundle=fields.cabundle(payload["cabundle"]),
            public_key=fields.optional(payload.get("public_key")),
            user_data=fields.optional(payload.get("user_data")),
            nonce=fields.optional(payload.get("nonce")),
            envelope=envelope,
        )

    @property
    def instance_id(self) -> str:
        """The parent instance's id, the first part of the module id."""
        return self.module_id.rpartition("-")[0]

    @cached_property
    def payload_digest(self) -> bytes:
        """SHA-384 of the signed payload, 48 bytes: the document's name in receipts and caches.

        Never a hash of the whole document: an ECDSA signature has a second valid form, its bytes are malleable.
        """
        return hashlib.sha384(self.envelope.payload).digest()
