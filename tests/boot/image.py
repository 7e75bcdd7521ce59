"""The image that boots, and one that differs from it in a single byte."""

import os
import shutil
import zlib
from pathlib import Path

import pytest

from attestation.eif.layout import CRC_OFFSET, HEADER_BYTES, SectionType
from attestation.eif.reader import EIF

IMAGE = Path(os.environ.get("STRONGROOM_BOOT_EIF", ".image/boot-test.eif"))
_PIECE_BYTES = 1 << 20


def require_image() -> Path:
    """The EIF that `make boot-test` boots; skip without it, but never in CI."""
    if not IMAGE.is_file():
        missing(f"{IMAGE}: make eif-local builds it")
    return IMAGE.resolve()


def require_tool(name: str, package: str) -> None:
    """Skip without the program, but never in CI."""
    if shutil.which(name) is None:
        missing(f"{name}: apt-get install {package}")


def missing(what: str) -> None:
    """Skip, or fail in CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI must have {what}")
    pytest.skip(f"needs {what}")


def with_one_byte_changed(eif: Path, copy: Path, marker: bytes) -> Path:
    """A sound image whose application differs in one byte, behind the only `marker` in the last ramdisk."""
    shutil.copyfile(eif, copy)
    with copy.open("r+b") as stream:
        image = EIF.from_stream(stream)
        last = image.slots_of(SectionType.RAMDISK)[-1]
        stream.seek(last.data_offset)
        content = stream.read(last.data_bytes)
        assert content.count(marker) == 1
        at = last.data_offset + content.index(marker) + len(marker)
        stream.seek(at)
        changed = bytes([stream.read(1)[0] ^ 0x20])
        stream.seek(at)
        stream.write(changed)
        stream.seek(0)
        crc = zlib.crc32(stream.read(CRC_OFFSET))
        stream.seek(HEADER_BYTES)
        while piece := stream.read(_PIECE_BYTES):
            crc = zlib.crc32(piece, crc)
        stream.seek(CRC_OFFSET)
        stream.write(crc.to_bytes(HEADER_BYTES - CRC_OFFSET))
    return copy
