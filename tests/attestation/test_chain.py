"""The chain (rules 20 to 28, rows 40 to 59 of the bad documents)."""

from __future__ import annotations

from datetime import timedelta
from typing import cast

import pytest
from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from attestation.errors import Rejected, RejectionClass, RejectionCode
from attestation.modes import Archived
from tests.attestation import forge
from tests.attestation.judge import accept, reject

ROOT, REGIONAL, ZONAL, INSTANCE, LEAF = range(5)
HOUR = timedelta(hours=1)
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"\x05\x00")
NAMES = x509.NameConstraints([x509.DNSName("example.org")], None)
NOT_A_CA = x509.BasicConstraints(ca=False, path_length=None)
CERTIFICATES = forge.pki().certificates


def authority(path_length: int | None) -> x509.BasicConstraints:
    return x509.BasicConstraints(ca=True, path_length=path_length)


@pytest.mark.parametrize(
    ("position", "changes", "code"),
    [
        pytest.param(REGIONAL, {"constraints": NOT_A_CA}, RejectionCode.NOT_AN_AUTHORITY, id="not CA"),
        pytest.param(ROOT, {"constraints": NOT_A_CA}, RejectionCode.NOT_AN_AUTHORITY, id="root not CA"),
        pytest.param(ZONAL, {"constraints": None}, RejectionCode.NOT_AN_AUTHORITY, id="no constraints"),
        pytest.param(INSTANCE, {"constraints_critical": False}, RejectionCode.NOT_AN_AUTHORITY, id="not critical"),
        pytest.param(ZONAL, {"usage": ("crl_sign",)}, RejectionCode.AUTHORITY_KEY_USAGE, id="no keyCertSign"),
        pytest.param(REGIONAL, {"usage": None}, RejectionCode.AUTHORITY_KEY_USAGE, id="CA without usage"),
        pytest.param(LEAF, {"usage": None}, RejectionCode.LEAF_KEY_USAGE, id="leaf without usage"),
        pytest.param(LEAF, {"usage": ("content_commitment",)}, RejectionCode.LEAF_KEY_USAGE, id="leaf cannot sign"),
        pytest.param(REGIONAL, {"constraints": authority(1)}, RejectionCode.PATH_LENGTH, id="regional length"),
        pytest.param(ZONAL, {"constraints": authority(0)}, RejectionCode.PATH_LENGTH, id="zonal length"),
        pytest.param(ROOT, {"constraints": authority(2)}, RejectionCode.PATH_LENGTH, id="root length"),
        pytest.param(LEAF, {"constraints": authority(None)}, RejectionCode.LEAF_IS_AUTHORITY, id="leaf CA"),
        pytest.param(LEAF, {"constraints": authority(0)}, RejectionCode.LEAF_IS_AUTHORITY, id="leaf CA, 0"),
        pytest.param(LEAF, {"extensions": ((UNKNOWN, True),)}, RejectionCode.EXTENSION, id="leaf critical"),
        pytest.param(ZONAL, {"extensions": ((UNKNOWN, True),)}, RejectionCode.EXTENSION, id="CA critical"),
        pytest.param(ZONAL, {"extensions": ((NAMES, True),)}, RejectionCode.EXTENSION, id="name constraints"),
        pytest.param(ZONAL, {"extensions": ((NAMES, False),)}, RejectionCode.EXTENSION, id="same, uncritical"),
        pytest.param(INSTANCE, {"hash": SHA256()}, RejectionCode.CERTIFICATE_ALGORITHM, id="SHA-256"),
        pytest.param(ZONAL, {"curve": ec.SECP256R1()}, RejectionCode.CERTIFICATE_KEY, id="P-256 CA"),
        pytest.param(LEAF, {"curve": ec.SECP256R1()}, RejectionCode.CERTIFICATE_KEY, id="P-256 leaf"),
        pytest.param(ZONAL, {"issuer": "another"}, RejectionCode.ISSUER, id="issuer name"),
        pytest.param(
            ZONAL, {"foreign_issuer_key": True}, RejectionCode.CERTIFICATE_SIGNATURE, id="stranger's signature"
        ),
        pytest.param(LEAF, {"foreign_issuer_key": True}, RejectionCode.CERTIFICATE_SIGNATURE, id="leaf of another PKI"),
        pytest.param(LEAF, {"name": "i-0-enc0.us-east-1.aws"}, RejectionCode.COMMON_NAME, id="leaf's name"),
        pytest.param(LEAF, {"name": forge.MODULE_ID}, RejectionCode.COMMON_NAME, id="leaf's name, no dot"),
        pytest.param(INSTANCE, {"name": "i-0.us-east-1.aws"}, RejectionCode.COMMON_NAME, id="instance's name"),
        pytest.param(LEAF, {"not_after": forge.NOW - HOUR / 2}, RejectionCode.CERTIFICATE_EXPIRED, id="leaf expired"),
        pytest.param(ZONAL, {"not_after": forge.NOW - HOUR / 2}, RejectionCode.CERTIFICATE_EXPIRED, id="zonal expired"),
        pytest.param(
            LEAF, {"not_before": forge.NOW + HOUR}, RejectionCode.CERTIFICATE_NOT_YET_VALID, id="leaf too early"
        ),
        pytest.param(
            ROOT, {"not_before": forge.NOW + HOUR}, RejectionCode.CERTIFICATE_NOT_YET_VALID, id="root too early"
        ),
    ],
)
def test_refuses_a_certificate(position: int, changes: dict[str, object], code: RejectionCode) -> None:
    chain = forge.pki_with(position, **changes)
    reject(code, forge.document(chain), chain=chain)


