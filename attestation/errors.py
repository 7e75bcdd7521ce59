"""What can go wrong, as types.

    AttestationError
    ├── Rejected          the evidence was refused, by the rule that its code names
    │   └── Disagreement  two independent verifiers differ: one of them is wrong
    └── PolicyError       the policy itself is unusable: nothing can be judged by it

Rule numbers are those of docs/attestation.md.
"""

from __future__ import annotations

import copyreg
from enum import StrEnum
from typing import Any


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
    DISAGREEMENT = "disagreement"


class RejectionCode(StrEnum):
    """Why evidence was refused; the value is stable and serves errors, exit codes, JSON and documentation.

    ``rule`` is the numbered rule that refused, and 0 where no single one did. Rule 27 (revocation) can refuse nothing
    offline; results say so. ``rejection_class`` is the family.
    """

    rule: int
    rejection_class: RejectionClass

    def __new__(cls, rule: int, rejection_class: RejectionClass, value: str) -> RejectionCode:
        member = str.__new__(cls, value)
        member._value_ = value
        member.rule = rule
        member.rejection_class = rejection_class
        return member

    INPUT_SIZE = 1, RejectionClass.MALFORMED_COSE, "input-size"
    COSE_STRUCTURE = 2, RejectionClass.MALFORMED_COSE, "cose-structure"
    PROTECTED_HEADER = 3, RejectionClass.MALFORMED_COSE, "protected-header"
    COSE_ALGORITHM = 3, RejectionClass.UNSUPPORTED_ALGORITHM, "cose-algorithm"
    UNPROTECTED_HEADER = 4, RejectionClass.MALFORMED_COSE, "unprotected-header"
    COSE_PAYLOAD = 5, RejectionClass.MALFORMED_COSE, "cose-payload"
    SIGNATURE_ENCODING = 6, RejectionClass.BAD_SIGNATURE, "signature-encoding"
    COSE_TRAILING_BYTES = 7, RejectionClass.MALFORMED_COSE, "cose-trailing-bytes"
    SIGNATURE = 8, RejectionClass.BAD_SIGNATURE, "signature"

    PAYLOAD_NOT_A_MAP = 9, RejectionClass.MALFORMED_PAYLOAD, "payload-not-a-map"
    PAYLOAD_TRAILING_BYTES = 9, RejectionClass.MALFORMED_PAYLOAD, "payload-trailing-bytes"
    PAYLOAD_CBOR = 10, RejectionClass.MALFORMED_PAYLOAD, "payload-cbor"
    DUPLICATE_KEY = 11, RejectionClass.MALFORMED_PAYLOAD, "duplicate-key"
    UNKNOWN_FIELD = 11, RejectionClass.MALFORMED_PAYLOAD, "unknown-field"
    MISSING_FIELD = 11, RejectionClass.MISSING_FIELD, "missing-field"
    MODULE_ID = 12, RejectionClass.BAD_FIELD, "module-id"
    DIGEST = 13, RejectionClass.BAD_FIELD, "digest"
    TIMESTAMP = 14, RejectionClass.BAD_FIELD, "timestamp"
    BOTH_KINDS = 15, RejectionClass.WRONG_KIND, "both-kinds"
    WRONG_KIND = 15, RejectionClass.WRONG_KIND, "wrong-kind"
    PCRS = 16, RejectionClass.BAD_FIELD, "pcrs"
    CERTIFICATE = 17, RejectionClass.BAD_FIELD, "certificate"
    CABUNDLE = 18, RejectionClass.BAD_FIELD, "cabundle"
    OPTIONAL_FIELD = 19, RejectionClass.BAD_FIELD, "optional-field"

    TRUST_ANCHOR = 20, RejectionClass.UNTRUSTED_CHAIN, "trust-anchor"
    SIMULATED_ANCHOR = 20, RejectionClass.SIMULATED, "simulated-anchor"
    DUPLICATE_CERTIFICATE = 21, RejectionClass.UNTRUSTED_CHAIN, "duplicate-certificate"
    ISSUER = 22, RejectionClass.UNTRUSTED_CHAIN, "issuer"
    CERTIFICATE_ENCODING = 22, RejectionClass.UNTRUSTED_CHAIN, "certificate-encoding"
    CERTIFICATE_ALGORITHM = 22, RejectionClass.UNTRUSTED_CHAIN, "certificate-algorithm"
    CERTIFICATE_KEY = 22, RejectionClass.UNTRUSTED_CHAIN, "certificate-key"
    CERTIFICATE_SIGNATURE = 22, RejectionClass.UNTRUSTED_CHAIN, "certificate-signature"
    NOT_AN_AUTHORITY = 23, RejectionClass.UNTRUSTED_CHAIN, "not-an-authority"
    PATH_LENGTH = 23, RejectionClass.UNTRUSTED_CHAIN, "path-length"
    AUTHORITY_KEY_USAGE = 23, RejectionClass.UNTRUSTED_CHAIN, "authority-key-usage"
    LEAF_IS_AUTHORITY = 24, RejectionClass.UNTRUSTED_CHAIN, "leaf-is-authority"
    LEAF_KEY_USAGE = 24, RejectionClass.UNTRUSTED_CHAIN, "leaf-key-usage"
    EXTENSION = 25, RejectionClass.UNTRUSTED_CHAIN, "extension"
    CERTIFICATE_EXPIRED = 26, RejectionClass.EXPIRED, "certificate-expired"
    CERTIFICATE_NOT_YET_VALID = 26, RejectionClass.NOT_YET_VALID, "certificate-not-yet-valid"
    COMMON_NAME = 28, RejectionClass.UNTRUSTED_CHAIN, "common-name"

    DEBUG_MODE = 29, RejectionClass.DEBUG, "debug-mode"
    MEASUREMENT = 30, RejectionClass.POLICY_MISMATCH, "measurement"
    MEASUREMENT_ABSENT = 30, RejectionClass.POLICY_MISMATCH, "measurement-absent"
    MEASUREMENT_WINDOW = 30, RejectionClass.POLICY_MISMATCH, "measurement-window"
    NO_POLICY_MATCHES = 30, RejectionClass.POLICY_MISMATCH, "no-policy-matches"
    NONCE = 31, RejectionClass.NONCE_MISMATCH, "nonce"
    TOO_OLD = 31, RejectionClass.STALE, "too-old"
    FROM_THE_FUTURE = 31, RejectionClass.STALE, "from-the-future"
    PUBLIC_KEY = 32, RejectionClass.BINDING_MISMATCH, "public-key"
    USER_DATA = 32, RejectionClass.BINDING_MISMATCH, "user-data"

    PUBLIC_KEY_PRESENT = 32, RejectionClass.BINDING_MISMATCH, "public-key-present"
    BINDING_ABSENT = 32, RejectionClass.BINDING_MISMATCH, "binding-absent"
    BINDING_PURPOSE = 32, RejectionClass.BINDING_MISMATCH, "binding-purpose"
    BINDING_DIGEST = 32, RejectionClass.BINDING_MISMATCH, "binding-digest"

    SECOND_OPINION = 0, RejectionClass.DISAGREEMENT, "second-opinion"


class AttestationError(Exception):
    """Base of everything that this package raises on purpose."""

    def __reduce__(self) -> tuple[Any, ...]:
        """For pickle: an exception is made again from its text, which is not what most of these are made of."""
        return copyreg.__newobj__, (type(self), *self.args), vars(self)  # type: ignore[attr-defined]  # not in typeshed


class Rejected(AttestationError):
    """Evidence refused. ``expected`` and ``actual`` describe; they never quote keys, nonces or user data."""

    def __init__(self, code: RejectionCode, expected: str, actual: str) -> None:
        super().__init__(f"{code}: expected {expected}, got {actual}")
        self.code = code
        self.expected = expected
        self.actual = actual


class Disagreement(Rejected):
    """The second opinion refused what the verifier accepted: distrust both, and report it."""

    def __init__(self, actual: str) -> None:
        super().__init__(RejectionCode.SECOND_OPINION, "two verifiers that agree", actual)


class PolicyError(AttestationError):
    """A policy, a mode or a key policy's input that must not be used; the message says what to change."""
