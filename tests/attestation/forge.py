"""A small forge: a PKI shaped like AWS Nitro's, and documents signed under it, sound unless told otherwise."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from attestation.anchors import SimulatedTrustAnchor

INSTANCE_ID = "i-0123456789abcdef0"
MODULE_ID = f"{INSTANCE_ID}-enc0123456789abcdef"
TPM_MODULE_ID = f"{INSTANCE_ID}-tpm0123456789abcdef"
NOW_MS = 1_760_000_000_000
NONCE = bytes(range(32))
NOW = datetime.fromtimestamp(NOW_MS / 1000, UTC)
ES384 = bytes.fromhex("a1013822")
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973


def pcr(index: int) -> bytes:
    """A measured value for one PCR."""
    return hashlib.sha384(bytes([index])).digest()


PCRS = {index: pcr(index) if index < 5 else bytes(48) for index in range(16)} | {16: pcr(16), 17: pcr(17)}

KeyUsage = Sequence[str]
ROOT_USAGE = ("digital_signature", "key_cert_sign", "crl_sign")
_USAGES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


@dataclass(frozen=True)
class Spec:
    """What one certificate says; the defaults are those of a genuine one at its place."""

    name: str
    not_before: datetime
    not_after: datetime
    usage: KeyUsage | None = ROOT_USAGE
    constraints: x509.ExtensionType | None = None
    constraints_critical: bool = True
    extensions: tuple[tuple[x509.ExtensionType, bool], ...] = ()
    issuer: str | None = None
    hash: HashAlgorithm | None = None
    curve: ec.EllipticCurve | None = None
    foreign_issuer_key: bool = False


def _basic(path_length: int | None) -> x509.BasicConstraints:
    return x509.BasicConstraints(ca=True, path_length=path_length)


def specs(module_id: str = MODULE_ID) -> list[Spec]:
    """Root, regional, zonal, instance, leaf, with the windows of genuine ones."""
    year, day, hour = timedelta(days=365), timedelta(days=1), timedelta(hours=1)
    return [
        Spec("root", NOW - 5 * year, NOW + 20 * year, constraints=_basic(None)),
        Spec("regional", NOW - 5 * day, NOW + 15 * day, constraints=_basic(2)),
        Spec("zonal", NOW - 2 * day, NOW + 4 * day, constraints=_basic(1)),
        Spec(
            f"{INSTANCE_ID}.us-east-1.aws.nitro-enclaves",
            NOW - 8 * hour,
            NOW + 16 * hour,
            usage=("key_cert_sign",),
            constraints=_basic(0),
        ),
        Spec(
            f"{module_id}.us-east-1.aws",
            NOW - hour,
            NOW + 2 * hour,
            usage=("digital_signature", "content_commitment"),
            constraints=x509.BasicConstraints(ca=False, path_length=None),
        ),
    ]


@dataclass(frozen=True)
class PKI:
    """Certificates from root to leaf in DER, and their keys."""

    certificates: tuple[bytes, ...]
    keys: tuple[ec.EllipticCurvePrivateKey, ...]

    @property
    def anchor(self) -> SimulatedTrustAnchor:
        """The root, as an anchor."""
        return SimulatedTrustAnchor(self.certificates[0])


def name(common_name: str) -> x509.Name:
    """A distinguished name of one common name."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


@cache
def key(label: str, curve: str = "secp384r1") -> ec.EllipticCurvePrivateKey:
    """One key per label, for as long as the tests run."""
    return ec.generate_private_key({"secp384r1": ec.SECP384R1(), "secp256r1": ec.SECP256R1()}[curve])


def _certificate(
    spec: Spec,
    issuer_name: str,
    own_key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
) -> bytes:
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(spec.name))
        .issuer_name(name(spec.issuer or issuer_name))
        .public_key(own_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(spec.not_before)
        .not_valid_after(spec.not_after)
    )
    if spec.constraints is not None:
        builder = builder.add_extension(spec.constraints, spec.constraints_critical)
    if spec.usage is not None:
        usage = x509.KeyUsage(**{each: each in spec.usage for each in _USAGES})
        builder = builder.add_extension(usage, critical="key_cert_sign" in spec.usage)
    for extension, critical in spec.extensions:
        builder = builder.add_extension(extension, critical)
    signer = key("a stranger's") if spec.foreign_issuer_key else issuer_key
    return builder.sign(signer, spec.hash or SHA384()).public_bytes(Encoding.DER)  # type: ignore[arg-type]  # any hash


