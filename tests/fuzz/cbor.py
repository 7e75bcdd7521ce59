"""Invariant of ``attestation.cbor.decode``: Rejected as malformed payload, or the one item that cbor2 reads there.

What is accepted has one encoding only: written again in CBOR's preferred form it has the same bytes, except that the
outermost map may have been indefinite.
"""

from __future__ import annotations

import cbor2

from attestation.cbor import decode
from attestation.errors import Rejected, RejectionClass
from tests.attestation import bombs, forge
from tests.fuzz.targets import check


def seeds() -> list[bytes]:
    fields = forge.fields()
    small = [b"\xbf\xff", b"\xbf\x61a\x01\xff", cbor2.dumps([1, -1, "é", b"x", [True, None, {}], {1: {2: 3}}])]
    return [cbor2.dumps(fields), forge.indefinite(fields), *small, *bombs.payloads().values()]


def one_input(data: bytes) -> None:
    try:
        value = decode(data)
    except Rejected as rejected:
        check(rejected.code.rejection_class is RejectionClass.MALFORMED_PAYLOAD, "the class of a payload")
        return
    open_map = data.startswith(b"\xbf")
    again = forge.indefinite(value) if isinstance(value, dict) and open_map else cbor2.dumps(value)
    check(data == again, "one encoding only")
