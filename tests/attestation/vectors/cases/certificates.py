"""Rule 22: one certificate of the chain in the wrong encoding, algorithm or hands."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from tests.attestation.vectors import der
from tests.attestation.vectors.case import Case, accepted, under
from tests.attestation.vectors.certificates import ECDSA_SHA256, key_info
from tests.attestation.vectors.chains import (
    INSTANCE,
    LEAF,
    MODULE_ID,
    REGIONAL,
    SOUND,
    STRANGERS,
    ZONAL,
    Chain,
    instead,
    leaf_name,
    relinked,
    with_changed,
    with_short_number,
)
from tests.attestation.vectors.documents import document
from tests.attestation.vectors.extensions import BASIC_CONSTRAINTS, Extension, authority, no_authority
from tests.attestation.vectors.keys import Key


def cases() -> Iterator[Case]:
    """All of this module's."""
    yield from _encodings()
    yield from _contents()
    yield from _algorithms()
    yield from _keys()
    yield from _signatures()
    yield from _serial_numbers()
    yield from _names()
    yield from _details()


def _encodings() -> Iterator[Case]:
    code = "certificate-encoding"
    trailing = with_changed(LEAF, twist=lambda whole: whole + b"\0")
    yield under(code, "leaf-trailing-byte", "a zero after the leaf", trailing, 59)
    longer = with_changed(LEAF, twist=_with_long_length)
    yield under(code, "leaf-long-length", "the leaf's outer length in three bytes", longer, 59)
    indefinite = with_changed(LEAF, twist=_of_indefinite_length)
    yield under(code, "leaf-indefinite-length", "the leaf in BER of indefinite length", indefinite, 59)
    lax = with_changed(ZONAL, encoded_extensions=_with_lax_true)
    yield under(code, "zonal-true-is-1", "a critical flag of 0x01 instead of 0xff", lax, 59)


def _with_long_length(whole: bytes) -> bytes:
    content = der.content(whole)
    return bytes([der.SEQUENCE, 0x83]) + len(content).to_bytes(3, "big") + content


def _of_indefinite_length(whole: bytes) -> bytes:
    return bytes([der.SEQUENCE, 0x80]) + der.content(whole) + b"\0\0"


def _with_lax_true(extensions: tuple[Extension, ...]) -> bytes:
    return der.sequence(*(extension.to_bytes(true=b"\x01") for extension in extensions))


def _contents() -> Iterator[Case]:
    code = "certificate-encoding"
    yield under(code, "leaf-v1", "a leaf of version 1 with extensions", with_changed(LEAF, version=b""))
    yield under(code, "leaf-serial-negative", "a negative serial number", with_changed(LEAF, serial=-4711))
    limited = instead(LEAF, BASIC_CONSTRAINTS, no_authority(0))
    yield under(code, "leaf-path-length", "a path length, which only authorities may have", limited)
    garbage = with_changed(LEAF, twist=lambda _: b"no certificate")
    yield under(code, "leaf-no-der", "a leaf that is no DER at all", garbage)


def _algorithms() -> Iterator[Case]:
    code = "certificate-algorithm"
    sha256 = with_changed(ZONAL, inner=ECDSA_SHA256, outer=ECDSA_SHA256)
    yield under(code, "zonal-sha-256", "the zonal certificate signed with SHA-256", sha256, 57)
    inner = with_changed(LEAF, inner=ECDSA_SHA256)
    yield under(code, "leaf-inner-sha-256", "SHA-256 named inside, SHA-384 outside and used", inner, 59)
    outer = with_changed(LEAF, outer=ECDSA_SHA256)
    yield under(code, "leaf-outer-sha-256", "SHA-384 named inside, SHA-256 outside and used", outer, 59)


def _keys() -> Iterator[Case]:
    code, other = "certificate-key", Key("ours on another curve", "secp256r1")
    yield under(code, "leaf-p-256", "the leaf's key on P-256", with_changed(LEAF, key=other), 57)
    instance = relinked(with_changed(INSTANCE, key=other))
    yield under(code, "instance-p-256", "the instance's key on P-256", instance, 57)
    x, y = (number.to_bytes(48, "big") for number in SOUND[LEAF].key.point())
    point = key_info(der.oid("1.3.132.0.34"), bytes([2 + y[-1] % 2]) + x)
    yield under(code, "leaf-compressed-point", "the leaf's point compressed", with_changed(LEAF, public_key=point))


def _signatures() -> Iterator[Case]:
    short = document(with_short_number(INSTANCE))
    yield accepted(22, "short-number", "a certificate's r or s of fewer than 48 bytes", short)
    code = "certificate-signature"
    forged = with_changed(REGIONAL, signer=Key("a stranger"))
    yield under(code, "regional-forged", "the regional certificate signed by a stranger", forged)
    theirs = with_changed(LEAF, signer=STRANGERS[INSTANCE].key)
    yield under(code, "leaf-of-another-pki", "a leaf that a stranger's instance issued", theirs, 46)
    end = SOUND[LEAF].not_after
    early, late = der.time(end), der.time(end + timedelta(hours=1))
    altered = with_changed(LEAF, twist=lambda whole: whole.replace(early, late))
    yield under(code, "leaf-altered", "the leaf's end moved by an hour after it was signed", altered)


def _serial_numbers() -> Iterator[Case]:
    largest = document(with_changed(LEAF, serial=(1 << 160) - 1))
    yield accepted(22, "serial-of-20-octets", "a serial number of 20 octets and the sign's, like some genuine", largest)
    larger = with_changed(LEAF, serial=1 << 160)
    yield under("certificate-encoding", "serial-of-21-octets", "a serial number of 21 octets", larger)


def _names() -> Iterator[Case]:
    code = "certificate-encoding"
    nameless = with_changed(ZONAL, subject=der.sequence())
    yield under(code, "zonal-without-name", "a zonal certificate, and so the instance's issuer, of no name", nameless)
    teletex = leaf_name(f"{MODULE_ID}.us-east-1.vectors", der.TELETEX_STRING)
    yield under(code, "leaf-name-teletex", "the leaf's name in TeletexString", with_changed(LEAF, subject=teletex))


def _details() -> Iterator[Case]:
    """DER that many a library reads late, or laxly."""
    code = "certificate-encoding"
    generalized = with_changed(LEAF, encoded_time=der.generalized_time)
    yield under(code, "leaf-times-generalized", "GeneralizedTime for the year 2025", generalized, 59)
    explicit = with_changed(LEAF, encoded_extensions=_with_false_written)
    yield under(code, "leaf-false-written", "an uncritical extension that says so, a default", explicit, 59)
    long = Extension(BASIC_CONSTRAINTS, bytes.fromhex("3081060101ff020101"), critical=True)
    yield under(code, "zonal-constraints-long-length", "a long length inside BasicConstraints", _constrained(long), 59)
    lax = Extension(BASIC_CONSTRAINTS, bytes.fromhex("3006010101020101"), critical=True)
    yield under(code, "zonal-authority-is-1", "CA 0x01 instead of 0xff in BasicConstraints", _constrained(lax), 59)
    yield under(code, "zonal-path-length-negative", "a path length of -1", _constrained(authority(-1)))


def _with_false_written(extensions: tuple[Extension, ...]) -> bytes:
    return der.sequence(*(extension.to_bytes(false=b"\0") for extension in extensions))


def _constrained(constraints: Extension) -> Chain:
    return instead(ZONAL, BASIC_CONSTRAINTS, constraints)
