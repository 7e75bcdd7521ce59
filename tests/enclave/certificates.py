"""Certificates for KMS's name as the host could come by them: one sound, the others each with one defect."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HOST = "kms.us-east-1.amazonaws.com"
NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Issued:
    """A certificate and its key."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    def pem(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def with_key(self) -> bytes:
        """The key, then the certificate."""
        form = serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()) + self.pem()


@dataclass(frozen=True)
class Profile:
    """What a certificate says."""

    names: tuple[str, ...] = (HOST,)
    common_name: str = "KMS"
    ca: bool = False
    path_length: int | None = None
    usage: frozenset[str] = frozenset({"digital_signature"})
    extended: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH
    not_before: datetime = NOW - DAY
    not_after: datetime = NOW + DAY


CA = Profile((), "CA", True, None, frozenset({"key_cert_sign", "crl_sign"}))
LEAF = Profile()
_USAGES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


def issue(profile: Profile, issuer: Issued | None = None) -> Issued:
    """A certificate of that profile; without an issuer it signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(profile.common_name)
    signer = issuer.key if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.certificate.subject if issuer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(profile.not_before)
        .not_valid_after(profile.not_after)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .add_extension(x509.BasicConstraints(profile.ca, profile.path_length), critical=True)
        .add_extension(x509.KeyUsage(**{usage: usage in profile.usage for usage in _USAGES}), critical=True)
    )
    if not profile.ca:
        builder = builder.add_extension(x509.ExtendedKeyUsage([profile.extended]), critical=False)
    if profile.names:
        builder = builder.add_extension(x509.SubjectAlternativeName(map(x509.DNSName, profile.names)), critical=False)
    return Issued(key, builder.sign(signer, hashes.SHA256()))


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _chain(leaf: Issued, *above: Issued) -> bytes:
    return leaf.with_key() + b"".join(issued.pem() for issued in above)


def _below_an_end_entity(ca: Issued) -> bytes:
    between = issue(replace(LEAF, common_name="not a CA"), ca)
    return _chain(issue(LEAF, between), between)


def _below_too_many(ca: Issued) -> bytes:
    outer = issue(replace(CA, common_name="outer", path_length=0), ca)
    inner = issue(replace(CA, common_name="inner"), outer)
    return _chain(issue(LEAF, inner), inner, outer)


def _below_no_signer(ca: Issued) -> bytes:
    between = issue(replace(CA, common_name="may not sign", usage=frozenset({"crl_sign"})), ca)
    return _chain(issue(LEAF, between), between)


BAD: dict[str, Callable[[Issued], bytes]] = {
    "self-signed": lambda ca: issue(LEAF).with_key(),
    "of an unknown CA": lambda ca: issue(LEAF, issue(CA)).with_key(),
    "of an unknown CA that is sent along": lambda ca: _chain(issue(LEAF, other := issue(CA)), other),
    "expired": lambda ca: issue(replace(LEAF, not_before=NOW - 9 * DAY, not_after=NOW - DAY), ca).with_key(),
    "not yet valid": lambda ca: issue(replace(LEAF, not_before=NOW + DAY, not_after=NOW + 9 * DAY), ca).with_key(),
    "for clients": lambda ca: issue(replace(LEAF, extended=ExtendedKeyUsageOID.CLIENT_AUTH), ca).with_key(),
    "for another use": lambda ca: issue(replace(LEAF, usage=frozenset({"content_commitment"})), ca).with_key(),
    "below an end entity": _below_an_end_entity,
    "below a CA that may not sign": _below_no_signer,
    "below more CAs than allowed": _below_too_many,
    "for another region": lambda ca: issue(replace(LEAF, names=("kms.eu-west-1.amazonaws.com",)), ca).with_key(),
    "for a host below": lambda ca: issue(replace(LEAF, names=(f"x.{HOST}",)), ca).with_key(),
    "for too wide a wildcard": lambda ca: issue(replace(LEAF, names=("*.amazonaws.com",)), ca).with_key(),
    "with its name in the subject alone": lambda ca: issue(replace(LEAF, names=(), common_name=HOST), ca).with_key(),
}
"""By defect: the PEM file, key first, that a server would use who has the trusted CA sign what it likes."""


def write(folder: Path, pem: bytes) -> Path:
    """The file that ssl wants."""
    path = folder / "peer.pem"
    path.write_bytes(pem)
    return path
