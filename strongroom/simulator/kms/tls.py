"""TLS for the dev KMS: a CA of its own in the state folder, and a certificate that says it is KMS in one region."""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from strongroom.simulator import state
from strongroom.simulator.certificates import ORGANIZATION

_CA_LIFETIME = timedelta(days=3650)
_SERVER_LIFETIME = timedelta(days=30)
_BACKDATED = timedelta(hours=1)


def server_certificate(state_dir: Path, *, region: str) -> Path:
    """A PEM file with a new key and certificate for `kms.<region>.amazonaws.com`, localhost and 127.0.0.1.

    Clients trust `tls/ca.pem` in `state_dir`; that CA is made once, the server's certificate at every start.
    """
    folder = state_dir / "tls"
    ca_key, ca = _authority(folder)
    names = (f"kms.{region}.amazonaws.com", f"kms-fips.{region}.amazonaws.com", "localhost")
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _server_certificate(names, key, ca, ca_key)
    path = folder / f"server-{region}.pem"
    state.write(path, _pem(key) + certificate.public_bytes(serialization.Encoding.PEM))
    return path


def _authority(folder: Path) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    fresh = ec.generate_private_key(ec.SECP256R1())
    made = _pem(fresh) + _ca_certificate(fresh).public_bytes(serialization.Encoding.PEM)
    kept = state.read_or_create(folder / "ca-with-key.pem", made)
    key = serialization.load_pem_private_key(kept, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"expected an EC key in {folder}, got {type(key).__name__}")
    certificate = x509.load_pem_x509_certificate(kept)
    state.write(folder / "ca.pem", certificate.public_bytes(serialization.Encoding.PEM))
    return key, certificate


def _ca_certificate(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = _name("dev KMS CA")
    return (
        _builder(name, name, key.public_key(), key.public_key(), _CA_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )


def _server_certificate(
    names: tuple[str, ...],
    key: ec.EllipticCurvePrivateKey,
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    addresses = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    alternatives = x509.SubjectAlternativeName([*map(x509.DNSName, names), *addresses])
    return (
        _builder(_name(names[0]), ca.subject, key.public_key(), ca_key.public_key(), _SERVER_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(alternatives, critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    issuer_key: ec.EllipticCurvePublicKey,
    lifetime: timedelta,
) -> x509.CertificateBuilder:
    start = datetime.now(UTC) - _BACKDATED
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANIZATION),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
