"""DER, written by hand so that it can be written wrongly: just what a certificate needs (X.690)."""

from __future__ import annotations

from datetime import datetime

SEQUENCE, SET, BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, OID = 0x30, 0x31, 0x01, 0x02, 0x03, 0x04, 0x06
UTF8_STRING, PRINTABLE_STRING, TELETEX_STRING, UTC_TIME, GENERALIZED_TIME = 0x0C, 0x13, 0x14, 0x17, 0x18

_FIRST_YEAR_OF_GENERALIZED_TIME = 2050  # RFC 5280 section 4.1.2.5


def element(tag: int, *contents: bytes) -> bytes:
    """Tag, length in its shortest form, contents."""
    content = b"".join(contents)
    return bytes([tag]) + _length(len(content)) + content


def sequence(*contents: bytes) -> bytes:
    """SEQUENCE of elements."""
    return element(SEQUENCE, *contents)


def explicit(number: int, *contents: bytes) -> bytes:
    """[number] EXPLICIT."""
    return element(0xA0 | number, *contents)


def integer(value: int) -> bytes:
    """INTEGER, two's complement, as short as it can be."""
    return element(INTEGER, value.to_bytes((value if value >= 0 else ~value).bit_length() // 8 + 1, "big", signed=True))


def oid(dotted: str) -> bytes:
    """OBJECT IDENTIFIER."""
    first, second, *rest = map(int, dotted.split("."))
    return element(OID, *(_base128(number) for number in (40 * first + second, *rest)))


def bit_string(data: bytes, unused: int = 0) -> bytes:
    """BIT STRING; the last ``unused`` bits of ``data`` do not count."""
    return element(BIT_STRING, bytes([unused]), data)


def named_bits(bits: list[int]) -> bytes:
    """BIT STRING of named bits, trailing zeros left out (X.690 section 11.2.2)."""
    length = max(bits) + 1
    octets = -(-length // 8)
    value = sum(1 << (8 * octets - 1 - bit) for bit in bits)
    return bit_string(value.to_bytes(octets, "big"), 8 * octets - length)


def time(at: datetime) -> bytes:
    """UTCTime up to 2049, GeneralizedTime after that."""
    if at.year < _FIRST_YEAR_OF_GENERALIZED_TIME:
        return element(UTC_TIME, at.strftime("%y%m%d%H%M%SZ").encode())
    return generalized_time(at)


def generalized_time(at: datetime) -> bytes:
    """GeneralizedTime."""
    return element(GENERALIZED_TIME, at.strftime("%Y%m%d%H%M%SZ").encode())


def content(data: bytes) -> bytes:
    """What the element that ``data`` is holds."""
    first = data[1]
    return data[2 if first < 0x80 else 2 + (first & 0x7F) :]


def _length(length: int) -> bytes:
    if length < 0x80:
        return bytes([length])
    octets = length.to_bytes(-(-length.bit_length() // 8), "big")
    return bytes([0x80 | len(octets)]) + octets


def _base128(number: int) -> bytes:
    octets = [number & 0x7F]
    while number := number >> 7:
        octets.append(0x80 | number & 0x7F)
    return bytes(reversed(octets))
