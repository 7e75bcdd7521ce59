"""Structure: where AWS's reader and another loader differ, both must be content (eif-format.md, section 5)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from attestation.eif.errors import EIFError
from attestation.eif.layout import HEADER_BYTES, MAX_FILE_BYTES, SECTION_HEADER_BYTES, Header, place
from tests.attestation.eif.builder import (
    BEFORE_METADATA,
    CMDLINE,
    KERNEL,
    METADATA,
    RAMDISK,
    SECTIONS,
    Image,
    Section,
    metadata,
    signature,
)
from tests.attestation.eif.judge import read, refuse

SOUND = Image()
OFFSETS, SIZES = SOUND.table()
END = len(SOUND.to_bytes())


def changed(values: list[int], index: int, value: int) -> list[int]:
    return [*values[:index], value, *values[index + 1 :]]


def without(section_type: int) -> Image:
    return Image([section for section in SECTIONS if section.type != section_type])


@pytest.mark.parametrize(
    ("image", "version", "architecture"),
    [
        pytest.param(SOUND, 4, "x86_64", id="version 4"),
        pytest.param(Image(BEFORE_METADATA, version=3), 3, "x86_64", id="version 3"),
        pytest.param(Image((*BEFORE_METADATA, signature()), version=3), 3, "x86_64", id="version 3, signed"),
        pytest.param(Image(BEFORE_METADATA, version=2), 2, "x86_64", id="version 2"),
        pytest.param(Image(flags=1), 4, "aarch64", id="aarch64"),
        pytest.param(Image([*SECTIONS[1:3], SECTIONS[0], *SECTIONS[3:]]), 4, "x86_64", id="cmdline first"),
        pytest.param(SOUND.with_sections(*[SECTIONS[3]] * 27), 4, "x86_64", id="32 sections"),
        pytest.param(Image([Section(each.type, each.data[:1]) for each in BEFORE_METADATA], version=3), 3, "x86_64"),
        pytest.param(Image([Section(each.type, b"") for each in BEFORE_METADATA], version=3), 3, "x86_64", id="empty"),
    ],
)
def test_accepts(image: Image, version: int, architecture: str) -> None:
    eif = read(image)
    assert (eif.version, eif.architecture, eif.crc_matches) == (version, architecture, True)
    assert (eif.metadata is None) == (version < 4)


@pytest.mark.parametrize(
    ("image", "expected", "offset"),
    [
        pytest.param(Image(magic=b".elf"), "magic", 0, id="magic"),
        *(pytest.param(Image(version=n), "version", 4, id=f"version {n}") for n in (0, 1, 5, 0xFFFF)),
        *(pytest.param(Image(flags=n), "flag", 6, id=f"flags {n}") for n in (2, 3, 0x8000)),
        pytest.param(Image(reserved=1), "reserved", 0x18, id="reserved"),
        pytest.param(Image(unused=1), "reserved", 0x21C, id="second reserved"),
        *(pytest.param(Image(count=n), "2 to 32 sections", 0x1A, id=f"{n} sections") for n in (0, 1, 33, 65535)),
        pytest.param(Image(count=4), "end of the file", OFFSETS[4], id="a section that is not counted"),
        pytest.param(Image(count=6), "section 5", 0x1C + 5 * 8, id="a section too many counted"),
        pytest.param(Image(offsets=changed(OFFSETS, 0, 549)), "section 0 at 548", 0x1C, id="first offset"),
        pytest.param(Image(offsets=changed(OFFSETS, 2, OFFSETS[1])), "section 2", 0x2C, id="overlap"),
        pytest.param(Image(offsets=changed(OFFSETS, 2, OFFSETS[2] + 12)), "section 2", 0x2C, id="offset of the data"),
        pytest.param(Image(offsets=changed(OFFSETS, 2, 1 << 63)), "section 2", 0x2C, id="offset of 2^63"),
        pytest.param(Image(offsets=changed(OFFSETS, 31, 1)), "unused", 0x1C + 31 * 8, id="unused offset"),
        pytest.param(Image(sizes=changed(SIZES, 31, 1)), "unused", 0x11C + 31 * 8, id="unused size"),
        pytest.param(Image(sizes=changed(SIZES, 4, SIZES[4] - 1)), "end of the file", END - 1, id="size too small"),
        pytest.param(Image(sizes=changed(SIZES, 4, SIZES[4] + 1)), "to hold section 4", END, id="size too great"),
        pytest.param(Image(sizes=changed(SIZES, 0, 1 << 63)), "to hold section 0", END, id="size of 2^63"),
        pytest.param(Image(sizes=changed(SIZES, 0, (1 << 64) - 1)), "to hold section 0", END, id="size of 2^64 - 1"),
        *(pytest.param(Image(tail=bytes(n)), "end of the file", END, id=f"{n} more bytes") for n in (1, 11, 12, 600)),
        pytest.param(Image(tail=SECTIONS[4].to_bytes()), "end of the file", END, id="a section behind the table"),
    ],
)
def test_refuses_another_header(image: Image, expected: str, offset: int) -> None:
    refuse(image, expected, offset)


@pytest.mark.parametrize("claimed", [0, SIZES[0] - 1, SIZES[0] + 1, 1 << 63, (1 << 64) - 1])
def test_refuses_a_section_header_that_contradicts_the_table(claimed: int) -> None:
    refuse(Image((replace(SECTIONS[0], claimed=claimed), *SECTIONS[1:])), "as the header says", 548)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        *(
            pytest.param(SOUND.with_sections(Section(n, b"x")), "type from 1 to 5", id=f"type {n}")
            for n in (0, 6, 65535)
        ),
        pytest.param(SOUND.with_sections(Section(RAMDISK, b"x", flags=1)), "flags of zero", id="section flags"),
        pytest.param(SOUND.with_sections(Section(KERNEL, b"x")), "one kernel", id="two kernels"),
        pytest.param(SOUND.with_sections(Section(CMDLINE, b"x")), "one cmdline", id="two cmdlines"),
        pytest.param(SOUND.with_sections(metadata()), "one metadata", id="two metadata"),
        pytest.param(SOUND.with_sections(signature(), signature()), "one signature", id="two signatures"),
        pytest.param(without(KERNEL), "a kernel before the first ramdisk", id="no kernel"),
        pytest.param(without(CMDLINE), "a cmdline", id="no cmdline"),
        pytest.param(without(RAMDISK), "a ramdisk", id="no ramdisk"),
        pytest.param(without(METADATA), "a metadata", id="no metadata"),
        pytest.param(Image([*SECTIONS[1:4], SECTIONS[0]]), "a kernel before the first ramdisk", id="a ramdisk first"),
        pytest.param(replace(SOUND, version=3), "no metadata in version 3", id="metadata in version 3"),
        pytest.param(Image((*BEFORE_METADATA, signature()), version=2), "no signature in version 2"),
        pytest.param(SOUND.with_sections(Section(4, bytes(32769))), "at most 32768 bytes", id="a long signature"),
        pytest.param(Image((*BEFORE_METADATA, Section(5, bytes(131073)))), "at most 131072 bytes", id="long metadata"),
    ],
)
def test_refuses_other_sections(image: Image, expected: str) -> None:
    refuse(image, expected)


def test_refuses_every_truncation() -> None:
    data = SOUND.with_sections(signature("ES256")).to_bytes()
    for length in range(len(data)):
        assert refuse(data[:length], "").offset == length


def test_a_file_beyond_the_limit_is_refused_by_its_size() -> None:
    data_bytes = MAX_FILE_BYTES - HEADER_BYTES - 2 * SECTION_HEADER_BYTES
    header = Header(4, "x86_64", place([0, data_bytes]), crc32=0).to_bytes()
    data = header.replace(data_bytes.to_bytes(8, "big"), (data_bytes + 1).to_bytes(8, "big"))
    Header.from_bytes(header, MAX_FILE_BYTES)
    with pytest.raises(EIFError, match=f"at most {MAX_FILE_BYTES} bytes of file, got {MAX_FILE_BYTES + 1}"):
        Header.from_bytes(data, MAX_FILE_BYTES + 1)
    with pytest.raises(EIFError, match=f"at most {MAX_FILE_BYTES} bytes of file, got {MAX_FILE_BYTES + 1}"):
        place([0, data_bytes + 1])


def test_the_format_s_own_resigning_is_refused() -> None:
    """aws-nitro-enclaves-image-format 935dc62 replaces a signature without updating its size in the table."""
    first, second = signature("ES256"), signature("ES512")
    _, sizes = SOUND.with_sections(first).table()
    refuse(replace(SOUND.with_sections(second), sizes=sizes), "end of the file")


@pytest.mark.parametrize("flip", [8, 23, 544, 547, 560, END - 1])
def test_a_crc_that_differs_is_a_finding(flip: int) -> None:
    data = bytearray(SOUND.to_bytes())
    data[flip] ^= 1
    assert not read(bytes(data)).crc_matches
