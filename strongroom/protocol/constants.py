"""Names and numbers of the protocol; docs/protocol.md gives the reason for each."""

from typing import Final

VERSION: Final = 1

MEDIA_SEALED_REQUEST: Final = "application/vnd.strongroom.sealed-request"
MEDIA_SEALED_RESPONSE: Final = "application/vnd.strongroom.sealed-response"
MEDIA_SEALED_STREAM: Final = "application/vnd.strongroom.sealed-stream"
MEDIA_KEYS: Final = "application/vnd.strongroom.keys"
MEDIA_ATTESTATION: Final = "application/vnd.strongroom.attestation"
MEDIA_PROBLEM: Final = "application/problem+json"

PATH_ATTESTATION: Final = "/v1/attestation"
PATH_KEYS: Final = "/v1/keys"
PATH_MODELS: Final = "/v1/models"
PATH_SEALED: Final = "/v1/sealed"

LABEL_REQUEST: Final = b"strongroom request v1\0"
LABEL_RESPONSE: Final = b"strongroom response v1\0"
LABEL_WEIGHTS: Final = b"strongroom weights v1\0"

NONCE_BYTES_MIN: Final = 16
NONCE_BYTES_MAX: Final = 64
REQUEST_ID_BYTES: Final = 16
KEY_ID_BYTES: Final = 32
SECRET_BYTES: Final = 32
SALT_BYTES: Final = 32
TAG_BYTES: Final = 16

MAX_SEALED_REQUEST_BYTES: Final = 4 << 20
MAX_KEYS_BYTES: Final = 16 << 10
MAX_CHUNK_BYTES: Final = 4 << 20
MAX_CONFIGURATION_BYTES: Final = 64 << 10
MAX_CATALOGUE_BYTES: Final = 64 << 10
MAX_MANIFEST_BYTES: Final = 64 << 10
