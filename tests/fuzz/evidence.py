"""Invariant of ``strongroom.cli.evidence.decoded``: no exception, and a document has one reading in each encoding."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode

from strongroom.cli.evidence import decoded
from tests.fuzz.targets import check

_DOCUMENT_BEGINS = (b"\x84", b"\xd2")


def seeds() -> list[bytes]:
    sample = b"\x84D\xa1\x018\x22\xa0" + bytes(range(256))
    return [
        sample,
        sample.hex().encode(),
        b64encode(sample),
        urlsafe_b64encode(sample).rstrip(b"="),
        b" \n",
        b"ab==",
        b"=",
    ]


def one_input(data: bytes) -> None:
    reading = decoded(data)
    check(len(reading) <= len(data), "a reading that does not grow")
    document = _DOCUMENT_BEGINS[len(data) % 2] + data
    for written in (document, document.hex().encode(), b64encode(document), urlsafe_b64encode(document)):
        check(decoded(written) == document, "the document itself")
