"""One file has one reading: binary, hex, base64, or the bytes it is."""

from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestation.cose import MAX_ENVELOPE_BYTES
from strongroom.cli.evidence import MAX_FILE_BYTES, decoded, read_evidence
from strongroom.cli.failures import CommandFailed
from tests.attestation import forge

DOCUMENT = forge.document(user_data=bytes(range(251, 256)) * 4)  # base64 of it has characters of both alphabets
TAGGED = b"\xd2" + DOCUMENT


def lines(text: bytes) -> bytes:
    return b"\r\n".join(text[start : start + 64] for start in range(0, len(text), 64)) + b"\n"


ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "binary": lambda data: data,
    "hex": lambda data: data.hex().encode(),
    "hex in capitals": lambda data: data.hex().upper().encode(),
    "hex in pairs": lambda data: data.hex(" ").encode(),
    "hex in lines": lambda data: lines(data.hex().encode()),
    "base64": b64encode,
    "base64 without padding": lambda data: b64encode(data).rstrip(b"="),
    "base64 in lines": lambda data: lines(b64encode(data)),
    "URL-safe base64": urlsafe_b64encode,
    "URL-safe base64 without padding": lambda data: urlsafe_b64encode(data).rstrip(b"="),
}


@pytest.mark.parametrize("data", [DOCUMENT, TAGGED, TAGGED + b"\n"], ids=["untagged", "tagged", "one more byte"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_gives_the_document_back(encoding: str, data: bytes) -> None:
    assert decoded(ENCODINGS[encoding](data)) == data


def test_the_samples_tell_the_two_alphabets_apart() -> None:
    assert b64encode(DOCUMENT) != urlsafe_b64encode(DOCUMENT)
    assert {len(data) % 3 for data in (DOCUMENT, TAGGED, TAGGED + b"\n")} == {0, 1, 2}


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        (b"deadbeef", bytes.fromhex("deadbeef")),  # also base64
        (b"d e a d\n", bytes.fromhex("dead")),
        (b"abc", b"i\xb7"),  # an odd number of digits is no hex
        (b"\x84deadbeef", b"\x84deadbeef"),
    ],
)
def test_what_two_encodings_fit_has_the_first_reading(text: bytes, reading: bytes) -> None:
    assert decoded(text) == reading


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" \n",
        b"0xdeadbeef.",
        b'"hESh"',
        b"hESh-_+/",  # both alphabets
        b"hE=",  # half of a padding
        b"hESh====",
        b"hES=hESh",
        b"=",
        b"hEShA",  # no number of bytes
        b"hF==",  # bits beyond the last byte
        "hESh\u00a0".encode(),
        b"hESh\x00",
        b"-----BEGIN CERTIFICATE-----",
    ],
)
def test_anything_else_is_the_bytes_it_is(text: bytes) -> None:
    assert decoded(text) == text


@given(st.binary(max_size=64) | st.text(alphabet="abcDEF0189+/-_= \n", max_size=64).map(str.encode))
def test_no_bytes_are_refused(data: bytes) -> None:
    assert isinstance(decoded(data), bytes)


@given(st.sampled_from([b"\x84", b"\xd2"]), st.binary(max_size=32), st.sampled_from(sorted(ENCODINGS)))
def test_nothing_that_begins_like_an_envelope_is_ambiguous(head: bytes, rest: bytes, encoding: str) -> None:
    assert decoded(ENCODINGS[encoding](head + rest)) == head + rest


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_largest_document_fits_in_every_encoding(encoding: str, tmp_path: Path) -> None:
    data = b"\x84" + bytes(MAX_ENVELOPE_BYTES - 1)
    file = tmp_path / "largest"
    file.write_bytes(ENCODINGS[encoding](data))
    assert read_evidence(file) == data


def test_a_larger_file_is_never_its_beginning(tmp_path: Path) -> None:
    file = tmp_path / "larger"
    file.write_bytes(DOCUMENT.hex().encode() + b" " * MAX_FILE_BYTES + b"and more")
    assert len(read_evidence(file)) == MAX_FILE_BYTES + 1 > MAX_ENVELOPE_BYTES


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="nowhere: No such file") as caught:
        read_evidence(tmp_path / "nowhere")
    assert (caught.value.code, caught.value.status) == ("file", 2)