def build(listed: Sequence[Spec], owner: str = "the forge") -> PKI:
    """Issue certificates along ``listed`` with ``owner``'s keys; the first is self-signed."""
    certificates: list[bytes] = []
    keys: list[ec.EllipticCurvePrivateKey] = []
    for position, spec in enumerate(listed):
        own = key(f"{owner}, certificate {position}", spec.curve.name if spec.curve else "secp384r1")
        issuer_name, issuer_key = (listed[position - 1].name, keys[-1]) if keys else (spec.name, own)
        certificates.append(_certificate(spec, issuer_name, own, issuer_key))
        keys.append(own)
    return PKI(tuple(certificates), tuple(keys))


def with_leaf(chain: PKI, spec: Spec) -> PKI:
    """The same authorities with another leaf below them, and that leaf's own key."""
    own = key(f"leaf {spec.name}")
    issuer = x509.load_der_x509_certificate(chain.certificates[-2]).subject
    [issuer_name] = [str(each.value) for each in issuer.get_attributes_for_oid(NameOID.COMMON_NAME)]
    leaf = _certificate(spec, issuer_name, own, chain.keys[-2])
    return PKI((*chain.certificates[:-1], leaf), (*chain.keys[:-1], own))


@cache
def pki(module_id: str = MODULE_ID) -> PKI:
    """The sound PKI, built once."""
    return build(specs(module_id))


def pki_with(position: int, **changes: object) -> PKI:
    """A PKI in which the certificate at ``position`` (root 0, leaf 4) is changed."""
    listed = specs()
    listed[position] = replace(listed[position], **changes)  # type: ignore[arg-type]  # names are Spec's own
    return build(listed)


def fields(chain: PKI | None = None, /, **changes: object) -> dict[str, object]:
    """A sound payload with ``changes``; the value ``...`` leaves a field out."""
    chain = chain or pki()
    sound: dict[str, object] = {
        "module_id": MODULE_ID,
        "digest": "SHA384",
        "timestamp": NOW_MS,
        "pcrs": PCRS,
        "certificate": chain.certificates[-1],
        "cabundle": list(chain.certificates[:-1]),
        "public_key": None,
        "user_data": None,
        "nonce": NONCE,
    }
    return {label: value for label, value in (sound | changes).items() if value is not ...}


def indefinite(payload: dict[str, object]) -> bytes:
    """The payload as genuine ones have been since mid-2025: an indefinite map."""
    pairs = b"".join(cbor2.dumps(label) + cbor2.dumps(value) for label, value in payload.items())
    return b"\xbf" + pairs + b"\xff"


def sign(
    payload: bytes,
    signer: ec.EllipticCurvePrivateKey | None = None,
    protected: bytes = ES384,
    structure: Callable[[bytes, bytes], list[object]] = lambda p, b: ["Signature1", p, b"", b],
    hash: HashAlgorithm | None = None,
) -> bytes:
    """96 bytes of r‖s over a Sig_structure made here, independently of the verifier's."""
    signer = signer or pki().keys[-1]
    der = signer.sign(cbor2.dumps(structure(protected, payload)), ec.ECDSA(hash or SHA384()))
    return raw(*decode_dss_signature(der))


def raw(r: int, s: int) -> bytes:
    """Two numbers as 96 bytes."""
    return r.to_bytes(48, "big") + s.to_bytes(48, "big")


def envelope(payload: bytes, signature: bytes | None = None, protected: bytes = ES384) -> bytes:
    """An untagged COSE_Sign1 array around ``payload``."""
    signature = sign(payload, protected=protected) if signature is None else signature
    return cbor2.dumps([protected, {}, payload, signature])


def document(chain: PKI | None = None, /, **changes: object) -> bytes:
    """A signed document, sound but for ``changes`` of its fields."""
    chain = chain or pki()
    payload = cbor2.dumps(fields(chain, **changes))
    return envelope(payload, sign(payload, chain.keys[-1]))
