"""The primitives, as we call them, against RFC 9180's vectors and Project Wycheproof's."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from attestation.signing import ES256
from strongroom.protocol.errors import Malformed
from strongroom.protocol.suites import KEMKeyPair, Suite, load_public_key
from tests.protocol import published
from tests.protocol.vectors import wire

VALID, INVALID = "valid", "invalid"


def octets(case: dict[str, Any], *names: str) -> list[bytes]:
    return [bytes.fromhex(case[name]) for name in names]


def chosen(name: str, suite: Suite, aead_id: int) -> dict[str, Any]:
    """The one vector in base mode under that KEM, HKDF-SHA256 and that AEAD."""
    kem_id = {Suite.XWING: 0x647A, Suite.X25519: 0x0020}[suite]
    wanted = {"mode": 0, "kem_id": kem_id, "kdf_id": 1, "aead_id": aead_id}
    [found] = [case for case in published.hpke(name) if wanted.items() <= case.items()]
    assert isinstance(found, dict)
    return found


def test_rfc_9180_x25519_with_aes_256_gcm() -> None:
    """Our messages have no AAD and the published ones do: the published key and nonce seal one without."""
    case = chosen("test-vectors", Suite.X25519, 2)
    seed, public, enc, key, nonce, info = octets(case, "skRm", "pkRm", "enc", "key", "base_nonce", "info")
    pair = KEMKeyPair.from_seed(Suite.X25519, seed)
    assert pair.public == public
    sealed = enc + AESGCM(key).encrypt(nonce, b"beauty", b"")
    assert Suite.X25519.hpke.decrypt(sealed, pair.private, info=info) == b"beauty"
    first = case["encryptions"][0]
    assert AESGCM(key).encrypt(nonce, *octets(first, "pt", "aad")).hex() == first["ct"]


def test_x_wing_key_pair_and_decapsulation() -> None:
    """There is no published vector with AES-256-GCM; the KEM, which is all that is new, is the same under ChaCha20."""
    case = chosen("hpke-pq-test-vectors", Suite.XWING, 3)
    seed, public, enc, key, nonce, info = octets(case, "skRm", "pkRm", "enc", "key", "base_nonce", "info")
    pair = KEMKeyPair.from_seed(Suite.XWING, seed)
    assert pair.public == public
    suite = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)
    sealed = enc + ChaCha20Poly1305(key).encrypt(nonce, b"beauty", b"")
    assert suite.decrypt(sealed, pair.private, info=info) == b"beauty"


def test_wycheproof_aes_256_gcm() -> None:
    seen: Counter[str] = Counter()
    for group, case in published.wycheproof("Cipher", "aes_gcm"):
        if (group["keySize"], group["ivSize"], group["tagSize"]) != (256, 96, 128):
            continue
        key, nonce, aad, message, ciphertext, tag = octets(case, "key", "iv", "aad", "msg", "ct", "tag")
        try:
            opened = AESGCM(key).decrypt(nonce, ciphertext + tag, aad)
        except InvalidTag:
            outcome = INVALID
        else:
            outcome = VALID
            assert opened == message
        assert outcome == case["result"], case["tcId"]
        seen[outcome] += 1
    assert seen[VALID] >= 30
    assert seen[INVALID] >= 20


def test_wycheproof_hkdf_sha256() -> None:
    seen = 0
    for _, case in published.wycheproof("Protocol", "hkdf_sha256"):
        if case["result"] != VALID:
            continue
        secret, salt, info, expected = octets(case, "ikm", "salt", "info", "okm")
        assert HKDF(SHA256(), case["size"], salt=salt, info=info).derive(secret) == expected, case["tcId"]
        if salt:
            assert wire.hkdf(secret, salt, info, case["size"]) == expected, "the one of the vectors"
        seen += 1
    assert seen >= 70


def test_wycheproof_x25519() -> None:
    """A public key that leads to zeros is refused; all others give what is published."""
    refused = 0
    for _, case in published.wycheproof("Protocol", "x25519"):
        private, public, shared = octets(case, "private", "public", "shared")
        pair = X25519PrivateKey.from_private_bytes(private)
        if not any(shared):
            with pytest.raises(ValueError, match="shared key"):
                pair.exchange(X25519PublicKey.from_public_bytes(public))
            refused += 1
        else:
            assert pair.exchange(X25519PublicKey.from_public_bytes(public)) == shared, case["tcId"]
    assert refused >= 10


def test_wycheproof_ml_kem_768() -> None:
    seen: Counter[str] = Counter()
    for _, case in published.wycheproof("Protocol", "mlkem_768"):
        try:
            seed, ciphertext, expected = octets(case, "seed", "c", "K")
            shared = MLKEM768PrivateKey.from_seed_bytes(seed).decapsulate(ciphertext)
        except ValueError:
            outcome = INVALID
        else:
            outcome = VALID if shared == expected else INVALID
        assert outcome == case["result"], case["tcId"]
        seen[outcome] += 1
    assert seen[VALID] >= 50


def test_wycheproof_ml_kem_768_public_keys_are_judged_when_they_are_loaded() -> None:
    """As the first part of an X-Wing key: a coefficient that is not below q makes no key."""
    x25519, seen = bytes.fromhex("09").ljust(32, b"\0"), Counter[str]()
    for _, case in published.wycheproof("Protocol", "mlkem_768_encaps"):
        try:
            load_public_key(Suite.XWING, bytes.fromhex(case["ek"]) + x25519)
        except Malformed:
            outcome = INVALID
        else:
            outcome = VALID
        assert outcome == case["result"], case["tcId"]
        seen[outcome] += 1
    assert seen[INVALID] >= 10


def test_wycheproof_es256() -> None:
    """r ‖ s as COSE has it; that receipts demand the lower s besides is not for Wycheproof."""
    seen: Counter[str] = Counter()
    for group, case in published.wycheproof("Signature", "ecdsa_secp256r1_sha256_p1363"):
        point = bytes.fromhex(group["publicKey"]["uncompressed"])
        signature, message = octets(case, "sig", "msg")
        outcome = VALID if _verifies(point, signature, message) else INVALID
        assert outcome == case["result"], case["tcId"]
        seen[outcome] += 1
    assert seen[VALID] >= 100
    assert seen[INVALID] >= 50


def _verifies(point: bytes, signature: bytes, message: bytes) -> bool:
    if len(signature) != 64:
        return False
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    try:
        key = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), point)
        key.verify(encode_dss_signature(r, s), message, ES256)
    except InvalidSignature:
        return False
    return True
