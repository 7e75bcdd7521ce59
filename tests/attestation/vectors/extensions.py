"""The extensions that genuine certificates carry, and a few that they do not (RFC 5280 section 4.2)."""

from __future__ import annotations

from dataclasses import dataclass

from tests.attestation.vectors import der
from tests.attestation.vectors.keys import Key, derived

DIGITAL_SIGNATURE, NON_REPUDIATION, KEY_ENCIPHERMENT, KEY_CERT_SIGN, CRL_SIGN = 0, 1, 2, 5, 6

BASIC_CONSTRAINTS, KEY_USAGE, REVOCATION_LIST = "2.5.29.19", "2.5.29.15", "2.5.29.31"
_SUBJECT_KEY, _AUTHORITY_KEY, _NAME_CONSTRAINTS = "2.5.29.14", "2.5.29.35", "2.5.29.30"
_UNHEARD_OF = "2.25.4711"


@dataclass(frozen=True)
class Extension:
    """One extension; ``value`` is the DER inside the octet string."""

    oid: str
    value: bytes
    critical: bool = False

    def to_bytes(self, true: bytes = b"\xff", false: bytes = b"") -> bytes:
        """DER, as long as TRUE is written 0xff, and FALSE, the default, not at all."""
        flag = true if self.critical else false
        critical = der.element(der.BOOLEAN, flag) if flag else b""
        return der.sequence(der.oid(self.oid), critical, der.element(der.OCTET_STRING, self.value))


def authority(path_length: int | None, *, critical: bool = True) -> Extension:
    """BasicConstraints of a CA."""
    limit = b"" if path_length is None else der.integer(path_length)
    return Extension(BASIC_CONSTRAINTS, der.sequence(der.element(der.BOOLEAN, b"\xff"), limit), critical)


def no_authority(path_length: int | None = None) -> Extension:
    """BasicConstraints of a leaf."""
    limit = b"" if path_length is None else der.integer(path_length)
    return Extension(BASIC_CONSTRAINTS, der.sequence(limit), critical=True)


def key_usage(*bits: int, critical: bool = True) -> Extension:
    """KeyUsage with these bits set."""
    return Extension(KEY_USAGE, der.named_bits(list(bits)), critical)


def subject_key(key: Key) -> Extension:
    """SubjectKeyIdentifier."""
    return Extension(_SUBJECT_KEY, der.element(der.OCTET_STRING, key.identifier()))


def authority_key(issuer: Key) -> Extension:
    """AuthorityKeyIdentifier."""
    return Extension(_AUTHORITY_KEY, der.sequence(der.element(0x80, issuer.identifier())))


def revocation_list(place: str) -> Extension:
    """CRLDistributionPoints with an address that leads nowhere (RFC 2606)."""
    address = der.element(0x86, f"http://crl.vectors.invalid/{place}/never-fetched.crl".encode())
    return Extension(REVOCATION_LIST, der.sequence(der.sequence(der.explicit(0, der.explicit(0, address)))))


def name_constraints() -> Extension:
    """NameConstraints that permit one domain name."""
    permitted = der.explicit(0, der.sequence(der.element(0x82, b"vectors.invalid")))
    return Extension(_NAME_CONSTRAINTS, der.sequence(permitted))


def unheard_of(*, critical: bool, length: int = 16) -> Extension:
    """An extension that nobody knows, ``length`` bytes long."""
    return Extension(_UNHEARD_OF, der.element(der.OCTET_STRING, derived("an extension", length)), critical)
