"""The certificate chain, walked once from the pinned root to the leaf (rules 20 to 28).

No path search, no reordering, no other source of certificates. Revocation is not consulted: AWS disables it for
this PKI (attestation_process.md section 3.2.4) and an offline verifier has nothing to consult; results say so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from attestation import certificates
from attestation.anchors import SimulatedTrustAnchor, TrustAnchor
from attestation.documents import AttestationDocument
from attestation.errors import Rejected, RejectionCode

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_MILLISECOND = timedelta(milliseconds=1)


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


def walk(document: AttestationDocument, anchor: TrustAnchor | SimulatedTrustAnchor) -> Chain:
    """Check the chain of ``document`` under ``anchor``, at no instant yet. Raises Rejected."""
    if document.cabundle[0] != anchor.der:
        raise Rejected(RejectionCode.TRUST_ANCHOR, f"root {anchor.sha256}", "another first certificate")
    ders = (*document.cabundle, document.certificate)
    if len(set(ders)) != len(ders):  # a self-issued root could follow itself
        raise Rejected(RejectionCode.DUPLICATE_CERTIFICATE, "each certificate once", "one of them again")
    authorities = [certificates.parse(der) for der in document.cabundle]
    leaf = certificates.parse(document.certificate)
    for index, authority in enumerate(authorities):
        certificates.check_authority(authority, authorities_below=len(authorities) - 1 - index)
    certificates.check_leaf(leaf)
    whole = (*authorities, leaf)
    for issuer, certificate in pairwise(whole):
        certificates.check_issued(certificate, issuer)
    certificates.check_common_name(leaf, f"{document.module_id}.")
    certificates.check_common_name(authorities[-1], f"{document.instance_id}.")
    return Chain(certificates.public_key(leaf), *_window_ms(whole))


def _window_ms(whole: tuple[x509.Certificate, ...]) -> tuple[int, int]:
    start = max(certificate.not_valid_before_utc for certificate in whole)
    end = min(certificate.not_valid_after_utc for certificate in whole)
    return (start - _EPOCH) // _MILLISECOND, (end - _EPOCH) // _MILLISECOND
