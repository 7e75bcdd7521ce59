"""Hostile files: any bytes give an EIFError or a description; memory follows neither the file nor what it claims."""

from __future__ import annotations

import json
import os
import tracemalloc
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from attestation.eif.description import describe
from attestation.eif.errors import EIFError
from attestation.eif.reader import EIF
from tests.attestation.eif.builder import BEFORE_METADATA, SECTIONS, Image, Section, signature

SOUND = Image().with_sections(signature()).to_bytes()
SIGNATURE = signature().data
MEMORY_BYTES = 8 << 20


def judge(data: bytes) -> None:
    """The invariant."""
    try:
        offset = 0
        json.dumps(describe(BytesIO(data)), allow_nan=False)
    except EIFError as error:
        offset = error.offset
    assert 0 <= offset <= len(data)


@given(st.binary(max_size=1200))
@example(b"")
@example(b".eif")
def test_any_bytes(data: bytes) -> None:
    judge(data)


@given(st.lists(st.tuples(st.integers(0, len(SOUND) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_changed_bytes(changes: list[tuple[int, int]]) -> None:
    data = bytearray(SOUND)
    for at, value in changes:
        data[at] = value
    judge(bytes(data))


@given(st.integers(0, len(SOUND)), st.integers(0, 40), st.binary(max_size=40))
def test_bytes_taken_out_and_put_in(at: int, length: int, inserted: bytes) -> None:
    judge(SOUND[:at] + inserted + SOUND[at + length :])


@given(st.integers(0, len(SIGNATURE)), st.integers(0, 40), st.binary(max_size=40))
def test_another_signature_in_a_sound_frame(at: int, length: int, inserted: bytes) -> None:
    judge(Image().with_sections(Section(4, SIGNATURE[:at] + inserted + SIGNATURE[at + length :])).to_bytes())


@given(st.lists(st.builds(Section, st.integers(0, 7), st.binary(max_size=8)), max_size=6), st.integers(1, 5))
def test_any_sections(sections: list[Section], version: int) -> None:
    judge(Image(sections, version=version).to_bytes())


def sparse(path: Path, size: int, image: Image) -> Path:
    """The image's header and first section, in a file whose holes claim the rest."""
    path.write_bytes(image.to_bytes())
    os.truncate(path, size)
    return path


def peak_of(stream: BinaryIO) -> int:
    """Bytes allocated at the worst moment of reading it."""
    tracemalloc.start()
    try:
        EIF.from_stream(stream)
    except EIFError:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return peak


@pytest.mark.parametrize("section_type", [4, 5], ids=["signature", "metadata"])
def test_a_small_section_that_claims_a_terabyte_is_refused_unread(section_type: int, tmp_path: Path) -> None:
    size = 1 << 40
    image = Image([*SECTIONS[:2], Section(section_type, b"", claimed=size)])
    _, sizes = image.table()
    sizes[2] = size
    hostile = Image(image.sections, sizes=sizes)
    with sparse(tmp_path / "x", len(hostile.to_bytes()) + size, hostile).open("rb") as stream:
        assert peak_of(stream) < MEMORY_BYTES


def test_a_large_ramdisk_is_hashed_in_pieces(tmp_path: Path) -> None:
    size = 64 << 20
    image = Image((*BEFORE_METADATA[:2], Section(3, b"", claimed=size)), version=3)
    _, sizes = image.table()
    sizes[2] = size
    large = Image(image.sections, version=3, sizes=sizes)
    path = sparse(tmp_path / "x", len(large.to_bytes()) + size, large)
    with path.open("rb") as stream:
        assert peak_of(stream) < MEMORY_BYTES
        assert len(EIF.from_stream(stream).pcrs) == 3


@pytest.mark.parametrize("filling", [b"[],", b"[[]],", b'{"a":1},', b"1,"])
def test_metadata_of_many_small_values(filling: bytes) -> None:
    data = b"[" + filling * ((131072 - 5) // len(filling)) + b"1]"
    assert peak_of(BytesIO(Image((*BEFORE_METADATA, Section(5, data))).to_bytes())) < MEMORY_BYTES


class Trickle(BytesIO):
    """A stream that gives a byte at a time, and ends early."""

    def __init__(self, data: bytes, end: int) -> None:
        super().__init__(data)
        self.end = end

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(1) if self.tell() < self.end else b""


def test_a_stream_that_gives_less_than_asked() -> None:
    assert EIF.from_stream(Trickle(SOUND, len(SOUND))) == EIF.from_stream(BytesIO(SOUND))


def test_a_file_that_shrinks_meanwhile() -> None:
    with pytest.raises(EIFError) as caught:
        EIF.from_stream(Trickle(SOUND, 600))
    assert caught.value.offset == 600


def test_progress_reaches_the_end() -> None:
    seen: list[tuple[int, int]] = []
    EIF.from_stream(BytesIO(SOUND), lambda done, total: seen.append((done, total)))
    assert seen[-1] == (len(SOUND), len(SOUND))
    assert seen == sorted(seen)
