"""HPKE base mode, single shot (RFC 9180), written out: a library that draws its own randomness makes no vectors.

HKDF-SHA256 and AES-256-GCM over DHKEM(X25519) or X-Wing; `ciphertext` is that of the first message of a context.
"""

from __future__ import annotations

import hashlib
import hmac

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.protocol.vectors import seeds
from tests.protocol.vectors.seeds import KeyPair, X25519Pair, XWingPair

_KEM_IDS = {X25519Pair: 0x0020, XWingPair: 0x647A}
_KDF_ID, _AEAD_ID = 0x0001, 0x0002
_X25519_KEM = b"KEM" + (0x0020).to_bytes(2, "big")
_XWING_LABEL = bytes.fromhex("5c2e2f2f5e5c")


def sealed(pair: KeyPair, info: bytes, plaintext: bytes) -> bytes:
    """enc ‖ ciphertext to the holder of ``pair``, under the one encapsulation that the seed gives for its kind."""
    enc, secret = _x25519(pair) if isinstance(pair, X25519Pair) else _xwing(pair)
    key, nonce = _key_schedule(_KEM_IDS[type(pair)], secret, info)
    return enc + AESGCM(key).encrypt(nonce, plaintext, b"")


def ephemeral_ikm(pair: KeyPair) -> bytes:
    """What fixes the encapsulation: RFC 9180's ikmE, or X-Wing's randomness."""
    return seeds.derived("x25519 encapsulation", 32) if isinstance(pair, X25519Pair) else seeds.xwing_ekm()


def _x25519(pair: X25519Pair) -> tuple[bytes, bytes]:
    """RFC 9180 section 4.1, with DeriveKeyPair of section 7.1.3."""
    prk = _labelled_extract(_X25519_KEM, b"", b"dkp_prk", ephemeral_ikm(pair))
    ephemeral = X25519PrivateKey.from_private_bytes(_labelled_expand(_X25519_KEM, prk, b"sk", b"", 32))
    enc = ephemeral.public_key().public_bytes_raw()
    shared = ephemeral.exchange(pair.private.public_key())
    prk = _labelled_extract(_X25519_KEM, b"", b"eae_prk", shared)
    return enc, _labelled_expand(_X25519_KEM, prk, b"shared_secret", enc + pair.public, 32)


def _xwing(pair: XWingPair) -> tuple[bytes, bytes]:
    """draft-connolly-cfrg-xwing-kem section 5.4: what the holder of the key gets out of the stored encapsulation."""
    enc = bytes.fromhex(seeds.XWING_ENC.read_text())
    mlkem, x25519 = enc[:1088], enc[1088:]
    shared = pair.mlkem.decapsulate(mlkem), pair.x25519.exchange(X25519PublicKey.from_public_bytes(x25519))
    return enc, hashlib.sha3_256(b"".join((*shared, x25519, pair.public[1184:], _XWING_LABEL))).digest()


def _key_schedule(kem_id: int, shared_secret: bytes, info: bytes) -> tuple[bytes, bytes]:
    """RFC 9180 section 5.1, mode_base."""
    suite = b"HPKE" + b"".join(number.to_bytes(2, "big") for number in (kem_id, _KDF_ID, _AEAD_ID))
    hashes = (_labelled_extract(suite, b"", b"psk_id_hash", b""), _labelled_extract(suite, b"", b"info_hash", info))
    context = b"\0" + b"".join(hashes)
    secret = _labelled_extract(suite, shared_secret, b"secret", b"")
    return _labelled_expand(suite, secret, b"key", context, 32), _labelled_expand(
        suite, secret, b"base_nonce", context, 12
    )


def _labelled_extract(suite: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + ikm, "sha256")


def _labelled_expand(suite: bytes, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
    """One block of HKDF-Expand: nothing longer is asked for."""
    labelled = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    return hmac.digest(prk, labelled + b"\1", "sha256")[:length]
