"""Bindings: what the appliance puts into ``user_data``, and what a client recomputes.

``user_data`` = length of tag (1 byte) ‖ tag ‖ version (1 byte) ‖ SHA-384 (48 bytes). The purpose comes first, so that a
document made for KMS can never stand for one made for clients, nor the other way round.
"""

from __future__ import annotations

import hashlib

from attestation.documents import AttestationDocument
from attestation.errors import Rejected, RejectionCode

MAX_USER_DATA_BYTES = 128
CLIENT_PURPOSE = b"strongroom client keys"
KMS_PURPOSE = b"strongroom kms recipient"

RECEIPT_KEY_BYTES = 65
"""A P-256 point, uncompressed."""

_VERSION = 1
_SHA384_BYTES = 48


def statement_user_data(keys_sha384: bytes, receipt_key: bytes) -> bytes:
    """``user_data`` of a client document: SHA-384 of the key list (48 bytes) and the receipt key (65 bytes) in one.

    A receipt carries both, so that it can be held against a bare document. Raises ValueError for other lengths, at
    which two statements could share a digest.
    """
    if len(keys_sha384) != _SHA384_BYTES or len(receipt_key) != RECEIPT_KEY_BYTES:
        raise ValueError(f"expected {_SHA384_BYTES} and {RECEIPT_KEY_BYTES} bytes")
    return _user_data(CLIENT_PURPOSE, keys_sha384 + receipt_key)


def key_policy_sha384(text: str) -> bytes:
    """What the key list says of a key policy: SHA-384 of the text in UTF-8, exactly as GetKeyPolicy returned it.

    KMS may hold other white space than was put: digest what KMS returns, not the file that was sent to it.
    """
    return hashlib.sha384(text.encode()).digest()


def kms_user_data() -> bytes:
    """``user_data`` of a KMS document: the purpose and its digest. The RSA key itself is in ``public_key``."""
    return _user_data(KMS_PURPOSE, KMS_PURPOSE)


def check_statement_binding(document: AttestationDocument, keys_sha384: bytes, receipt_key: bytes) -> None:
    """``document`` was made for clients and binds this key list, by its digest, and this receipt key.

    Says nothing of the document's genuineness: verify it first. Raises Rejected (public-key-present,
    binding-absent, binding-purpose, binding-digest).
    """
    if document.public_key is not None:
        raise Rejected(RejectionCode.PUBLIC_KEY_PRESENT, "no public_key", "one: a document for KMS")
    if not document.user_data:
        raise Rejected(RejectionCode.BINDING_ABSENT, "user_data with a purpose", "none")
    prefix = _prefix(CLIENT_PURPOSE)
    if document.user_data[: len(prefix)] != prefix:
        raise Rejected(RejectionCode.BINDING_PURPOSE, f"purpose {CLIENT_PURPOSE.decode()}", "another")
    if document.user_data != statement_user_data(keys_sha384, receipt_key):
        raise Rejected(RejectionCode.BINDING_DIGEST, "the digest of these keys", "another")


def _user_data(purpose: bytes, data: bytes) -> bytes:
    return _prefix(purpose) + hashlib.sha384(data).digest()


def _prefix(purpose: bytes) -> bytes:
    return bytes([len(purpose)]) + purpose + bytes([_VERSION])
