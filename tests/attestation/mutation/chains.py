"""A chain that can be changed: certificates as trees, and the keys that sign them again.

Keys, serial numbers and signatures follow from labels alone, so that a case made twice has the same bytes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.attestation import forge
from tests.attestation.mutation import der_tree
from tests.attestation.mutation.der_tree import Node

ROOT, REGIONAL, ZONAL, INSTANCE, LEAF = range(5)
VERSION, SERIAL, ALGORITHM, ISSUER, VALIDITY, SUBJECT, SPKI, EXTENSIONS = range(8)

_DETERMINISTIC = ec.ECDSA(SHA384(), deterministic_signing=True)  # RFC 6979


@dataclass
class Chain:
    """Certificates from root to leaf and the private key of each."""

    certificates: list[Node]
    keys: list[ec.EllipticCurvePrivateKey]

    def issue(self, position: int) -> None:
        """Sign the certificate there again, by its issuer's key."""
        certificate = self.certificates[position]
        tbs = certificate.children[0].to_bytes()
        certificate.children[-1] = der_tree.bit_string(self.keys[max(0, position - 1)].sign(tbs, _DETERMINISTIC))

    def ders(self) -> list[bytes]:
        return [certificate.to_bytes() for certificate in self.certificates]

    def tbs(self, position: int) -> Node:
        """What is signed of the certificate there."""
        return self.certificates[position].children[0]


def sound(module_id: str = forge.MODULE_ID, owner: str = "mutation") -> Chain:
    """The forge's chain with keys and serial numbers of ours, a new copy each time."""
    return Chain([der_tree.parse(der) for der in sound_ders(module_id, owner)], sound_keys(owner))


def sound_keys(owner: str = "mutation") -> list[ec.EllipticCurvePrivateKey]:
    """The keys of the sound chain, root to leaf."""
    return [key(f"{owner}, certificate {position}") for position in range(LEAF + 1)]


@cache
def sound_ders(module_id: str = forge.MODULE_ID, owner: str = "mutation") -> tuple[bytes, ...]:
    """The sound chain's certificates, root to leaf."""
    chain = Chain([der_tree.parse(der) for der in forge.pki(module_id).certificates], sound_keys(owner))
    for position, own_key in enumerate(chain.keys):
        serial = hashlib.sha256(f"{owner}, serial number {position}".encode()).digest()[:16]
        chain.tbs(position).children[SERIAL] = der_tree.integer(int.from_bytes(serial, "big"))
        chain.tbs(position).children[SPKI] = spki(own_key)
        chain.issue(position)
    return tuple(chain.ders())


@cache
def key(label: str) -> ec.EllipticCurvePrivateKey:
    """The P-384 key that belongs to ``label``."""
    number = int.from_bytes(hashlib.sha512(label.encode()).digest(), "big")
    return ec.derive_private_key(number % (forge.ORDER - 1) + 1, ec.SECP384R1())


def spki(private_key: ec.EllipticCurvePrivateKey) -> Node:
    """The key's SubjectPublicKeyInfo."""
    return der_tree.parse(private_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def sign(payload: bytes, private_key: ec.EllipticCurvePrivateKey) -> bytes:
    """The 96 bytes of a COSE signature over ``payload``, always the same."""
    structure = cbor2.dumps(["Signature1", forge.ES384, b"", payload])
    return forge.raw(*decode_dss_signature(private_key.sign(structure, _DETERMINISTIC)))
