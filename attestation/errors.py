"""What can go wrong, as types.

    AttestationError
    ├── Rejected        the evidence was refused, by the rule that its code names
    └── PolicyError     the policy itself is unusable: nothing can be judged by it

Rule numbers are those of the project's attestation rules (docs/protocol.md).
"""

from __future__ import annotations

from enum import StrEnum


class RejectionClass(StrEnum):
    """The family of a rejection: what an operator counts and a dashboard groups by."""

    MALFORMED_COSE = "malformed-cose"
    UNSUPPORTED_ALGORITHM = "unsupported-alg"
    MALFORMED_PAYLOAD = "malformed-payload"
    MISSING_FIELD = "missing-field"
    BAD_FIELD = "bad-field"
    WRONG_KIND = "wrong-kind"
    UNTRUSTED_CHAIN = "untrusted-chain"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    BAD_SIGNATURE = "bad-signature"
    POLICY_MISMATCH = "policy-mismatch"
    DEBUG = "debug"
    STALE = "stale"
    NONCE_MISMATCH = "nonce-mismatch"
    SIMULATED = "simulated"
    BINDING_MISMATCH = "binding-mismatch"


class RejectionCode(StrEnum):
    """Why evidence was refused; the value is stable and serves errors, exit codes, JSON and documentation."""

    rejection_class: RejectionClass

    def __new__(cls, value: str, rejection_class: RejectionClass) -> RejectionCode:
        member = str.__new__(cls, value)
        member._value_ = value
        member.rejection_class = rejection_class
        return member

    INPUT_SIZE = "input-size", RejectionClass.MALFORMED_COSE  # 1
    COSE_STRUCTURE = "cose-structure", RejectionClass.MALFORMED_COSE  # 2
    PROTECTED_HEADER = "protected-header", RejectionClass.MALFORMED_COSE  # 3
    COSE_ALGORITHM = "cose-algorithm", RejectionClass.UNSUPPORTED_ALGORITHM  # 3
    UNPROTECTED_HEADER = "unprotected-header", RejectionClass.MALFORMED_COSE  # 4
    COSE_PAYLOAD = "cose-payload", RejectionClass.MALFORMED_COSE  # 5
    SIGNATURE_ENCODING = "signature-encoding", RejectionClass.BAD_SIGNATURE  # 6
    COSE_TRAILING_BYTES = "cose-trailing-bytes", RejectionClass.MALFORMED_COSE  # 7
    SIGNATURE = "signature", RejectionClass.BAD_SIGNATURE  # 8

    PAYLOAD_CBOR = "payload-cbor", RejectionClass.MALFORMED_PAYLOAD  # 9, 10, duplicates of 11
    PAYLOAD_NOT_A_MAP = "payload-not-a-map", RejectionClass.MALFORMED_PAYLOAD  # 9
    PAYLOAD_TRAILING_BYTES = "payload-trailing-bytes", RejectionClass.MALFORMED_PAYLOAD  # 9
    UNKNOWN_FIELD = "unknown-field", RejectionClass.MALFORMED_PAYLOAD  # 11
    MISSING_FIELD = "missing-field", RejectionClass.MISSING_FIELD  # 11
    MODULE_ID = "module-id", RejectionClass.BAD_FIELD  # 12
    DIGEST = "digest", RejectionClass.BAD_FIELD  # 13
    TIMESTAMP = "timestamp", RejectionClass.BAD_FIELD  # 14
    WRONG_KIND = "wrong-kind", RejectionClass.WRONG_KIND  # 15
    PCRS = "pcrs", RejectionClass.BAD_FIELD  # 16
    CERTIFICATE = "certificate", RejectionClass.BAD_FIELD  # 17
    CABUNDLE = "cabundle", RejectionClass.BAD_FIELD  # 18
    OPTIONAL_FIELD = "optional-field", RejectionClass.BAD_FIELD  # 19

    TRUST_ANCHOR = "trust-anchor", RejectionClass.UNTRUSTED_CHAIN  # 20
    DUPLICATE_CERTIFICATE = "duplicate-certificate", RejectionClass.UNTRUSTED_CHAIN  # 21
    ISSUER = "issuer", RejectionClass.UNTRUSTED_CHAIN  # 21, 22
    CERTIFICATE_ENCODING = "certificate-encoding", RejectionClass.UNTRUSTED_CHAIN  # 22
    CERTIFICATE_ALGORITHM = "certificate-algorithm", RejectionClass.UNTRUSTED_CHAIN  # 22
    CERTIFICATE_KEY = "certificate-key", RejectionClass.UNTRUSTED_CHAIN  # 22
    CERTIFICATE_SIGNATURE = "certificate-signature", RejectionClass.UNTRUSTED_CHAIN  # 22
    NOT_AN_AUTHORITY = "not-an-authority", RejectionClass.UNTRUSTED_CHAIN  # 23
    PATH_LENGTH = "path-length", RejectionClass.UNTRUSTED_CHAIN  # 23
    KEY_USAGE = "key-usage", RejectionClass.UNTRUSTED_CHAIN  # 23, 24
    LEAF_IS_AUTHORITY = "leaf-is-authority", RejectionClass.UNTRUSTED_CHAIN  # 24
    EXTENSION = "extension", RejectionClass.UNTRUSTED_CHAIN  # 25
    CERTIFICATE_EXPIRED = "certificate-expired", RejectionClass.EXPIRED  # 26
    CERTIFICATE_NOT_YET_VALID = "certificate-not-yet-valid", RejectionClass.NOT_YET_VALID  # 26
    COMMON_NAME = "common-name", RejectionClass.UNTRUSTED_CHAIN  # 28

    DEBUG_MODE = "debug-mode", RejectionClass.DEBUG  # 29
    MEASUREMENT = "measurement", RejectionClass.POLICY_MISMATCH  # 30
    MEASUREMENT_ABSENT = "measurement-absent", RejectionClass.POLICY_MISMATCH  # 30
    MEASUREMENT_WINDOW = "measurement-window", RejectionClass.POLICY_MISMATCH
    NO_POLICY_MATCHES = "no-policy-matches", RejectionClass.POLICY_MISMATCH  # 30
    NONCE = "nonce", RejectionClass.NONCE_MISMATCH  # 31
    TOO_OLD = "too-old", RejectionClass.STALE  # 31
    FROM_THE_FUTURE = "from-the-future", RejectionClass.STALE  # 31
    SIMULATED_ANCHOR = "simulated-anchor", RejectionClass.SIMULATED

    PUBLIC_KEY_PRESENT = "public-key-present", RejectionClass.BINDING_MISMATCH  # 32
    BINDING_ABSENT = "binding-absent", RejectionClass.BINDING_MISMATCH  # 32
    BINDING_PURPOSE = "binding-purpose", RejectionClass.BINDING_MISMATCH  # 32
    BINDING_DIGEST = "binding-digest", RejectionClass.BINDING_MISMATCH  # 32


class AttestationError(Exception):
    """Base of everything that this package raises on purpose."""


class Rejected(AttestationError):
    """Evidence refused. ``expected`` and ``actual`` describe; they never quote keys, nonces or user data."""

    def __init__(self, code: RejectionCode, expected: str, actual: str) -> None:
        super().__init__(f"{code}: expected {expected}, got {actual}")
        self.code = code
        self.expected = expected
        self.actual = actual


class PolicyError(AttestationError):
    """A policy, a mode or a key policy's input that must not be used; the message says what to change."""
