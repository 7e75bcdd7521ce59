"""X.509 as the Nitro hypervisor writes it: P-384, SHA-384, and one profile per level of the chain.

The profiles were read off real documents; names say loudly that these certificates are not AWS's.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.x509.oid import NameOID

ORGANIZATION = "SIMULATED - NOT AWS"
_P384_ORDER = int(
    "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973", 16
)


@dataclass(frozen=True, slots=True)
class Profile:
    """What one level of the chain may do. `path_length` is None for no limit; `is_ca` False for a leaf."""

    is_ca: bool
    path_length: int | None
    signs_data: bool
    signs_revocations: bool
    names_its_keys: bool
    names_a_revocation_list: bool


ROOT = Profile(True, None, True, True, True, False)
REGIONAL = Profile(True, 2, True, True, True, True)
ZONAL = Profile(True, 1, True, True, True, True)
INSTANCE = Profile(True, 0, False, False, True, False)
LEAF = Profile(False, None, True, False, False, False)


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate together with its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def der(self) -> bytes:
        """The certificate as it travels in a document."""
        return self.certificate.public_bytes(serialization.Encoding.DER)


@dataclass(frozen=True, slots=True)
class Window:
    """Validity in seconds since the epoch, both ends included."""

    start_s: int
    lifetime_s: int

    @classmethod
    def on_grid(cls, at_s: int, *, step_s: int, lifetime_s: int) -> "Window":
        """The window that began at the last multiple of `step_s`: the same for everyone who asks."""
        return cls(at_s - at_s % step_s, lifetime_s)

    @property
    def not_before(self) -> datetime:
        """First second of validity."""
        return datetime.fromtimestamp(self.start_s, UTC)

    @property
    def not_after(self) -> datetime:
        """Last second of validity."""
        return self.not_before + timedelta(seconds=self.lifetime_s)


def derived_key(seed: bytes, label: str) -> ec.EllipticCurvePrivateKey:
    """The P-384 key that `seed` and `label` name (HKDF-SHA384, 8 bytes more than the order: no bias)."""
    octets = HKDF(hashes.SHA384(), 56, salt=None, info=b"strongroom simulator " + label.encode()).derive(seed)
    return ec.derive_private_key(int.from_bytes(octets) % (_P384_ORDER - 1) + 1, ec.SECP384R1())


def issue(
    common_name: str,
    profile: Profile,
    window: Window,
    key: ec.EllipticCurvePrivateKey,
    issuer: Authority | None,
) -> Authority:
    """A certificate for `key`, signed by `issuer` (by itself if None).

    Serial number and signature (RFC 6979) follow from the content: equal arguments give equal bytes.
    """
    signing_key = issuer.key if issuer else key
    name = _name(common_name)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.certificate.subject if issuer else name)
        .public_key(key.public_key())
        .serial_number(_serial_number(key.public_key(), window))
        .not_valid_before(window.not_before)
        .not_valid_after(window.not_after)
    )
    for extension, critical in _extensions(profile, key.public_key(), signing_key.public_key(), issuer):
        builder = builder.add_extension(extension, critical)
    return Authority(builder.sign(signing_key, hashes.SHA384(), ecdsa_deterministic=True), key)


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANIZATION),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Strongroom"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _serial_number(public_key: ec.EllipticCurvePublicKey, window: Window) -> int:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(_spki(public_key))
    digest.update(window.start_s.to_bytes(8))
    return int.from_bytes(digest.finalize()[:16]) | 1


def _spki(public_key: ec.EllipticCurvePublicKey) -> bytes:
    return public_key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _extensions(
    profile: Profile,
    subject: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePublicKey,
    issuer: Authority | None,
) -> list[tuple[x509.ExtensionType, bool]]:
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(profile.is_ca, profile.path_length), True)
    ]
    if profile.names_its_keys:
        if issuer:
            extensions.append((x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), False))
        extensions.append((x509.SubjectKeyIdentifier.from_public_key(subject), False))
    # Real leaves carry a KeyUsage that is not critical; every level above marks it critical.
    extensions.append((_key_usage(profile), profile.is_ca))
    if profile.names_a_revocation_list:
        extensions.append((_revocation_list(), False))
    return extensions


def _key_usage(profile: Profile) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=profile.signs_data,
        content_commitment=not profile.is_ca,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=profile.is_ca,
        crl_sign=profile.signs_revocations,
        encipher_only=False,
        decipher_only=False,
    )


def _revocation_list() -> x509.CRLDistributionPoints:
    address = x509.UniformResourceIdentifier("http://crl.simulated.invalid/never-fetched.crl")
    return x509.CRLDistributionPoints([x509.DistributionPoint([address], None, None, None)])
