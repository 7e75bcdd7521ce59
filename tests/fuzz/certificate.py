"""Invariant of ``Certificate.from_bytes``: Rejected by rule 22 or 25, or a certificate whose parts lie in its bytes.

What is accepted can be checked as an authority and as a leaf, with an answer or a Rejected.
"""

from __future__ import annotations

from contextlib import suppress

from attestation import certificates
from attestation.certificates import Certificate
from attestation.errors import Rejected
from tests.attestation.mutation import chains
from tests.fuzz.targets import check

_RULES = (22, 25)


def seeds() -> list[bytes]:
    return list(chains.sound_ders())


def one_input(data: bytes) -> None:
    try:
        certificate = Certificate.from_bytes(data)
    except Rejected as rejected:
        check(rejected.code.rule in _RULES, "rule 22 or 25")
        return
    check(certificate.parts.to_be_signed in data and certificate.signature in data, "slices of the input")
    for judge in (certificates.check_authority, certificates.check_leaf):
        with suppress(Rejected):
            judge(certificate)
