"""Signing images: an EC key, its certificate, and one COSE_Sign1 over PCR0, shaped as in attestation.eif.signature."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from attestation.cose import sig_structure
from attestation.eif.certificate import SigningCertificate
from attestation.eif.errors import EIFError
from attestation.eif.layout import SectionType
from attestation.eif.signature import ALGORITHMS, Algorithm, pcr0_payload, section_data
from strongroom.image.errors import SigningRefused
from strongroom.image.parts import Part

MAX_PEM_BYTES = 16 * 1024
"""Of a certificate's file, which becomes an array of up to two bytes each in a section of 32 KiB; and of a key's."""


@dataclass(frozen=True, slots=True)
class Signer:
    """A key that signs under a certificate that is valid now."""

    certificate_pem: bytes = field(repr=False)
    key: EllipticCurvePrivateKey = field(repr=False)
    protected: bytes
    algorithm: Algorithm

    @classmethod
    def from_pem(cls, certificate: bytes, private_key: bytes, at: datetime | None = None) -> "Signer":
        """Read both files; their first certificate is the one, and `at` is now unless a test says otherwise.

        Raises SigningRefused for a certificate that is not valid at that instant (`nitro-cli run-enclave` would refuse
        the image), for a key that is encrypted, not the certificate's or of another kind than P-256, P-384, P-521.
        """
        key = _read_key(private_key)
        checked = check_certificate(certificate, at)
        if checked.key != key.public_key():
            advice = "give the two that belong together"
            raise SigningRefused(f"private key: expected the certificate's, got another: {advice}")
        return cls(certificate, key, *_way_to_sign(checked))

    def part(self, pcr0: bytes) -> Part:
        """The signature section of an image with this PCR0 (48 bytes); the same every time (RFC 6979)."""
        payload = pcr0_payload(pcr0)
        scheme = ECDSA(self.algorithm.hash, deterministic_signing=True)
        numbers = decode_dss_signature(self.key.sign(sig_structure(self.protected, payload), scheme))
        signature = b"".join(number.to_bytes(self.algorithm.number_bytes, "big") for number in numbers)
        data = section_data(self.certificate_pem, self.protected, payload, signature)
        return Part.of_bytes(SectionType.SIGNATURE, data)


def check_certificate(pem: bytes, at: datetime | None = None) -> SigningCertificate:
    """The first certificate of a file, when images can be signed under it at that instant; None is now.

    Raises SigningRefused.
    """
    certificate = _read_certificate(pem)
    _way_to_sign(certificate)
    window = x509.load_der_x509_certificate(certificate.der)
    if not window.not_valid_before_utc <= (at or datetime.now(UTC)) <= window.not_valid_after_utc:
        valid = f"{certificate.not_before} to {certificate.not_after}"
        raise SigningRefused(
            f"certificate: expected one that is valid now, got one that is valid from {valid}; no enclave would start"
        )
    return certificate


def _way_to_sign(certificate: SigningCertificate) -> tuple[bytes, Algorithm]:
    """The protected header and what it stands for."""
    curve = certificate.key.curve
    for protected, algorithm in ALGORITHMS.items():
        if isinstance(curve, algorithm.curve):
            return protected, algorithm
    raise SigningRefused(f"certificate: expected a key on P-256, P-384 or P-521, got one on {curve.name}")


def _read_key(pem: bytes) -> EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError:
        advice = "decrypt it into a file of yours alone: openssl pkey -in KEY -out DECRYPTED"
        raise SigningRefused(
            f"private key: expected one without a passphrase, got an encrypted one; {advice}"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise SigningRefused("private key: expected an EC key in PEM, got something else") from None
    if not isinstance(key, EllipticCurvePrivateKey):
        advice = "make one: openssl ecparam -name secp384r1 -genkey -noout -out KEY"
        raise SigningRefused(f"private key: expected an EC key, got another kind; {advice}")
    return key


def _read_certificate(pem: bytes) -> SigningCertificate:
    if b"PRIVATE KEY" in pem:
        raise SigningRefused("certificate: expected certificates alone, got a private key: the image would publish it")
    try:
        return SigningCertificate.from_pem(pem, 0)
    except EIFError as error:
        raise SigningRefused(f"certificate: expected {error.expected}, got {error.actual}") from None
