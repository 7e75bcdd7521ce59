"""The envelope: one shape, compared byte by byte (rules 1 to 8, rows 1 to 21 of the bad documents)."""

from __future__ import annotations

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from attestation.cose import COSESign1, sig_structure
from attestation.errors import Rejected, RejectionClass, RejectionCode
from tests.attestation import forge
from tests.attestation.judge import accept, reject

DOCUMENT = forge.document()
PAYLOAD = COSESign1.from_bytes(DOCUMENT).payload
SIGNATURE = COSESign1.from_bytes(DOCUMENT).signature


def bstr(data: bytes) -> bytes:
    return cbor2.dumps(data)


def chunked(data: bytes) -> bytes:
    return b"\x5f" + bstr(data[:10]) + bstr(data[10:]) + b"\xff"


def array(
    protected: bytes = bstr(forge.ES384),
    unprotected: bytes = b"\xa0",
    payload: bytes = bstr(PAYLOAD),
    signature: bytes = bstr(SIGNATURE),
    head: bytes = b"\x84",
) -> bytes:
    return head + protected + unprotected + payload + signature


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(b"", RejectionCode.INPUT_SIZE, id="empty"),
        pytest.param(DOCUMENT.ljust(32769, b"\0"), RejectionCode.INPUT_SIZE, id="too large"),
        pytest.param(DOCUMENT.ljust(32768, b"\0"), RejectionCode.COSE_TRAILING_BYTES, id="as large as may be"),
        pytest.param(DOCUMENT + b"\0", RejectionCode.COSE_TRAILING_BYTES, id="trailing byte"),
        pytest.param(DOCUMENT + DOCUMENT, RejectionCode.COSE_TRAILING_BYTES, id="second document"),
        pytest.param(b"\xd1" + DOCUMENT, RejectionCode.COSE_STRUCTURE, id="tag 17"),
        pytest.param(b"\xd8\x3d" + DOCUMENT, RejectionCode.COSE_STRUCTURE, id="tag 61"),
        pytest.param(b"\xd8\x62" + DOCUMENT, RejectionCode.COSE_STRUCTURE, id="tag 98"),
        pytest.param(b"\xd9\xd9\xf7" + DOCUMENT, RejectionCode.COSE_STRUCTURE, id="self-described"),
        pytest.param(b"\xd2\xd2" + DOCUMENT, RejectionCode.COSE_STRUCTURE, id="tag 18 twice"),
        pytest.param(b"\xd8\x12" + DOCUMENT, RejectionCode.COSE_STRUCTURE, id="tag 18 non-minimal"),
        pytest.param(b"\xd2", RejectionCode.COSE_STRUCTURE, id="tag alone"),
        pytest.param(array(head=b"\x83"), RejectionCode.COSE_STRUCTURE, id="array of 3"),
        pytest.param(array(head=b"\x85") + b"\x00", RejectionCode.COSE_STRUCTURE, id="array of 5"),
        pytest.param(array(head=b"\x9f") + b"\xff", RejectionCode.COSE_STRUCTURE, id="indefinite array"),
        pytest.param(array(head=b"\x98\x04"), RejectionCode.COSE_STRUCTURE, id="non-minimal array"),
        pytest.param(array(unprotected=b"\xa1\x04\x41k"), RejectionCode.UNPROTECTED_HEADER, id="kid"),
        pytest.param(array(unprotected=b"\xa1\x01\x38\x22"), RejectionCode.UNPROTECTED_HEADER, id="alg there"),
        pytest.param(array(unprotected=b"\xf6"), RejectionCode.UNPROTECTED_HEADER, id="null unprotected"),
        pytest.param(array(unprotected=b"\xbf\xff"), RejectionCode.UNPROTECTED_HEADER, id="indefinite map"),
        pytest.param(array(payload=b"\xf6"), RejectionCode.COSE_PAYLOAD, id="detached"),
        pytest.param(array(payload=b"\x40"), RejectionCode.COSE_PAYLOAD, id="empty payload"),
        pytest.param(array(payload=bstr(bytes(16385))), RejectionCode.COSE_PAYLOAD, id="payload too large"),
        pytest.param(array(payload=chunked(PAYLOAD)), RejectionCode.COSE_PAYLOAD, id="chunked payload"),
        pytest.param(
            array(payload=b"\x5a" + len(PAYLOAD).to_bytes(4, "big") + PAYLOAD),
            RejectionCode.COSE_PAYLOAD,
            id="non-minimal payload",
        ),
        pytest.param(
            array(payload=b"\x5a\x06\x00\x00\x00", signature=b""), RejectionCode.COSE_PAYLOAD, id="100 MB head"
        ),
        pytest.param(array(signature=chunked(SIGNATURE)), RejectionCode.COSE_STRUCTURE, id="chunked"),
        pytest.param(array(signature=b"\xf6"), RejectionCode.COSE_STRUCTURE, id="no signature"),
        *(
            pytest.param(array(signature=bstr(bytes([1]) * n)), RejectionCode.SIGNATURE_ENCODING, id=f"{n} bytes")
            for n in (0, 48, 95, 97, 98)
        ),
        pytest.param(
            array(signature=bstr(encode_dss_signature(1 << 380, 1 << 380))),
            RejectionCode.SIGNATURE_ENCODING,
            id="DER",
        ),
        *(
            pytest.param(array(signature=bstr(forge.raw(r, s))), RejectionCode.SIGNATURE_ENCODING, id=label)
            for r, s, label in [
                (0, 0, "zero"),
                (0, 1, "r = 0"),
                (1, 0, "s = 0"),
                (forge.ORDER, 1, "r = n"),
                (1, forge.ORDER, "s = n"),
            ]
        ),
    ],
)
def test_refuses_another_envelope(data: bytes, code: RejectionCode) -> None:
    reject(code, data)