@pytest.mark.parametrize("bits", ["03020081", "0303078080"], ids=["encipherOnly", "decipherOnly"])
def test_refuses_a_usage_that_narrows_no_key_agreement(bits: str) -> None:
    usage = x509.UnrecognizedExtension(x509.KeyUsage.oid, bytes.fromhex(bits))
    chain = forge.pki_with(LEAF, usage=None, extensions=((usage, False),))
    reject(RejectionCode.CERTIFICATE_ENCODING, forge.document(chain), chain=chain)


def bundle(*certificates: bytes) -> bytes:
    return forge.document(cabundle=list(certificates))


ATTACKER = forge.build(forge.specs(), owner="an attacker")


@pytest.mark.parametrize(
    ("document", "code"),
    [
        pytest.param(bundle(*CERTIFICATES[3::-1]), RejectionCode.TRUST_ANCHOR, id="reversed"),
        pytest.param(bundle(*CERTIFICATES[1:4]), RejectionCode.TRUST_ANCHOR, id="without root"),
        pytest.param(forge.document(ATTACKER), RejectionCode.TRUST_ANCHOR, id="attacker's root, same name"),
        pytest.param(
            forge.document(ATTACKER, cabundle=[*ATTACKER.certificates[:4], CERTIFICATES[0]]),
            RejectionCode.TRUST_ANCHOR,
            id="genuine root appended",
        ),
        pytest.param(bundle(*CERTIFICATES[:4], ATTACKER.certificates[1]), RejectionCode.ISSUER, id="extra"),
        pytest.param(
            bundle(*CERTIFICATES[:2], *CERTIFICATES[1:4]), RejectionCode.DUPLICATE_CERTIFICATE, id="duplicate"
        ),
        pytest.param(bundle(CERTIFICATES[0], *CERTIFICATES[:4]), RejectionCode.DUPLICATE_CERTIFICATE, id="root twice"),
        pytest.param(
            forge.document(certificate=CERTIFICATES[0]), RejectionCode.DUPLICATE_CERTIFICATE, id="root as leaf"
        ),
        pytest.param(
            bundle(*CERTIFICATES[:2], ATTACKER.certificates[2], CERTIFICATES[3]),
            RejectionCode.CERTIFICATE_SIGNATURE,
            id="attacker's zonal",
        ),
        pytest.param(bundle(*CERTIFICATES[:2], CERTIFICATES[3]), RejectionCode.ISSUER, id="zonal missing"),
        pytest.param(
            bundle(*CERTIFICATES[:3], CERTIFICATES[3] + b"\0"), RejectionCode.CERTIFICATE_ENCODING, id="trailing"
        ),
        pytest.param(bundle(CERTIFICATES[0], b"\x30\x00"), RejectionCode.CERTIFICATE_ENCODING, id="not X.509"),
        pytest.param(
            forge.document(cabundle=list(CERTIFICATES[:3]), certificate=CERTIFICATES[3]),
            RejectionCode.LEAF_IS_AUTHORITY,
            id="CA as leaf",
        ),
    ],
)
def test_refuses_a_bundle(document: bytes, code: RejectionCode) -> None:
    rejected = reject(code, document)
    assert rejected.code.rejection_class is RejectionClass.UNTRUSTED_CHAIN


def test_refuses_a_self_signed_leaf() -> None:
    chain = forge.build([forge.specs()[LEAF]])
    reject(RejectionCode.ISSUER, forge.document(chain, cabundle=list(CERTIFICATES[:4])))


def test_refuses_a_ber_length() -> None:
    leaf = CERTIFICATES[LEAF]
    assert leaf[:2] == b"\x30\x82"
    reject(RejectionCode.CERTIFICATE_ENCODING, forge.document(certificate=b"\x30\x83\x00" + leaf[2:]))


