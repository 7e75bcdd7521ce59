"""Certificates that a lenient reader takes, byte by byte and signed by their issuer (rule 22)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA384

from attestation.der import CertificateParts
from attestation.errors import RejectionCode
from tests.attestation import forge
from tests.attestation.judge import accept, reject
from tests.attestation.vectors import der

ZONAL, INSTANCE, LEAF = 2, 3, 4
VERSION_3 = bytes.fromhex("a003020102")
KEY_USAGE = der.oid("2.5.29.15")
BASIC_CONSTRAINTS = der.oid("2.5.29.19")
NO_AUTHORITY = der.sequence(BASIC_CONSTRAINTS, bytes.fromhex("0101ff"), der.element(der.OCTET_STRING, der.sequence()))


def signed(position: int, unused_bits: int = 0, odd: bool | None = None, **changes: bytes) -> bytes:
    """The forge's certificate with ``changes`` of its parts, signed again; ``odd`` is the signature's last bit."""
    read = CertificateParts.from_bytes(forge.pki().certificates[position])
    parts = {field.name: getattr(read, field.name) for field in fields(CertificateParts)} | changes
    names = ("serial_number", "inner_algorithm", "issuer", "validity", "subject", "public_key", "extensions")
    to_be_signed = der.sequence(VERSION_3, *(parts[name] for name in names))
    signer = forge.pki().keys[position - 1]
    signature = signer.sign(to_be_signed, ECDSA(SHA384()))
    while odd is not None and signature[-1] & 1 != odd:
        signature = signer.sign(to_be_signed, ECDSA(SHA384()))
    return der.sequence(to_be_signed, read.outer_algorithm, der.bit_string(signature, unused_bits))


def document_with(leaf: bytes) -> bytes:
    """A document whose leaf is ``leaf``."""
    return forge.document(certificate=leaf)


def leaf_with_usage(bits: str) -> bytes:
    """A leaf whose KeyUsage is these bytes, in hex."""
    usage = der.sequence(KEY_USAGE, der.element(der.OCTET_STRING, bytes.fromhex(bits)))
    return signed(LEAF, extensions=der.explicit(3, der.sequence(NO_AUTHORITY, usage)))


def test_a_certificate_put_together_again_is_accepted() -> None:
    accept(document_with(signed(LEAF)))
    accept(document_with(signed(LEAF, odd=False)))


def test_a_signature_has_no_unused_bits() -> None:
    """Where its last bit is zero, the bit string is DER either way, and a reader may ignore the count."""
    reject(RejectionCode.CERTIFICATE_ENCODING, document_with(signed(LEAF, unused_bits=1, odd=False)))


@pytest.mark.parametrize("bits", ["03020780", "030206c0", "030205a0"])
def test_named_bits_end_with_the_last_one_that_is_set(bits: str) -> None:
    accept(document_with(leaf_with_usage(bits)))


@pytest.mark.parametrize(
    "bits",
    [
        pytest.param("03020080", id="seven zeros at the end"),
        pytest.param("03020680", id="one zero at the end"),
        pytest.param("030200c0", id="six zeros at the end"),
        pytest.param("0303078800", id="an octet of zeros"),
        pytest.param("03020700", id="one zero"),
        pytest.param("030100", id="none"),
        pytest.param("03020781", id="an unused bit that is set"),
        pytest.param("03020880", id="8 unused bits"),
        pytest.param("04020780", id="an octet string"),
    ],
)
def test_key_usage_of_a_lenient_reader(bits: str) -> None:
    """Named bits drop their zeros at the end (X.690 section 11.2.2); at least one is set (RFC 5280 section 4.2.1.3)."""
    reject(RejectionCode.CERTIFICATE_ENCODING, document_with(leaf_with_usage(bits)))


@pytest.mark.parametrize("make", [lambda name: bytes.fromhex("30023100"), lambda name: _with_empty_part(name)])
def test_no_part_of_a_name_is_empty(make: Callable[[bytes], bytes]) -> None:
    subject = make(CertificateParts.from_bytes(forge.pki().certificates[LEAF]).subject)
    reject(RejectionCode.CERTIFICATE_ENCODING, document_with(signed(LEAF, subject=subject)))


def _with_empty_part(name: bytes) -> bytes:
    return der.sequence(der.content(name), der.element(der.SET))
