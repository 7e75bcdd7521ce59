"""An enclave for tests: a boot with keys, a document that binds them, and receipts and checkpoints as it makes them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from attestation.bindings import statement_user_data
from attestation.bundles import Bundle
from attestation.checkpoints import Checkpoint, sign_checkpoint
from attestation.documents import AttestationDocument
from attestation.evidence import Evidence, boot_id
from attestation.measurements import CATALOGUE_LABEL, ZERO, extend, labelled_digest
from attestation.merkle import Frontier
from attestation.proofs.inclusion import inclusion_path
from attestation.proofs.openings import Inclusion, Opening
from attestation.receipt_claims import Outcome, ReceiptClaims
from attestation.receipts import ReceiptSalts, commitment, issue_receipt
from attestation.signing import receipt_key_bytes
from attestation.verifier import VerifiedDocument
from tests.attestation import forge
from tests.attestation.judge import accept

KEY_LIST = b"the key list, whose form is not this package's business"
CATALOGUE_SHA384 = labelled_digest(CATALOGUE_LABEL, b"a catalogue")
PCRS = forge.PCRS | {16: extend(ZERO, CATALOGUE_SHA384)}
REQUEST, RESPONSE = b"the task", b"the events"
ADMITTED_MS = forge.NOW_MS + 60_000


def derived(label: str) -> bytes:
    """32 bytes that the label names."""
    return hashlib.sha256(label.encode()).digest()


def receipt_private_key(label: str) -> ec.EllipticCurvePrivateKey:
    """A P-256 key that the label names."""
    return ec.derive_private_key(int.from_bytes(derived(label), "big") >> 1, ec.SECP256R1())


@dataclass
class Issued:
    """One receipt as its requester holds it."""

    receipt: bytes
    claims: ReceiptClaims
    salts: ReceiptSalts


@dataclass
class Enclave:
    """One boot; ``leaves`` and ``checkpoints`` are what the parent keeps of it."""

    label: str = "A"
    changes: dict[str, Any] = field(default_factory=dict)
    frontier: Frontier = field(default_factory=Frontier)
    leaves: list[bytes] = field(default_factory=list)
    checkpoints: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.key = receipt_private_key(self.label)
        self.point = receipt_key_bytes(self.key)
        user_data = statement_user_data(hashlib.sha384(KEY_LIST).digest(), self.point)
        fields = {"user_data": user_data, "pcrs": PCRS, "nonce": None, **self.changes}
        self.document = forge.document(**fields)
        self.parsed = AttestationDocument.from_bytes(self.document)
        self.boot_id = boot_id(self.parsed.module_id, self.point)

    @property
    def evidence(self) -> Evidence:
        return Evidence(self.document, KEY_LIST, self.point)

    def verified(self, **options: Any) -> VerifiedDocument:
        return accept(self.document, **options)

    def claims(self, salts: ReceiptSalts, **changes: Any) -> ReceiptClaims:
        """Sound claims for the next receipt, but for ``changes``."""
        sound = ReceiptClaims(
            request_id=derived("a request")[:16],
            time_ms=ADMITTED_MS,
            duration_ms=1500,
            model="smollm2-135m",
            model_version="1",
            manifest_sha384=hashlib.sha384(b"a manifest").digest(),
            catalogue_sha384=CATALOGUE_SHA384,
            document_sha384=self.parsed.payload_digest,
            keys_sha384=hashlib.sha384(KEY_LIST).digest(),
            receipt_key=self.point,
            key_policies={"models": hashlib.sha384(b"a key policy").digest()},
            kms_leg=2,
            request_commitment=commitment(salts.request, REQUEST),
            response_commitment=commitment(salts.response, RESPONSE),
            boot_id=self.boot_id,
            leaf_index=self.frontier.size,
            root_before=self.frontier.root(),
            outcome=Outcome.COMPLETE,
            generated_chunks=3,
            sent_chunks=3,
        )
        return replace(sound, **changes)

    def issue(self, request: bytes = REQUEST, response: bytes = RESPONSE, **changes: Any) -> Issued:
        """The next receipt, its leaf in the log."""
        salts = ReceiptSalts.derive(derived(f"secret {self.frontier.size}"), derived("a response's salt"))
        committed = {
            "request_commitment": commitment(salts.request, request),
            "response_commitment": commitment(salts.response, response),
        }
        claims = self.claims(salts, **(committed | changes))
        issued = issue_receipt(claims, self.key, salts.leaf)
        self.frontier.append(issued.leaf)
        self.leaves.append(issued.leaf)
        return Issued(issued.receipt, claims, salts)

    def fill(self, count: int) -> None:
        """Leaves of receipts that nobody here looks at."""
        for _ in range(count):
            leaf = derived(f"leaf {self.frontier.size} of {self.label}")
            self.frontier.append(leaf)
            self.leaves.append(leaf)

    def checkpoint(self, **changes: Any) -> bytes:
        """A signed checkpoint of the log as it is; the parent keeps it."""
        now_ms = ADMITTED_MS + 1000 * self.frontier.size
        sound = Checkpoint(self.boot_id, self.frontier.size, self.frontier.root(), now_ms)
        signed = sign_checkpoint(replace(sound, **changes), self.key)
        self.checkpoints.append(signed)
        return signed

    def inclusion(self, index: int) -> Inclusion:
        """The place of a leaf under a checkpoint of now."""
        return Inclusion(self.checkpoint(), inclusion_path(self.leaves, index))

    def bundle(self, issued: Issued, **parts: Any) -> Bundle:
        """A bundle that shows everything but its place in the log."""
        return replace(
            Bundle(
                evidence=self.evidence.to_bytes(),
                receipt=issued.receipt,
                request=Opening(issued.salts.request, REQUEST),
                response=Opening(issued.salts.response, RESPONSE),
                leaf_salt=issued.salts.leaf,
            ),
            **parts,
        )


@cache
def enclave_a() -> Enclave:
    """A boot that nobody appends to."""
    return Enclave("A")
