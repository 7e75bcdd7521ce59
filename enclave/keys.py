"""The keys of one boot: they are made after the PCRs are locked, never leave, and die with the process."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from enclave.errors import BootRefused
from strongroom.protocol.keys import KeyConfiguration
from strongroom.protocol.requests import RequestOpener
from strongroom.protocol.suites import KEMKeyPair, Suite

_SEED_BYTES = 32
_X25519_BYTES = 32  # the last of a public key, in either suite
_RSA_BITS = 2048  # what KMS accepts as a recipient, and all that fits the NSM's 1,024 bytes with room


@dataclass(frozen=True)
class BootKeys:
    """One KEM key pair per suite for clients, one RSA key pair as the recipient of KMS's answers, one for receipts."""

    openers: Mapping[bytes, RequestOpener]
    recipient: rsa.RSAPrivateKey
    receipt: ec.EllipticCurvePrivateKey
    """P-256: signs receipts and checkpoints, nothing else."""

    @classmethod
    def generate(cls) -> Self:
        """New keys from the system's generator, which the NSM has seeded.

        A seed serves one suite only, and so does each component of a key (R18). Raises BootRefused for equal ones,
        which a generator that repeats itself gives.
        """
        openers = [RequestOpener(KEMKeyPair.from_seed(suite, secrets.token_bytes(_SEED_BYTES))) for suite in Suite]
        if len({opener.configuration.public_key[-_X25519_BYTES:] for opener in openers}) < len(openers):
            raise BootRefused("shared-key", "keys: expected an X25519 component of its own for each suite")
        return cls(
            openers={opener.configuration.key_id: opener for opener in openers},
            recipient=rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS),
            receipt=ec.generate_private_key(ec.SECP256R1()),
        )

    @property
    def configurations(self) -> tuple[KeyConfiguration, ...]:
        """The public keys for clients, by ascending suite."""
        return tuple(opener.configuration for opener in self.openers.values())

    def recipient_spki(self) -> bytes:
        """The recipient's public key as SubjectPublicKeyInfo, DER."""
        return self.recipient.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
