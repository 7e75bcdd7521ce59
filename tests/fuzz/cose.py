"""Invariant of ``COSESign1.from_bytes``: Rejected by one of rules 1 to 7, or an envelope that has no other encoding.

Written again, the accepted parts give the same bytes, with tag 18 or without.
"""

from __future__ import annotations

from attestation.cose import COSESign1
from attestation.errors import Rejected
from tests.attestation import bombs, forge
from tests.fuzz.targets import check

_TAG = b"\xd2"
_LAST_RULE = 7


def seeds() -> list[bytes]:
    document = forge.document()
    small = forge.envelope(b"payload", forge.raw(1, 1))
    return [document, _TAG + document, small, _TAG + small, *bombs.envelopes().values()]


def one_input(data: bytes) -> None:
    try:
        envelope = COSESign1.from_bytes(data)
    except Rejected as rejected:
        check(rejected.code.rule <= _LAST_RULE, "one of rules 1 to 7")
        return
    again = forge.envelope(envelope.payload, envelope.signature, envelope.protected)
    check(data.removeprefix(_TAG) == again, "one encoding only")
