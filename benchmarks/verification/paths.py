"""The three paths that run in this process: the lower bound, and the verifier without and with a cache."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384

from attestation.anchors import AWS_NITRO_ROOT_G1
from attestation.chain import ChainCache
from attestation.fields import MAX_CABUNDLE_ENTRIES
from attestation.modes import Archived
from attestation.policy import UnsafeAnyMeasurement
from attestation.verifier import verify
from benchmarks.peers.turns import Sample, Verify

_ES384 = ECDSA(SHA384())
_MODE = Archived()
_POLICY = UnsafeAnyMeasurement()


def _public_key(certificate: x509.Certificate) -> EllipticCurvePublicKey:
    return cast(EllipticCurvePublicKey, certificate.public_key())


_ROOT_KEY = _public_key(x509.load_der_x509_certificate(AWS_NITRO_ROOT_G1.der))


def lower_bound(document: bytes) -> None:
    """The cryptography alone: cbor2, four certificates parsed, five ECDSA P-384 verifications, nothing checked.

    The root is pinned, so that its key is ready beforehand; all else goes through the libraries' own properties. Raises
    InvalidSignature.
    """
    protected, _, payload, signature = cbor2.loads(document.removeprefix(b"\xd2"))
    fields = cbor2.loads(payload)
    key = _ROOT_KEY
    for der in (*fields["cabundle"][1:], fields["certificate"]):
        certificate = x509.load_der_x509_certificate(der)
        key.verify(certificate.signature, certificate.tbs_certificate_bytes, _ES384)
        key = _public_key(certificate)
    half = len(signature) // 2
    numbers = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
    key.verify(encode_dss_signature(*numbers), cbor2.dumps(["Signature1", protected, b"", payload]), _ES384)


def cold(document: bytes) -> None:
    """Every rule, nothing remembered. Raises Rejected."""
    verify(document, policy=_POLICY, mode=_MODE, allow_debug=True)


def warm(samples: Sequence[Sample]) -> Verify:
    """Every rule, with a cache that has seen the chains of all ``samples``."""
    cache = ChainCache(max_links=MAX_CABUNDLE_ENTRIES * len(samples))

    def path(document: bytes) -> None:
        verify(document, policy=_POLICY, mode=_MODE, allow_debug=True, cache=cache)

    for sample in samples:
        path(sample.document)
    return path
