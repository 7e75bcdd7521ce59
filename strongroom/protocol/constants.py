"""Names and numbers of the protocol; docs/protocol.md gives the reason for each."""

from enum import StrEnum
from typing import Final

VERSION: Final = 1

MEDIA_SEALED_REQUEST: Final = "application/vnd.strongroom.sealed-request"
MEDIA_SEALED_RESPONSE: Final = "application/vnd.strongroom.sealed-response"
MEDIA_SEALED_STREAM: Final = "application/vnd.strongroom.sealed-stream"
MEDIA_ATTESTATION: Final = "application/vnd.strongroom.attestation"
MEDIA_EVIDENCE: Final = "application/vnd.strongroom.evidence"
MEDIA_AUDIT: Final = "application/vnd.strongroom.audit"
MEDIA_METRICS: Final = "application/vnd.strongroom.metrics"
MEDIA_PROBLEM: Final = "application/problem+json"

PATH_ATTESTATION: Final = "/v1/attestation"
PATH_EVIDENCE: Final = "/v1/evidence"
"""Also below it: `/{SHA-384 of a document's signed payload, in hex}`."""
PATH_AUDIT: Final = "/v1/audit"
PATH_METRICS: Final = "/v1/metrics"
"""Of an enclave; a gateway tells its own beside these, under another path."""
PATH_MODELS: Final = "/v1/models"
PATH_SEALED: Final = "/v1/sealed"

PATH_BOOT: Final = "/boot"
PATH_BOOT_CONFIGURATION: Final = "/boot/configuration"
PATH_BOOT_CATALOGUE: Final = "/boot/catalogue"
PATH_BOOT_CREDENTIALS: Final = "/boot/credentials"
PATH_BOOT_KEY_CHECK: Final = "/boot/key-check"
PATH_BOOT_MODELS: Final = "/boot/models"
"""Below it, `/{model id}/head` and `/{model id}/weights/{first chunk of the segment}/{step}`."""


class BootState(StrEnum):
    """Where the enclave is; each state is entered once, in this order (docs/boot.md)."""

    BOOTED = "booted"
    CONFIGURED = "configured"
    CATALOGUED = "catalogued"
    KEY_CHECKED = "key-checked"
    RELEASED = "released"
    READY = "ready"


LABEL_REQUEST: Final = b"strongroom request v1\0"
LABEL_KEY_ENTRY: Final = b"strongroom key entry v1\0"
LABEL_ENVELOPE: Final = b"strongroom envelope v1\0"
LABEL_RESPONSE: Final = b"strongroom response v1\0"
LABEL_WEIGHTS: Final = b"strongroom weights v1\0"

NONCE_BYTES_MIN: Final = 16
NONCE_BYTES_MAX: Final = 64
REQUEST_ID_BYTES: Final = 16
KEY_ID_BYTES: Final = 32
SECRET_BYTES: Final = 32
SALT_BYTES: Final = 32
DATA_KEY_BYTES: Final = 32
DOCUMENT_DIGEST_BYTES: Final = 48
TAG_BYTES: Final = 16

MAX_SEALED_REQUEST_BYTES: Final = 16 << 20
MAX_REST_MS: Final = 400 * 86_400_000
"""The longest time between the sealing of a KMS envelope and its `not_after`: 400 days."""
MAX_RECEIPT_BYTES: Final = 4 << 10
MAX_KEYS_BYTES: Final = 16 << 10
MAX_CHUNK_BYTES: Final = 4 << 20
MAX_CONFIGURATION_BYTES: Final = 64 << 10
MAX_CATALOGUE_BYTES: Final = 64 << 10
MAX_MANIFEST_BYTES: Final = 64 << 10
