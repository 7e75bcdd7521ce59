"""The certificate chain, walked once from the pinned root to the leaf (rules 20 to 28).

No path search, no reordering, no other source of certificates. Revocation is not consulted: AWS disables it for
this PKI (attestation_process.md section 3.2.4) and an offline verifier has nothing to consult; results say so.

What was verified once can be remembered (``ChainCache``): the four signatures of a chain are four fifths of the work.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import lru_cache
from threading import Lock

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from attestation import certificates
from attestation.anchors import SimulatedTrustAnchor, TrustAnchor
from attestation.certificates import Certificate
from attestation.documents import AttestationDocument
from attestation.errors import PolicyError, Rejected, RejectionCode
from attestation.fields import MAX_CABUNDLE_ENTRIES

_AUTHORITY, _LEAF = b"\x00", b"\x01"


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain that holds in itself; whether it holds at an instant is ``check_instant``'s question."""

    leaf_key: EllipticCurvePublicKey
    valid_from_ms: int
    valid_until_ms: int

    def check_instant(self, at_ms: int, skew_ms: int = 0) -> None:
        """Every certificate is valid at ``at_ms``; ``skew_ms`` forgives a slow clock at not-before only.

        The leaf is not back-dated, so that a clock one second slow would refuse a fresh document. Raises Rejected.
        """
        if at_ms + skew_ms < self.valid_from_ms:
            raise Rejected(RejectionCode.CERTIFICATE_NOT_YET_VALID, f"an instant from {self.valid_from_ms}", f"{at_ms}")
        if at_ms > self.valid_until_ms:
            raise Rejected(RejectionCode.CERTIFICATE_EXPIRED, f"an instant until {self.valid_until_ms}", f"{at_ms}")


@dataclass(frozen=True, slots=True)
class _Link:
    """A certificate that hangs from the anchor, with the window and the room that all above it leave."""

    certificate: Certificate = field(repr=False)
    room: int
    """How many more authorities may follow (RFC 5280 section 6.1.4, max_path_length)."""
    valid_from_ms: int
    valid_until_ms: int

    def authority(self, der: bytes) -> _Link:
        """The next authority down, verified."""
        certificate = self._issued(der)
        limit = certificates.check_authority(certificate)
        if self.room < 1:
            raise Rejected(RejectionCode.PATH_LENGTH, "no further authority", "one more")
        return self._narrowed(certificate, self.room - 1 if limit is None else min(self.room - 1, limit))

    def leaf(self, der: bytes) -> _Link:
        """The end of the chain, verified."""
        certificate = self._issued(der)
        certificates.check_leaf(certificate)
        return self._narrowed(certificate, 0)

    def _issued(self, der: bytes) -> Certificate:
        certificate = Certificate.from_bytes(der)
        certificates.check_issued(certificate, self.certificate)
        return certificate

    def _narrowed(self, certificate: Certificate, room: int) -> _Link:
        start = max(self.valid_from_ms, certificate.valid_from_ms)
        return _Link(certificate, room, start, min(self.valid_until_ms, certificate.valid_until_ms))


class ChainCache:
    """Certificates that were verified under an anchor, so that the next document of the same chain costs one signature.

    A link's key is SHA-256 over its place and its whole DER, chained to the key of the link above, the anchor's at the
    top: equal keys mean equal bytes all the way up. Only what has passed every check enters; no instant is remembered,
    so validity is judged anew for each document. At most ``max_links``, the least recently used leave first.
    Threads may share one.
    """

    def __init__(self, max_links: int = 1024) -> None:
        if max_links < 1:
            raise PolicyError(f"expected max_links of at least 1, got {max_links}")
        self._links: OrderedDict[bytes, _Link] = OrderedDict()
        self._max_links = max_links
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._links)

    def _get(self, key: bytes) -> _Link | None:
        with self._lock:
            link = self._links.get(key)
            if link is not None:
                self._links.move_to_end(key)
            return link

    def _put(self, key: bytes, link: _Link) -> None:
        with self._lock:
            self._links[key] = link
            while len(self._links) > self._max_links:
                self._links.popitem(last=False)

    def step(self, link: _Link, key: bytes, place: bytes, der: bytes) -> tuple[_Link, bytes]:
        """The link below ``link`` and its key: remembered, or verified now. Raises Rejected."""
        below = hashlib.sha256(key + place + der).digest()
        known = self._get(below)
        if known is None:
            known = link.leaf(der) if place == _LEAF else link.authority(der)
            self._put(below, known)
        return known, below


def walk(
    document: AttestationDocument, anchor: TrustAnchor | SimulatedTrustAnchor, cache: ChainCache | None = None
) -> Chain:
    """Check the chain of ``document`` under ``anchor``, at no instant yet. Raises Rejected."""
    if document.cabundle[0] != anchor.der:
        raise Rejected(RejectionCode.TRUST_ANCHOR, f"root {anchor.sha256}", "another first certificate")
    ders = {*document.cabundle, document.certificate}
    if len(ders) != len(document.cabundle) + 1:  # a self-issued root could follow itself
        raise Rejected(RejectionCode.DUPLICATE_CERTIFICATE, "each certificate once", "one of them again")
    cache = ChainCache() if cache is None else cache
    issuer, key = _root(anchor.der), hashlib.sha256(anchor.der).digest()
    for der in document.cabundle[1:]:
        issuer, key = cache.step(issuer, key, _AUTHORITY, der)
    leaf, _ = cache.step(issuer, key, _LEAF, document.certificate)
    certificates.check_common_name(leaf.certificate, f"{document.module_id}.")
    certificates.check_common_name(issuer.certificate, f"{document.instance_id}.")
    return Chain(leaf.certificate.key, leaf.valid_from_ms, leaf.valid_until_ms)


@lru_cache(maxsize=8)
def _root(der: bytes) -> _Link:
    """The anchor itself: pinned, so its own signature says nothing. Read once per process."""
    certificate = Certificate.from_bytes(der)
    limit = certificates.check_authority(certificate)
    room = MAX_CABUNDLE_ENTRIES if limit is None else limit
    return _Link(certificate, room, certificate.valid_from_ms, certificate.valid_until_ms)
