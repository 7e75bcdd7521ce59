"""Bindings: purpose first, exact bytes, and never an RSA key beside them."""

from __future__ import annotations

import hashlib

import pytest

from attestation.bindings import MAX_USER_DATA_BYTES, check_client_binding, client_user_data, kms_user_data
from attestation.documents import AttestationDocument
from attestation.errors import Rejected, RejectionCode
from tests.attestation import forge

KEYS = b"the bytes served at /v1/keys"
SOUND = client_user_data(KEYS)


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
        ({"user_data": client_user_data(KEYS + b" ")}, RejectionCode.BINDING_DIGEST),
        ({"user_data": client_user_data(b"")}, RejectionCode.BINDING_DIGEST),
        ({"user_data": SOUND[:-1]}, RejectionCode.BINDING_DIGEST),
        ({"user_data": SOUND + b"\0"}, RejectionCode.BINDING_DIGEST),
    ],
)
def test_refuses(fields: dict[str, object], code: RejectionCode) -> None:
    document = AttestationDocument.from_bytes(forge.document(**fields))
    with pytest.raises(Rejected) as caught:
        check_client_binding(document, KEYS)
    assert caught.value.code is code


def test_accepts_exactly_these_keys() -> None:
    check_client_binding(AttestationDocument.from_bytes(forge.document(user_data=SOUND)), KEYS)


def test_layout() -> None:
    tag = b"strongroom client keys"
    assert bytes([len(tag)]) + tag + b"\x01" + hashlib.sha384(KEYS).digest() == SOUND
    assert kms_user_data()[1 : 1 + kms_user_data()[0]] == b"strongroom kms recipient"
    assert max(len(SOUND), len(kms_user_data())) <= MAX_USER_DATA_BYTES
