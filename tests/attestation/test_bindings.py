"""Bindings: purpose first, exact bytes, and never an RSA key beside them."""

from __future__ import annotations

import hashlib

import pytest

from attestation.bindings import MAX_USER_DATA_BYTES, check_statement_binding, kms_user_data, statement_user_data
from attestation.documents import AttestationDocument
from attestation.errors import Rejected, RejectionCode
from tests.attestation import forge

KEYS, RECEIPT_KEY = hashlib.sha384(b"a key list").digest(), b"\x04" + bytes(64)
SOUND = statement_user_data(KEYS, RECEIPT_KEY)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"user_data": SOUND, "public_key": b"rsa"}, RejectionCode.PUBLIC_KEY_PRESENT),
        ({"user_data": SOUND, "public_key": b""}, RejectionCode.PUBLIC_KEY_PRESENT),
        ({"user_data": None}, RejectionCode.BINDING_ABSENT),
        ({"user_data": b""}, RejectionCode.BINDING_ABSENT),
        ({"user_data": kms_user_data()}, RejectionCode.BINDING_PURPOSE),
        ({"user_data": SOUND[1:]}, RejectionCode.BINDING_PURPOSE),
        ({"user_data": SOUND[:10]}, RejectionCode.BINDING_PURPOSE),
        ({"user_data": SOUND.replace(b"\x01", b"\x02", 1)}, RejectionCode.BINDING_PURPOSE),
        ({"user_data": hashlib.sha384(KEYS).digest()}, RejectionCode.BINDING_PURPOSE),
        ({"user_data": statement_user_data(KEYS[::-1], RECEIPT_KEY)}, RejectionCode.BINDING_DIGEST),
        ({"user_data": statement_user_data(KEYS, bytes(65))}, RejectionCode.BINDING_DIGEST),
        ({"user_data": SOUND[:-1]}, RejectionCode.BINDING_DIGEST),
        ({"user_data": SOUND + b"\0"}, RejectionCode.BINDING_DIGEST),
    ],
)
def test_refuses(fields: dict[str, object], code: RejectionCode) -> None:
    document = AttestationDocument.from_bytes(forge.document(**fields))
    with pytest.raises(Rejected) as caught:
        check_statement_binding(document, KEYS, RECEIPT_KEY)
    assert caught.value.code is code


def test_accepts_exactly_these_keys() -> None:
    document = AttestationDocument.from_bytes(forge.document(user_data=SOUND))
    check_statement_binding(document, KEYS, RECEIPT_KEY)


def test_layout() -> None:
    tag = b"strongroom client keys"
    assert bytes([len(tag)]) + tag + b"\x01" + hashlib.sha384(KEYS + RECEIPT_KEY).digest() == SOUND
    assert kms_user_data()[1 : 1 + kms_user_data()[0]] == b"strongroom kms recipient"
    assert max(len(SOUND), len(kms_user_data())) <= MAX_USER_DATA_BYTES
