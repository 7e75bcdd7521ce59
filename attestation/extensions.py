"""The extensions of a certificate: two are understood, and read from their own DER (RFC 5280 section 4.2).

The X.509 library would read them all, and warn of names inside those that nobody asks for.
"""

from __future__ import annotations

from dataclasses import dataclass

from attestation import der
from attestation.errors import Rejected, RejectionCode

# Object identifiers in DER: 2.5.29.19, 2.5.29.15, 2.5.29.30.
_BASIC_CONSTRAINTS, _KEY_USAGE, _NAME_CONSTRAINTS = (bytes.fromhex(f"0603551d{last}") for last in ("13", "0f", "1e"))
_TRUE = bytes.fromhex("0101ff")
_SMALL_INTEGER = bytes([der.INTEGER, 1])  # of one octet: no path is longer
_DIGITAL_SIGNATURE, _KEY_AGREEMENT, _KEY_CERT_SIGN, _ENCIPHER_ONLY = 0x80, 0x08, 0x04, 0x01  # bits 0, 4, 5, 7


@dataclass(frozen=True, slots=True)
class Extensions:
    """What a certificate may do; without the extension, ``authority`` and ``usage`` are None."""

    authority: bool | None = None
    authority_is_critical: bool = False
    path_length: int | None = None
    usage: int | None = None

    @classmethod
    def from_bytes(cls, data: bytes) -> Extensions:
        """Read the element [3] of a certificate, empty where there is none.

        Raises Rejected (extension) for one that occurs twice, that is critical and not understood, or that constrains
        names, and certificate-encoding for what is no DER.
        """
        found = _listed(data) if data else {}
        constraints, critical = found.get(_BASIC_CONSTRAINTS, (None, False))
        authority, path_length = (None, None) if constraints is None else _basic_constraints(constraints)
        usage, _ = found.get(_KEY_USAGE, (None, False))
        return cls(authority, critical, path_length, None if usage is None else _usage_bits(usage))

    @property
    def signs_data(self) -> bool:
        """KeyUsage is there and has digitalSignature."""
        return self.usage is not None and bool(self.usage & _DIGITAL_SIGNATURE)

    @property
    def signs_certificates(self) -> bool:
        """KeyUsage is there and has keyCertSign."""
        return self.usage is not None and bool(self.usage & _KEY_CERT_SIGN)


def _listed(data: bytes) -> dict[bytes, tuple[bytes, bool]]:
    """Each extension's value and whether it is critical, by object identifier."""
    found: dict[bytes, tuple[bytes, bool]] = {}
    for _, extension in der.elements(der.content(data)):
        parts = [element for _, element in der.elements(extension)]
        if len(parts) not in (2, 3) or (len(parts) == 3 and parts[1] != _TRUE) or parts[-1][0] != der.OCTET_STRING:
            raise der.malformed("extensions of an identifier, critical or not, and a value", "another")
        critical = len(parts) == 3
        _check(parts[0], critical, found)
        found[parts[0]] = (der.content(parts[-1]), critical)
    return found


def _check(identifier: bytes, critical: bool, found: dict[bytes, tuple[bytes, bool]]) -> None:
    if identifier in found:
        raise Rejected(RejectionCode.EXTENSION, "each extension once", "one again")
    if critical and identifier not in (_BASIC_CONSTRAINTS, _KEY_USAGE):
        raise Rejected(RejectionCode.EXTENSION, "no unknown critical extension", identifier.hex())
    if identifier == _NAME_CONSTRAINTS:
        raise Rejected(RejectionCode.EXTENSION, "no name constraints", "some")


def _basic_constraints(value: bytes) -> tuple[bool, int | None]:
    """CA and pathLenConstraint (section 4.2.1.9); a path length is for authorities only."""
    match [element for _, element in der.elements(value)]:
        case _ if value[0] != der.SEQUENCE:
            pass
        case []:
            return False, None
        case [true] if true == _TRUE:
            return True, None
        case [true, length] if true == _TRUE and length[:2] == _SMALL_INTEGER and length[2] < 0x80:
            return True, length[2]
    raise der.malformed("BasicConstraints of an authority or of none", "another")


def _usage_bits(value: bytes) -> int:
    """The first octet of KeyUsage (section 4.2.1.3): a bit string behind the number of its unused bits.

    Named bits end with the last one that is set (X.690 section 11.2.2). Bits 7 and 8 narrow a key agreement, and mean
    nothing without one.
    """
    bits = der.content(value)
    if value[0] != der.BIT_STRING or not 2 <= len(bits) <= 3 or bits[-1] & -bits[-1] != 1 << bits[0]:
        raise der.malformed("KeyUsage as a bit string", "another")
    narrowed = len(bits) == 3 or bits[1] & _ENCIPHER_ONLY
    if narrowed and not bits[1] & _KEY_AGREEMENT:
        raise der.malformed("encipherOnly or decipherOnly beside keyAgreement", "one without it")
    return bits[1]
