"""Making what a receipt key signs: COSE_Sign1 under ES256 (RFC 9052 section 4.2), in the one form that is accepted."""

from __future__ import annotations

import cbor2
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from attestation.cose import sig_structure

ES256 = ECDSA(SHA256())
ES256_PROTECTED = bytes.fromhex("a10126")  # {1: -7}, RFC 9053 section 2.1
ES256_SIGNATURE_BYTES = 64
ENVELOPE_HEAD = bytes.fromhex("d28443a10126a0")
"""Tag 18, an array of four, the protected header, the empty unprotected one."""
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

_SIGNATURE_HEAD = bytes.fromhex("5840")
_HALF = ES256_SIGNATURE_BYTES // 2


def signed(payload: bytes, key: EllipticCurvePrivateKey) -> bytes:
    """A tagged envelope around ``payload`` under a P-256 key, with s in the lower half: verifiers refuse its twin."""
    r, s = decode_dss_signature(key.sign(sig_structure(ES256_PROTECTED, payload), ES256))
    signature = r.to_bytes(_HALF, "big") + min(s, P256_ORDER - s).to_bytes(_HALF, "big")
    return b"".join((ENVELOPE_HEAD, cbor2.dumps(payload), _SIGNATURE_HEAD, signature))


def receipt_key_bytes(key: EllipticCurvePrivateKey) -> bytes:
    """The public half as the document binds it: the uncompressed point, 65 bytes."""
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
