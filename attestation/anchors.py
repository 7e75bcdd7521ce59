"""Trust anchors: where belief begins. The genuine one is pinned by the fingerprint that AWS publishes.

Whether an anchor is simulated follows from its fingerprint alone; nobody can assert it. The simulator's anchor is
another type, so that a slip between the two is a type error as well.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from importlib import resources
from typing import final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from attestation.errors import PolicyError

# AWS Nitro Enclaves Root-G1, https://docs.aws.amazon.com/enclaves/latest/user/verify-root.html
AWS_NITRO_ROOT_G1_SHA256 = "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b"


@dataclass(frozen=True)
class _Anchor:
    der: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        """SHA-256 of the DER, lower-case hex."""
        return hashlib.sha256(self.der).hexdigest()

    @property
    def simulated(self) -> bool:
        """False only for the pinned AWS root, whichever type carries it."""
        return self.sha256 != AWS_NITRO_ROOT_G1_SHA256


@final
@dataclass(frozen=True)
class TrustAnchor(_Anchor):
    """A root certificate in DER that chains must begin with, byte for byte."""


@final
@dataclass(frozen=True)
class SimulatedTrustAnchor(_Anchor):
    """The root of a software NSM. Proves nothing about hardware; the verifier wants an explicit allowance."""

    @classmethod
    def from_pem(cls, pem: bytes) -> SimulatedTrustAnchor:
        """Read exactly one PEM certificate. Raises PolicyError."""
        return cls(_der_from_pem(pem))


def _der_from_pem(pem: bytes) -> bytes:
    try:
        [certificate] = x509.load_pem_x509_certificates(pem)
        return certificate.public_bytes(Encoding.DER)
    except (ValueError, x509.InvalidVersion):
        raise PolicyError("expected a trust anchor of one PEM certificate, got something else") from None


def _aws_nitro_root_g1() -> TrustAnchor:
    pem = resources.files("attestation").joinpath("aws-nitro-root-g1.pem").read_bytes()
    anchor = TrustAnchor(_der_from_pem(pem))
    if anchor.simulated:
        raise PolicyError(f"expected root {AWS_NITRO_ROOT_G1_SHA256}, got {anchor.sha256}: reinstall")
    return anchor


AWS_NITRO_ROOT_G1 = _aws_nitro_root_g1()
