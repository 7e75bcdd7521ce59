"""The claims of a receipt and their one encoding (docs/receipts.md).

Deterministic CBOR (RFC 8949 section 4.2.1): keys in the order of their encoded bytes, which the order below already is.
Keys of CWT (RFC 8392), EAT (RFC 9711) and the attested-inference-receipt draft where the meaning is equal (ADR 0011).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import cbor2

RECEIPT_PROFILE = "urn:strongroom:receipt:v1"

ISSUED_AT = 6  # CWT iat
RECEIPT_ID = 7  # CWT cti
PROFILE = 265  # EAT eat_profile
MODEL_ID = -65537  # these four: draft-tsyrulnikov-rats-attested-inference-receipt-02
MODEL_VERSION = -65538
SEQUENCE_NUMBER = -65545
EXECUTION_TIME_MS = -65546
TIME_MS = -70001  # from here on, private to our profile
MANIFEST_SHA384 = -70002
CATALOGUE_SHA384 = -70003
DOCUMENT_SHA384 = -70004
KEYS_SHA384 = -70005
RECEIPT_KEY = -70006
KEY_POLICIES = -70007
KMS_LEG = -70008
REQUEST_COMMITMENT = -70009
RESPONSE_COMMITMENT = -70010
BOOT_ID = -70011
CHECKPOINT = -70012
OUTCOME = -70013
GENERATED_CHUNKS = -70014
SENT_CHUNKS = -70015
VERDICTS = -70016


NO_MODEL_VERSION = "none"
NO_MANIFEST = bytes(48)
"""Together: no model of the id that was asked for is in the catalogue. Such an answer is never complete."""


class Outcome(StrEnum):
    """How an answer ended. None of them says that it was delivered (review R22)."""

    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptClaims:
    """What an enclave says of one answer; digests and commitments are bytes, times milliseconds since the epoch."""

    request_id: bytes
    """16 bytes, from the head of the request."""
    time_ms: int
    """When the request was admitted."""
    duration_ms: int
    """From admission to the signature."""
    model: str
    model_version: str
    manifest_sha384: bytes
    catalogue_sha384: bytes
    """The labelled digest that PCR16 was extended with."""
    document_sha384: bytes
    """``AttestationDocument.payload_digest`` of the cached document that answered."""
    keys_sha384: bytes
    receipt_key: bytes
    key_policies: Mapping[str, bytes]
    """Id of each key entry that was used → SHA-384 of its key policy's text; empty only where no model was."""
    kms_leg: int
    """1 classical, 2 hybrid; as in the key list."""
    request_commitment: bytes
    response_commitment: bytes
    boot_id: bytes
    leaf_index: int
    """From 0: its place in this boot's log, and its sequence number, which are one."""
    root_before: bytes
    """Root of the log's first ``leaf_index`` leaves: a checkpoint before its own leaf."""
    outcome: Outcome
    generated_chunks: int
    sent_chunks: int
    """Handed to the transport, the chunk of this receipt included."""
    verdicts: tuple[tuple[str, str], ...] = ()
    """(guardrail's id, its verdict); empty where no guardrail is configured."""

    @property
    def issued_at_s(self) -> int:
        """Seconds since the epoch at which it was signed: CWT's ``iat``."""
        return (self.time_ms + self.duration_ms) // 1000

    def to_payload(self) -> bytes:
        """The bytes that are signed."""
        policies = sorted(self.key_policies.items(), key=lambda entry: (len(entry[0]), entry[0]))
        claims = {
            ISSUED_AT: self.issued_at_s,
            RECEIPT_ID: self.request_id,
            PROFILE: RECEIPT_PROFILE,
            MODEL_ID: self.model,
            MODEL_VERSION: self.model_version,
            SEQUENCE_NUMBER: self.leaf_index,
            EXECUTION_TIME_MS: self.duration_ms,
            TIME_MS: self.time_ms,
            MANIFEST_SHA384: self.manifest_sha384,
            CATALOGUE_SHA384: self.catalogue_sha384,
            DOCUMENT_SHA384: self.document_sha384,
            KEYS_SHA384: self.keys_sha384,
            RECEIPT_KEY: self.receipt_key,
            KEY_POLICIES: dict(policies),
            KMS_LEG: self.kms_leg,
            REQUEST_COMMITMENT: self.request_commitment,
            RESPONSE_COMMITMENT: self.response_commitment,
            BOOT_ID: self.boot_id,
            CHECKPOINT: [self.leaf_index, self.root_before],
            OUTCOME: str(self.outcome),
            GENERATED_CHUNKS: self.generated_chunks,
            SENT_CHUNKS: self.sent_chunks,
            VERDICTS: [list(verdict) for verdict in self.verdicts],
        }
        return cbor2.dumps(claims)
