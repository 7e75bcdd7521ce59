"""EIFs to order: sound by default, and wrong in one place where a test says so. Written to the format's description."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from hashlib import sha384

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

KERNEL, CMDLINE, RAMDISK, SIGNATURE, METADATA = range(1, 6)

ISSUER = x509.Name(
    [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
        x509.NameAttribute(NameOID.COMMON_NAME, 'sign "er"\\\n'),
        x509.NameAttribute(x509.ObjectIdentifier("1.2.3.4"), "other"),
    ]
)
IDENTITY: dict[str, object] = {
    "ImageName": "strongroom",
    "ImageVersion": "1.4.0",
    "BuildMetadata": {
        "BuildTime": "2026-01-01T00:00:00+00:00",
        "BuildTool": "nitro-cli",
        "BuildToolVersion": "1.5.0",
        "OperatingSystem": "Linux",
        "KernelVersion": "4.14.256",
    },
    "DockerInfo": {"Id": "sha256:00", "Architecture": "amd64"},
    "CustomMetadata": {"team": "vault", "answer": 42},
}


@dataclass(frozen=True)
class Section:
    """One section; `claimed` is the size that its own header says."""

    type: int
    data: bytes
    flags: int = 0
    claimed: int | None = None

    def to_bytes(self) -> bytes:
        size = len(self.data) if self.claimed is None else self.claimed
        return struct.pack(">HHQ", self.type, self.flags, size) + self.data


def metadata(value: object = IDENTITY) -> Section:
    return Section(METADATA, json.dumps(value).encode())


SECTIONS = (
    Section(KERNEL, b"kernel"),
    Section(CMDLINE, b"console=ttyS0"),
    metadata(),
    Section(RAMDISK, b"ramdisk 0"),
    Section(RAMDISK, b"ramdisk 1"),
)
BEFORE_METADATA = tuple(section for section in SECTIONS if section.type != METADATA)


@dataclass(frozen=True)
class Image:
    """A whole file. What is None follows from the sections."""

    sections: Sequence[Section] = SECTIONS
    magic: bytes = b".eif"
    version: int = 4
    flags: int = 0
    reserved: int = 0
    unused: int = 0
    count: int | None = None
    offsets: Sequence[int] | None = None
    sizes: Sequence[int] | None = None
    crc32: int | None = None
    tail: bytes = b""

    def table(self) -> tuple[list[int], list[int]]:
        """Offsets and sizes as they should be, 32 of each."""
        offsets, at = [], 548
        for section in self.sections:
            offsets.append(at)
            at += 12 + len(section.data)
        padding = [0] * (32 - len(offsets))
        return offsets + padding, [len(section.data) for section in self.sections] + padding

    def to_bytes(self) -> bytes:
        offsets, sizes = self.table()
        count = len(self.sections) if self.count is None else self.count
        head = struct.pack(">4sHHQQHH", self.magic, self.version, self.flags, 1 << 30, 2, self.reserved, count)
        head += struct.pack(">64Q", *(self.offsets or offsets), *(self.sizes or sizes))
        head += struct.pack(">I", self.unused)
        body = b"".join(section.to_bytes() for section in self.sections)
        crc32 = zlib.crc32(head + body) if self.crc32 is None else self.crc32
        return head + struct.pack(">I", crc32) + body + self.tail

    def with_sections(self, *sections: Section) -> Image:
        return replace(self, sections=(*self.sections, *sections))


def pcr(*data: bytes) -> bytes:
    """The register of these section data."""
    return sha384(bytes(48) + sha384(b"".join(data)).digest()).digest()


PCR0 = pcr(b"kernel", b"console=ttyS0", b"ramdisk 0", b"ramdisk 1")

ALGORITHMS: dict[str, tuple[int, ec.EllipticCurve, hashes.HashAlgorithm, int]] = {
    "ES256": (-7, ec.SECP256R1(), hashes.SHA256(), 32),
    "ES384": (-35, ec.SECP384R1(), hashes.SHA384(), 48),
    "ES512": (-36, ec.SECP521R1(), hashes.SHA512(), 66),
}


@cache
def key(name: str) -> ec.EllipticCurvePrivateKey:
    """The same in every run, as are the signatures it makes: a hostile file that was found can be made again."""
    return ec.derive_private_key(0x5EED, ALGORITHMS[name][1])


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def certificate(private_key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, issuer: x509.Name = ISSUER) -> bytes:
    """PEM of a self-signed one."""
    builder = (
        x509.CertificateBuilder(issuer, issuer, private_key.public_key(), 7)
        .not_valid_before(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
        .not_valid_after(datetime(2056, 11, 12, 13, 14, 15, tzinfo=UTC))
    )
    repeatable = True if isinstance(private_key, ec.EllipticCurvePrivateKey) else None
    signed = builder.sign(private_key, hashes.SHA384(), ecdsa_deterministic=repeatable)
    return signed.public_bytes(Encoding.PEM)


def payload(register: bytes = PCR0, index: int = 0) -> bytes:
    return cbor2.dumps({"register_index": index, "register_value": list(register)})


def envelope(name: str = "ES384", signed: bytes | None = None, signer: str | None = None) -> bytes:
    """A COSE_Sign1 with the algorithm's name in it, by the key of `signer`."""
    number, _, algorithm, width = ALGORITHMS[name]
    protected, data = cbor2.dumps({1: number}), payload() if signed is None else signed
    message = cbor2.dumps(["Signature1", protected, b"", data])
    r, s = decode_dss_signature(key(signer or name).sign(message, ec.ECDSA(algorithm, deterministic_signing=True)))
    if signer is not None:
        width = ALGORITHMS[name][3]
        r, s = r % (1 << 8 * width), s % (1 << 8 * width)
    return cbor2.dumps([protected, {}, data, r.to_bytes(width, "big") + s.to_bytes(width, "big")])


def signature_data(cose: bytes, pem: bytes) -> bytes:
    return cbor2.dumps([{"signing_certificate": list(pem), "signature": list(cose)}])


def signature(name: str = "ES384", cose: bytes | None = None, pem: bytes | None = None) -> Section:
    """A section that holds, unless told otherwise."""
    return Section(SIGNATURE, signature_data(cose or envelope(name), pem or certificate(key(name))))
