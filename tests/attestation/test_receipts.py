"""Making receipts: every byte of the format, written down again without the code that makes it."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from attestation.receipts import ReceiptSalts, commitment, issue_receipt, leaf_data
from attestation.signing import P256_ORDER, signed
from tests.attestation.issuing import REQUEST, Enclave, derived, enclave_a, receipt_private_key

SALTS = ReceiptSalts.derive(derived("a secret"), derived("a salt"))


def test_salts_are_hkdf_of_the_secret_under_the_heads_salt() -> None:
    key, previous, expected = hmac.digest(derived("a salt"), derived("a secret"), "sha256"), b"", b""
    for number in range(1, 4):  # RFC 5869 section 2.3
        previous = hmac.digest(key, previous + b"strongroom receipt v1\0" + bytes([number]), "sha256")
        expected += previous
    assert SALTS.to_bytes() == SALTS.request + SALTS.response + SALTS.leaf == expected
    assert ReceiptSalts.from_bytes(expected) == SALTS


@pytest.mark.parametrize("length", [0, 95, 97])
def test_salts_have_one_length(length: int) -> None:
    with pytest.raises(ValueError, match="96 bytes"):
        ReceiptSalts.from_bytes(bytes(length))


def test_the_envelope_and_its_signature() -> None:
    enclave = enclave_a()
    claims = enclave.claims(SALTS)
    receipt, leaf = issue_receipt(claims, enclave.key, SALTS.leaf)
    tagged = cbor2.loads(receipt)
    protected, unprotected, payload, signature = tagged.value
    assert (tagged.tag, protected, dict(unprotected), len(signature)) == (18, b"\xa1\x01\x26", {}, 64)
    numbers = [int.from_bytes(half, "big") for half in (signature[:32], signature[32:])]
    signed_bytes = cbor2.dumps(["Signature1", protected, b"", payload])
    enclave.key.public_key().verify(encode_dss_signature(*numbers), signed_bytes, ec.ECDSA(SHA256()))
    assert leaf == hashlib.sha256(SALTS.leaf + hashlib.sha256(payload).digest()).digest()
    assert len(receipt) < 1024


def test_the_claims_by_key() -> None:
    claims = enclave_a().claims(SALTS)
    said = cbor2.loads(claims.to_payload())
    assert said == {
        6: (claims.time_ms + 1500) // 1000,
        7: claims.request_id,
        265: "urn:strongroom:receipt:v1",
        -65537: "smollm2-135m",
        -65538: "1",
        -65545: 0,
        -65546: 1500,
        -70001: claims.time_ms,
        -70002: claims.manifest_sha384,
        -70003: claims.catalogue_sha384,
        -70004: claims.document_sha384,
        -70005: claims.keys_sha384,
        -70006: claims.receipt_key,
        -70007: {"models": claims.key_policies["models"]},
        -70008: 2,
        -70009: hashlib.sha256(SALTS.request + REQUEST).digest(),
        -70010: claims.response_commitment,
        -70011: claims.boot_id,
        -70012: [0, hashlib.sha256().digest()],
        -70013: "complete",
        -70014: 3,
        -70015: 3,
        -70016: [],
    }


def test_the_encoding_is_deterministic() -> None:
    """RFC 8949 section 4.2.1: keys in the bytewise order of their encodings, inside as well."""
    policies = {name: bytes(48) for name in ("zz", "a", "a" * 24, "b" * 23, "ab")}
    claims = enclave_a().claims(SALTS, key_policies=policies, verdicts=(("pii", "passed"),))
    said = cbor2.loads(claims.to_payload())
    for keys in (list(said), list(said[-70007])):
        assert keys == sorted(keys, key=cbor2.dumps)
    again = replace(claims, key_policies=dict(reversed(policies.items())))
    assert again.to_payload() == claims.to_payload() == cbor2.dumps(said, canonical=True)


def test_s_is_always_in_the_lower_half() -> None:
    key = receipt_private_key("A")
    for number in range(64):
        assert int.from_bytes(signed(bytes([number]), key)[-32:], "big") <= P256_ORDER // 2


def test_nothing_is_found_without_its_salt() -> None:
    enclave = Enclave("salted")
    first, second = enclave.issue(), enclave.issue()
    assert first.claims.request_commitment != second.claims.request_commitment
    assert hashlib.sha256(REQUEST).digest() not in first.receipt
    assert len({*enclave.leaves}) == 2


def test_commitments_and_leaves() -> None:
    assert commitment(b"salt", b"content") == hashlib.sha256(b"saltcontent").digest()
    assert leaf_data(b"salt", b"payload") == hashlib.sha256(b"salt" + hashlib.sha256(b"payload").digest()).digest()