def test_refuses_unequal_algorithms() -> None:
    sha384, sha256 = bytes.fromhex("06082a8648ce3d040303"), bytes.fromhex("06082a8648ce3d040302")
    before, between, after = CERTIFICATES[LEAF].split(sha384)
    inner = sha384.join([before + sha256 + between, after])
    outer = sha256.join([before + sha384 + between, after])
    reject(RejectionCode.CERTIFICATE_ALGORITHM, forge.document(certificate=inner))
    reject(RejectionCode.CERTIFICATE_ALGORITHM, forge.document(certificate=outer))


def test_refuses_an_extension_twice() -> None:
    marker = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.99"), b"\x03\x02\x07\x80")
    chain = forge.pki_with(LEAF, extensions=((marker, False),))
    leaf = chain.certificates[LEAF].replace(bytes.fromhex("0603551d63"), bytes.fromhex("0603551d0f"))
    reject(RejectionCode.EXTENSION, forge.document(chain, certificate=leaf), chain=chain)


def reissued(field: str, value: object) -> bytes:
    """The leaf with another value in its TBSCertificate, signed by the instance's key like a genuine one."""
    certificate = asn1_x509.Certificate.load(CERTIFICATES[LEAF])
    certificate["tbs_certificate"][field] = value
    tbs = certificate["tbs_certificate"].dump()
    certificate["signature_value"] = forge.pki().keys[INSTANCE].sign(tbs, ec.ECDSA(SHA384()))
    return bytes(certificate.dump())


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_refuses_another_version(version: str) -> None:
    accept(forge.document(certificate=reissued("version", "v3")))
    reject(RejectionCode.CERTIFICATE_ENCODING, forge.document(certificate=reissued("version", version)))


@pytest.mark.parametrize("serial", [0, -1])
@pytest.mark.parametrize(
    "warnings", [pytest.param("", marks=pytest.mark.filterwarnings("ignore"), id="ignored"), "are errors"]
)
def test_refuses_a_serial_number_that_is_not_positive(serial: int, warnings: str) -> None:
    document = forge.document(certificate=reissued("serial_number", serial))
    reject(RejectionCode.CERTIFICATE_ENCODING, document)


def test_refuses_a_key_in_another_encoding() -> None:
    leaf_key = forge.pki().keys[LEAF].public_key()
    point = leaf_key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    algorithm = bytes.fromhex("301006072a8648ce3d020106052b81040022")
    spki = asn1_keys.PublicKeyInfo.load(b"\x30\x46" + algorithm + b"\x03\x32\x00" + point)
    document = forge.document(certificate=reissued("subject_public_key_info", spki))
    reject(RejectionCode.CERTIFICATE_KEY, document)


def test_accepts_harmless_extensions_and_a_leaf_without_constraints() -> None:
    usage = cast(x509.ExtensionType, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]))
    for changes in ({"extensions": ((UNKNOWN, False), (usage, False))}, {"constraints": None}):
        chain = forge.pki_with(LEAF, **changes)
        accept(forge.document(chain), chain=chain)


def test_valid_until_is_the_earliest_end() -> None:
    verified = accept(forge.document())
    assert verified.valid_until_ms == forge.NOW_MS + 2 * 3600 * 1000
    chain = forge.pki_with(ZONAL, not_after=forge.NOW + HOUR)
    assert accept(forge.document(chain), chain=chain).valid_until_ms == forge.NOW_MS + 3600 * 1000


def test_both_edges_of_the_window_are_inside() -> None:
    start, end = forge.NOW_MS - 3600 * 1000, forge.NOW_MS + 2 * 3600 * 1000
    accept(forge.document(timestamp=start), mode=Archived(start))
    accept(forge.document(timestamp=end), mode=Archived(end))
    reject(RejectionCode.CERTIFICATE_NOT_YET_VALID, forge.document(timestamp=start - 1))
    reject(RejectionCode.CERTIFICATE_EXPIRED, forge.document(timestamp=end + 1))


def test_refuses_a_timestamp_in_seconds() -> None:
    reject(RejectionCode.CERTIFICATE_NOT_YET_VALID, forge.document(timestamp=forge.NOW_MS // 1000))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 4), st.integers(0, 10_000), st.integers(1, 255))
def test_a_flipped_byte_anywhere_in_a_certificate_is_rejected(position: int, at: int, flip: int) -> None:
    ders = list(CERTIFICATES)
    changed = bytearray(ders[position])
    changed[at % len(changed)] ^= flip
    ders[position] = bytes(changed)
    with pytest.raises(Rejected):
        accept(forge.document(cabundle=ders[:4], certificate=ders[4]))
