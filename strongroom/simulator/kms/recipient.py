"""`Recipient`: the attestation document that comes with a call, verified, and what a key policy may know of it."""

import binascii
from base64 import b64decode, b64encode
from dataclasses import dataclass

from attestation.anchors import SimulatedTrustAnchor
from attestation.documents import AttestationDocument
from attestation.errors import AttestationError
from attestation.modes import Recent
from attestation.policy import UnsafeAnyMeasurement
from attestation.verifier import verify
from strongroom.simulator.cms import ciphertext_for_recipient
from strongroom.simulator.conditions import Context
from strongroom.simulator.kms.errors import validation
from strongroom.simulator.pki import LEAF_LIFETIME_S

MAX_DOCUMENT_BYTES = 262_144
ALGORITHM = "RSAES_OAEP_SHA_256"
_CONDITION_KEY = "kms:recipientattestation:"
_REGISTER = {"enclave": "pcr", "nitrotpm": "nitrotpmpcr"}
"""What a document's registers are called; neither kind satisfies conditions on the other's."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """An enclave whose document was verified: its RSA key (SPKI DER) and its condition keys."""

    public_key: bytes
    conditions: Context

    def seal(self, plaintext: bytes) -> str:
        """`CiphertextForRecipient` in base64. Raises `KMSError` if the document's key is unfit."""
        try:
            return b64encode(ciphertext_for_recipient(plaintext, self.public_key)).decode()
        except ValueError as error:
            raise validation(f"The attestation document's public key cannot be used: {error}") from error


def verified_recipient(member: object, *, anchor: SimulatedTrustAnchor, at_ms: int) -> Recipient:
    """Verify the `Recipient` member of a request: chain to `anchor`, signature, validity at `at_ms`.

    Measurements are the key policy's business, so any pass here, those of a debug enclave or a NitroTPM too. As with
    AWS, a document can be replayed while its leaf is valid. Raises `KMSError`; which name KMS itself gives a bad
    document is not published, ValidationException is an assumption.
    """
    encoded = _document(member)
    mode = Recent(at_ms=at_ms, max_age_s=LEAF_LIFETIME_S)
    try:
        document = AttestationDocument.from_bytes(encoded)
        verify(
            document,
            policy=UnsafeAnyMeasurement(),
            mode=mode,
            anchor=anchor,
            allow_simulated=True,
            allow_debug=True,
            kind=document.kind,
        )
    except AttestationError as error:
        raise validation(f"The attestation document was refused: {error}") from error
    if not document.public_key:
        raise validation("The attestation document carries no public key.")
    return Recipient(document.public_key, _conditions(document))


def _conditions(document: AttestationDocument) -> Context:
    register = f"{_CONDITION_KEY}{_REGISTER[document.kind]}"
    values = {f"{register}{index}": (value.hex(),) for index, value in document.pcrs.items()}
    if document.kind == "enclave" and 0 in document.pcrs:
        values[f"{_CONDITION_KEY}imagesha384"] = (document.pcrs[0].hex(),)
    return values


def _document(member: object) -> bytes:
    if not isinstance(member, dict) or set(member) != {"KeyEncryptionAlgorithm", "AttestationDocument"}:
        raise validation("Recipient: expected KeyEncryptionAlgorithm and AttestationDocument")
    if member["KeyEncryptionAlgorithm"] != ALGORITHM:
        raise validation(f"Recipient: expected the KeyEncryptionAlgorithm {ALGORITHM}")
    encoded = member["AttestationDocument"]
    if not isinstance(encoded, str) or len(encoded) > 2 * MAX_DOCUMENT_BYTES:
        raise validation(f"Recipient: expected a document of at most {MAX_DOCUMENT_BYTES} bytes")
    try:
        return b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise validation("Recipient: expected the AttestationDocument in base64") from error
