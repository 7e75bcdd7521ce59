"""Invariant of ``attestation.eif``'s ``describe``: EIFError with an offset inside the file, or a description in JSON.

The signature and the metadata are parsed whatever the CRC says, so that an input needs no right one.
"""

from __future__ import annotations

import json
from io import BytesIO

from attestation.eif.description import describe
from attestation.eif.errors import EIFError
from tests.attestation.eif.builder import ALGORITHMS, BEFORE_METADATA, Image, signature
from tests.fuzz.targets import check


def seeds() -> list[bytes]:
    signed = [Image().with_sections(signature(name)).to_bytes() for name in ALGORITHMS]
    return [*signed, Image().to_bytes(), Image(BEFORE_METADATA, version=3).to_bytes()]


def one_input(data: bytes) -> None:
    try:
        description = describe(BytesIO(data))
    except EIFError as error:
        check(0 <= error.offset <= len(data), "an offset inside the file")
        return
    json.dumps(description, allow_nan=False)
