"""The path that most Python code takes: pycose for the message, ``cryptography`` for the chain.

Nothing but signatures and issuer names is checked, which favours it. pycose verifies with python-ecdsa, here with
gmpy2, as that package advises for speed; without it the path takes two thirds longer.
"""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from pycose.keys.curves import P384
from pycose.keys.ec2 import EC2Key
from pycose.messages.sign1message import Sign1Message

from benchmarks.peers.turns import Refused, serve

_COORDINATE_BYTES = 48


def verify(document: bytes) -> None:
    """Raises Refused for a signature that does not verify."""
    message = Sign1Message.from_cose_obj(cbor2.loads(document.removeprefix(b"\xd2")), allow_unknown_attributes=False)
    fields = cbor2.loads(cast(bytes, message.payload))
    chain = [x509.load_der_x509_certificate(der) for der in (*fields["cabundle"], fields["certificate"])]
    for issuer, certificate in pairwise(chain):
        certificate.verify_directly_issued_by(issuer)
    message.key = _key(chain[-1])
    if not message.verify_signature():
        raise Refused


def _key(certificate: x509.Certificate) -> EC2Key:
    point = cast(EllipticCurvePublicKey, certificate.public_key()).public_numbers()
    x, y = (number.to_bytes(_COORDINATE_BYTES, "big") for number in (point.x, point.y))
    return EC2Key(crv=P384, x=x, y=y)


if __name__ == "__main__":
    serve(verify)
