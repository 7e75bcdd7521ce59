"""Why a receipt, evidence, a checkpoint or an audit log was refused: one code per cause, each of one layer.

Documents have codes of their own (``attestation.errors``). docs/receipts.md lists what each layer demands.
"""

from __future__ import annotations

from enum import StrEnum

from attestation.errors import AttestationError


class Layer(StrEnum):
    """One layer of a receipt's verification, in the order judged; ``demand`` says in words what it takes to pass."""

    demand: str

    def __new__(cls, value: str, demand: str) -> Layer:
        member = str.__new__(cls, value)
        member._value_ = value
        member.demand = demand
        return member

    FORM = "form", "one COSE_Sign1 under ES256, its claims known, bounded and in agreement with each other"
    DOCUMENT = "document", "the attestation document that the receipt names, accepted by the verifier"
    BINDING = "binding", "key list, receipt key, boot and catalogue as that document binds them"
    SIGNATURE = "signature", "a signature by the receipt key"
    TIME = "time", "admitted within two hours after the document was made, while its certificates were valid"
    REQUEST = "request", "the request that the receipt commits to"
    RESPONSE = "response", "the response that the receipt commits to"
    LOG = "log", "its leaf, and the log before it, under a checkpoint of its boot"


class ProofCode(StrEnum):
    """Why it was refused; the value is stable and serves errors, JSON and documentation. ``layer`` is what refused."""

    layer: Layer

    def __new__(cls, layer: Layer, value: str) -> ProofCode:
        member = str.__new__(cls, value)
        member._value_ = value
        member.layer = layer
        return member

    EVIDENCE_FORM = Layer.FORM, "evidence-form"
    BUNDLE_FORM = Layer.FORM, "bundle-form"
    SIZE = Layer.FORM, "receipt-size"
    STRUCTURE = Layer.FORM, "receipt-structure"
    PROTECTED_HEADER = Layer.FORM, "receipt-protected-header"
    UNPROTECTED_HEADER = Layer.FORM, "receipt-unprotected-header"
    PAYLOAD = Layer.FORM, "receipt-payload"
    SIGNATURE_ENCODING = Layer.FORM, "receipt-signature-encoding"
    TRAILING_BYTES = Layer.FORM, "receipt-trailing-bytes"
    CBOR = Layer.FORM, "receipt-cbor"
    PROFILE = Layer.FORM, "receipt-profile"
    UNKNOWN_CLAIM = Layer.FORM, "unknown-claim"
    MISSING_CLAIM = Layer.FORM, "missing-claim"
    CLAIM_VALUE = Layer.FORM, "claim-value"
    ISSUED_AT = Layer.FORM, "issued-at"
    OWN_CHECKPOINT = Layer.FORM, "own-checkpoint"
    CHUNKS = Layer.FORM, "chunks"

    DOCUMENT_KIND = Layer.DOCUMENT, "document-kind"
    OTHER_DOCUMENT = Layer.DOCUMENT, "other-document"
    NOT_BOUND = Layer.BINDING, "not-bound"
    OTHER_BOOT = Layer.BINDING, "other-boot"
    OTHER_CATALOGUE = Layer.BINDING, "other-catalogue"
    SIGNATURE = Layer.SIGNATURE, "receipt-signature"
    BEFORE_DOCUMENT = Layer.TIME, "before-document"
    AFTER_DOCUMENT = Layer.TIME, "after-document"
    REQUEST = Layer.REQUEST, "request-commitment"
    RESPONSE = Layer.RESPONSE, "response-commitment"

    CHECKPOINT_FORM = Layer.LOG, "checkpoint-form"
    CHECKPOINT_SIGNATURE = Layer.LOG, "checkpoint-signature"
    CHECKPOINT_BOOT = Layer.LOG, "checkpoint-boot"
    INCLUSION_FORM = Layer.LOG, "inclusion-form"
    INCLUSION = Layer.LOG, "inclusion"
    OTHER_PREFIX = Layer.LOG, "other-prefix"
    LOG_FORM = Layer.LOG, "log-form"
    LOG_ORDER = Layer.LOG, "log-order"
    LOG_ROOT = Layer.LOG, "log-root"
    LOG_UNCOVERED = Layer.LOG, "log-uncovered"
    LOG_CUT = Layer.LOG, "log-cut"
    LOG_FORK = Layer.LOG, "log-fork"
    LOG_LEAF = Layer.LOG, "log-leaf"
    LOG_MISSING = Layer.LOG, "log-missing"


class ProofRejected(AttestationError):
    """Refused. ``expected`` and ``actual`` describe; they never quote content, salts or keys."""

    def __init__(self, code: ProofCode, expected: str, actual: str) -> None:
        super().__init__(f"{code}: expected {expected}, got {actual}")
        self.code = code
        self.expected = expected
        self.actual = actual