@pytest.mark.parametrize(
    ("protected", "code"),
    [
        pytest.param(b"", RejectionCode.PROTECTED_HEADER, id="empty"),
        pytest.param(b"\xa0", RejectionCode.COSE_ALGORITHM, id="empty map"),
        pytest.param(b"\xa1\x01\x26", RejectionCode.COSE_ALGORITHM, id="ES256"),
        pytest.param(b"\xa1\x01\x38\x23", RejectionCode.COSE_ALGORITHM, id="ES512"),
        pytest.param(b"\xa2\x01\x38\x22\x04\x41k", RejectionCode.PROTECTED_HEADER, id="kid"),
        pytest.param(b"\xa2\x01\x38\x22\x02\x81\x18\x63", RejectionCode.PROTECTED_HEADER, id="crit"),
        pytest.param(b"\xa2\x01\x38\x22\x01\x38\x22", RejectionCode.PROTECTED_HEADER, id="alg twice"),
        pytest.param(b"\xa1\x01\x38\x22\x00", RejectionCode.PROTECTED_HEADER, id="trailing byte"),
        pytest.param(b"\xa1\x01\x39\x00\x22", RejectionCode.PROTECTED_HEADER, id="non-minimal alg"),
        pytest.param(b"\xa1\x01\x65ES384", RejectionCode.PROTECTED_HEADER, id="alg as text"),
    ],
)
def test_refuses_another_protected_header_although_signed(protected: bytes, code: RejectionCode) -> None:
    reject(code, forge.envelope(PAYLOAD, protected=protected))


def test_refuses_every_truncation() -> None:
    for end in range(len(DOCUMENT)):
        with pytest.raises(Rejected):
            COSESign1.from_bytes(DOCUMENT[:end])


@pytest.mark.parametrize(
    "signature",
    [
        pytest.param(SIGNATURE[:-1] + bytes([SIGNATURE[-1] ^ 1]), id="bit flip"),
        pytest.param(forge.sign(PAYLOAD, forge.key("a stranger's")), id="a stranger's"),
        pytest.param(forge.sign(PAYLOAD, hash=SHA256()), id="SHA-256"),
        pytest.param(forge.sign(PAYLOAD, structure=lambda p, b: ["Signature", p, b"", b]), id="context"),
        pytest.param(forge.sign(PAYLOAD, structure=lambda p, b: ["Signature1", p, b"x", b]), id="external aad"),
        pytest.param(forge.sign(PAYLOAD, structure=lambda p, b: ["Signature1", b"", b"", b]), id="no header"),
        pytest.param(forge.sign(PAYLOAD, forge.pki().keys[3]), id="the instance CA's"),
    ],
)
def test_refuses_another_signature(signature: bytes) -> None:
    rejected = reject(RejectionCode.SIGNATURE, array(signature=bstr(signature)))
    assert rejected.code.rejection_class is RejectionClass.BAD_SIGNATURE


def test_refuses_a_payload_that_was_changed_or_encoded_again() -> None:
    flipped = bytearray(DOCUMENT)
    flipped[DOCUMENT.index(forge.NONCE)] ^= 1
    reject(RejectionCode.SIGNATURE, bytes(flipped))
    reject(RejectionCode.SIGNATURE, array(payload=bstr(forge.indefinite(forge.fields()))))


def test_accepts_tagged_and_untagged_high_and_low_s() -> None:
    number = int.from_bytes(SIGNATURE[48:], "big")
    twin = SIGNATURE[:48] + (forge.ORDER - number).to_bytes(48, "big")
    for document in (DOCUMENT, b"\xd2" + DOCUMENT, array(signature=bstr(twin))):
        verified = accept(document)
        assert verified.document.payload_digest == accept(DOCUMENT).document.payload_digest


def test_accepts_leading_zero_in_r_or_s() -> None:
    for _ in range(4096):  # about 1 in 128 has one
        signature = forge.sign(PAYLOAD)
        if 0 in (signature[0], signature[48]):
            break
    accept(array(signature=bstr(signature)))


def test_sig_structure_of_rfc_9052() -> None:
    assert sig_structure(b"\xa0", b"pay").hex() == "846a5369676e61747572653141a04043706179"


def test_an_envelope_made_by_hand_is_checked_again() -> None:
    leaf_key = forge.pki().keys[-1].public_key()
    signature = forge.sign(PAYLOAD, protected=b"\xa1\x01\x26")
    with pytest.raises(Rejected) as caught:
        COSESign1(b"\xa1\x01\x26", PAYLOAD, signature).verify(leaf_key)
    assert caught.value.code is RejectionCode.COSE_ALGORITHM
