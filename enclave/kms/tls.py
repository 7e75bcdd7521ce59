"""TLS towards KMS: the one context that is used, and the proof of what it offers (review R6).

What KMS releases travels as RSA-2048 CMS past the host, so TLS alone can keep it from whoever records today and has a
quantum computer later. Where Python's OpenSSL knows the hybrid group X25519MLKEM768 (3.5 and later), nothing else is
offered, unless the measured configuration says `classical`. Python has no call for it: hybrid.cnf does it. So that no
version and no file is believed, the context makes a ClientHello in memory, and the state is read from that.
"""

import ssl
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from enclave.errors import BootRefused
from enclave.kms.client_hello import Offer
from strongroom.protocol.kms_leg import KMSLeg

AMAZON_ROOTS: Final = Path(__file__).with_name("amazon-trust-roots.pem")
X25519MLKEM768: Final = 0x11EC
"""IANA's TLS supported group 4588 (draft-ietf-tls-ecdhe-mlkem)."""
OPENSSL_IS_HYBRID: Final = ssl.OPENSSL_VERSION_INFO >= (3, 5)
_CLASSICAL_GROUP: Final = "prime256v1"  # every endpoint of KMS takes it, the FIPS ones included
_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"  # of TLS 1.2; those of 1.3 are all of this kind


@dataclass(frozen=True)
class KMSTLS:
    """The context of every connection to KMS, and what it was seen to offer."""

    context: ssl.SSLContext
    leg: KMSLeg

    @classmethod
    def open(cls, ca_pem: str = "", *, classical: bool) -> Self:
        """The context for the PEM roots `ca_pem`, or Amazon's when empty.

        Raises BootRefused for roots that cannot be read, and where OpenSSL knows the hybrid group, `classical` is not
        set, and the context offers anything else.
        """
        context = _context(ca_pem or AMAZON_ROOTS.read_text(), classical=classical)
        return cls(context, judge(offer_of(context), may_be_classical=classical or not OPENSSL_IS_HYBRID))


def offer_of(context: ssl.SSLContext) -> Offer:
    """What a connection of this context offers; raise BootRefused when its ClientHello cannot be read."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with suppress(ssl.SSLError):  # it has said its ClientHello and waits for a server, or had nothing to say
        context.wrap_bio(incoming, outgoing, server_hostname="kms.invalid").do_handshake()
    try:
        return Offer.from_record(outgoing.read())
    except ValueError as error:
        raise BootRefused("kms-leg", f"TLS to KMS: {error}") from None


def judge(offer: Offer, *, may_be_classical: bool) -> KMSLeg:
    """HYBRID when X25519MLKEM768 is all that is offered, else CLASSICAL; raise BootRefused when that is not allowed."""
    if set(offer.groups) == set(offer.key_shares) == {X25519MLKEM768}:
        return KMSLeg.HYBRID
    if not may_be_classical:
        offered = ", ".join(f"{group:#06x}" for group in offer.groups) or "none"
        raise BootRefused("kms-leg", f"TLS to KMS: expected X25519MLKEM768 (0x11ec) alone to be offered, got {offered}")
    return KMSLeg.CLASSICAL


def _context(roots_pem: str, *, classical: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # it checks certificate and host name
    may_be_older = classical or not OPENSSL_IS_HYBRID
    context.minimum_version = ssl.TLSVersion.TLSv1_2 if may_be_older else ssl.TLSVersion.TLSv1_3
    context.set_ciphers(_CIPHERS)
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.hostname_checks_common_name = False
    if classical:
        context.set_ecdh_curve(_CLASSICAL_GROUP)
    try:
        context.load_verify_locations(cadata=roots_pem)
    except (ssl.SSLError, TypeError, ValueError):
        raise BootRefused("kms-roots", "TLS to KMS: expected roots in PEM, got something else") from None
    return context
