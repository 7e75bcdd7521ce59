"""Where the parts of a certificate lie in its DER (X.690 section 8.1, RFC 5280 section 4.1).

Names, keys and what is signed are compared and verified as the bytes that came, never as a library's re-encoding of
them. Lengths are minimal here too; whether the rest is strict DER is the X.509 library's judgement.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from attestation.errors import Rejected, RejectionCode

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, SEQUENCE = 0x01, 0x02, 0x03, 0x04, 0x30
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18

_VERSION, _EXTENSIONS = 0xA0, 0xA3  # [0] and [3], explicit
_OBJECT_IDENTIFIER = 0x06
_NO_UNUSED_BITS = b"\0"
_COMMON_NAME = bytes.fromhex("0603550403")  # 2.5.4.3
_TEXT = (0x0C, 0x13)  # UTF8String, PrintableString: RFC 5280 section 4.1.2.4


@dataclass(frozen=True, slots=True)
class CertificateParts:
    """Slices of one certificate, each a whole element with its header."""

    to_be_signed: bytes = field(repr=False)
    serial_number: bytes
    inner_algorithm: bytes
    issuer: bytes
    validity: bytes
    subject: bytes
    public_key: bytes = field(repr=False)
    extensions: bytes = field(repr=False)
    """The element [3], empty where there is none."""
    outer_algorithm: bytes

    @classmethod
    def from_bytes(cls, der: bytes) -> CertificateParts:
        """Step over the elements of one certificate. Raises Rejected (certificate-encoding)."""
        start, end = _element(der, 0, SEQUENCE)
        if end != len(der):
            raise malformed("no byte after the certificate", f"{len(der) - end}")
        at, signed_end = _element(der, start, SEQUENCE)
        if der[at : at + 1] == bytes([_VERSION]):
            _, at = _element(der, at)
        parts = []
        for tag in (INTEGER, SEQUENCE, SEQUENCE, SEQUENCE, SEQUENCE, SEQUENCE):
            _, after = _element(der, at, tag)
            parts.append(der[at:after])
            at = after
        serial_number, inner, issuer, validity, subject, public_key = parts
        signed, extensions, outer = der[start:signed_end], der[at:signed_end], der[signed_end:]
        if extensions and extensions[0] != _EXTENSIONS:  # unique identifiers: RFC 5280 section 4.1.2.8 forbids them
            raise malformed("extensions and no other option", "another")
        _, outer_end = _element(outer, 0, SEQUENCE)
        signature, _ = _element(outer, outer_end, BIT_STRING)
        if outer[signature : signature + 1] != _NO_UNUSED_BITS:
            raise malformed("a signature of whole octets", "another")
        return cls(signed, serial_number, inner, issuer, validity, subject, public_key, extensions, outer[:outer_end])


def common_names(name: bytes) -> tuple[str, ...]:
    """The common names in a distinguished name, in its order. Raises Rejected (certificate-encoding)."""
    found = []
    for _, relative in elements(name):
        for _, attribute in elements(relative):
            parts = list(elements(attribute))
            if len(parts) != 2 or parts[0][0] != _OBJECT_IDENTIFIER:
                raise malformed("attributes of a type and a value", "another")
            if parts[0][1] == _COMMON_NAME:
                found.append(_text(*parts[1]))
    return tuple(found)


def elements(element: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and whole bytes of each element inside a constructed one. Raises Rejected (certificate-encoding)."""
    whole = content(element)
    at = 0
    while at < len(whole):
        _, after = _element(whole, at)
        yield whole[at], whole[at:after]
        at = after


def content(element: bytes) -> bytes:
    """What is inside ``element``, which is all of these bytes. Raises Rejected (certificate-encoding)."""
    start, end = _element(element, 0)
    if end != len(element):
        raise malformed("one element", "bytes after it")
    return element[start:]


def malformed(expected: str, actual: str) -> Rejected:
    """The rejection of a certificate that is not what RFC 5280 says."""
    return Rejected(RejectionCode.CERTIFICATE_ENCODING, expected, actual)


def _text(tag: int, element: bytes) -> str:
    try:
        if tag in _TEXT:
            return content(element).decode("utf-8")
    except UnicodeDecodeError:
        pass
    raise malformed("names in UTF8String or PrintableString", "another")


def _element(der: bytes, at: int, tag: int | None = None) -> tuple[int, int]:
    """Where the content of the element at ``at`` begins and ends."""
    if len(der) < at + 2 or (tag is not None and der[at] != tag):
        raise malformed("another element", f"none at {at}")
    length, content = der[at + 1], at + 2
    if length >= 0x80:
        width = length - 0x80
        length, content = int.from_bytes(der[content : content + width], "big"), content + width
        if width not in (1, 2) or length < (0x80 if width == 1 else 0x100):  # 1,024 bytes need no more
            raise malformed("a definite minimal length", f"another at {at}")
    if content + length > len(der):
        raise malformed("an element within its bounds", f"a longer one at {at}")
    return content, content + length
