"""Evidence: one encoding, bounded, and worth what its document binds."""

from __future__ import annotations

import hashlib

import pytest

from attestation.bindings import kms_user_data, statement_user_data
from attestation.documents import AttestationDocument
from attestation.errors import Rejected, RejectionCode
from attestation.evidence import MAX_EVIDENCE_BYTES, Evidence, boot_id
from attestation.proof_errors import ProofCode, ProofRejected
from tests.attestation import forge
from tests.attestation.issuing import KEY_LIST, Enclave, enclave_a

SOUND = enclave_a().evidence
DATA = SOUND.to_bytes()
HEADS = (4, 4 + 4 + len(SOUND.document), 4 + 4 + len(SOUND.document) + 4 + len(SOUND.key_list))


def with_length(at: int, length: int) -> bytes:
    return DATA[:at] + length.to_bytes(4, "big") + DATA[at + 4 :]


def test_layout() -> None:
    fields = (SOUND.document, SOUND.key_list, SOUND.receipt_key)
    assert b"SRE\x01" + b"".join(len(each).to_bytes(4, "big") + each for each in fields) == DATA
    assert Evidence.from_bytes(DATA) == SOUND


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"SRE\x01", id="magic alone"),
        pytest.param(b"SRE\x02" + DATA[4:], id="version 2"),
        pytest.param(b"SRK\x01" + DATA[4:], id="another magic"),
        pytest.param(DATA + b"\0", id="trailing byte"),
        pytest.param(DATA[:-1], id="cut"),
        pytest.param(with_length(HEADS[0], 0), id="no document"),
        pytest.param(with_length(HEADS[0], 0xFFFFFFFF), id="4 GiB of document"),
        pytest.param(with_length(HEADS[1], 0), id="no key list"),
        pytest.param(with_length(HEADS[1], 16385), id="key list too long"),
        pytest.param(with_length(HEADS[2], 64), id="receipt key of 64"),
        pytest.param(with_length(HEADS[2], 66) + b"\0", id="receipt key of 66"),
        pytest.param(DATA.ljust(MAX_EVIDENCE_BYTES + 1, b"\0"), id="too large"),
    ],
)
def test_another_form_is_refused(data: bytes) -> None:
    with pytest.raises(ProofRejected) as caught:
        Evidence.from_bytes(data)
    assert caught.value.code is ProofCode.EVIDENCE_FORM


def test_every_cut_is_refused() -> None:
    for end in range(len(DATA)):
        with pytest.raises(ProofRejected):
            Evidence.from_bytes(DATA[:end])


def test_the_largest_evidence_is_read() -> None:
    largest = Evidence(bytes(32 << 10), bytes(16 << 10), bytes(65))
    assert len(largest.to_bytes()) == MAX_EVIDENCE_BYTES
    assert Evidence.from_bytes(largest.to_bytes()) == largest


def test_what_the_document_binds() -> None:
    SOUND.check_binding(enclave_a().parsed)
    assert SOUND.keys_sha384 == hashlib.sha384(KEY_LIST).digest()
    tag = b"strongroom client keys"
    digest = hashlib.sha384(SOUND.keys_sha384 + SOUND.receipt_key).digest()
    assert enclave_a().parsed.user_data == bytes([len(tag)]) + tag + b"\x01" + digest


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"public_key": b"rsa"}, RejectionCode.PUBLIC_KEY_PRESENT),
        ({"user_data": None}, RejectionCode.BINDING_ABSENT),
        ({"user_data": kms_user_data()}, RejectionCode.BINDING_PURPOSE),
        ({"user_data": Enclave("B").parsed.user_data}, RejectionCode.BINDING_DIGEST),
    ],
)
def test_what_it_does_not_bind(changes: dict[str, object], code: RejectionCode) -> None:
    sound = {"user_data": enclave_a().parsed.user_data}
    document = AttestationDocument.from_bytes(forge.document(**(sound | changes)))
    with pytest.raises(Rejected) as caught:
        SOUND.check_binding(document)
    assert caught.value.code is code


@pytest.mark.parametrize(("keys", "key"), [(47, 65), (49, 65), (48, 64), (48, 66), (50, 63)])
def test_lengths_that_could_share_a_digest_are_refused(keys: int, key: int) -> None:
    with pytest.raises(ValueError, match="48 and 65 bytes"):
        statement_user_data(bytes(keys), bytes(key))


def test_a_boot_is_named_by_module_and_key() -> None:
    module, key = forge.MODULE_ID.encode(), SOUND.receipt_key
    framed = len(module).to_bytes(4, "big") + module + len(key).to_bytes(4, "big") + key
    assert boot_id(forge.MODULE_ID, key) == hashlib.sha256(b"strongroom boot v1\0" + framed).digest()
    assert len({boot_id(forge.MODULE_ID, key), boot_id("i-0-enc0", key), Enclave("B").boot_id}) == 3
