"""magika: what kind of file is this, by its first and its last kibibyte?"""

import io
import json
import struct
import sys
import zlib
from pathlib import Path
from zipfile import ZipFile, ZipInfo

import numpy as np
import pytest
from numpy.typing import NDArray

from strongroom.models.recipes import MAGIKA
from tests.conformance.asking import Asking

pytestmark = pytest.mark.real_model

ROOT = Path(__file__).parents[2]
PART_BYTES, PADDING = 1024, 256


def features(content: bytes) -> NDArray[np.int32]:
    """The beginning without leading white space, the end without trailing: int32 [2048], the gap padded."""
    beginning, end = content[:4096].lstrip()[:PART_BYTES], content[-4096:].rstrip()[-PART_BYTES:]
    found = np.full(2 * PART_BYTES, PADDING, dtype=np.int32)
    found[: len(beginning)] = list(beginning)
    found[len(found) - len(end) :] = list(end)
    return found


def png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0)
    rows = b"".join(b"\x00" + bytes(x * y % 256 for x in range(3 * 64)) for y in range(64))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def archive() -> bytes:
    written = io.BytesIO()
    with ZipFile(written, "w") as file:
        file.writestr(ZipInfo("a.txt"), "hello" * 100)
        file.writestr(ZipInfo("b.bin"), bytes(range(256)))
    return written.getvalue()


def pdf() -> bytes:
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>"]
    objects.append("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] >>")
    body = "".join(f"{number} 0 obj\n{text}\nendobj\n" for number, text in enumerate(objects, 1))
    entries = "xref\n0 4\n0000000000 65535 f \n0000000009 00000 n \n0000000058 00000 n \n0000000115 00000 n \n"
    return f"%PDF-1.4\n{body}{entries}trailer\n<< /Size 4 /Root 1 0 R >>\nstartxref\n186\n%%EOF\n".encode()


def test_magika_knows_files_by_their_content(asking: Asking) -> None:
    known = {
        "python": Path(__file__).read_bytes(),
        "markdown": (ROOT / "README.md").read_bytes(),
        "toml": (ROOT / "pyproject.toml").read_bytes(),
        "makefile": (ROOT / "Makefile").read_bytes(),
        "elf": Path(sys.executable).read_bytes(),
        "png": png(),
        "pdf": pdf(),
        "zip": archive(),
    }
    batch = np.stack([features(content) for content in known.values()])
    scores = asking.infer("magika", bytes=batch)["target_label"]
    with ZipFile(ROOT / ".models" / "wheels" / MAGIKA.wheel.filename) as wheel:
        published = json.loads(wheel.read(MAGIKA.members["graph"].replace("model.onnx", "config.min.json")))
    labels = published["target_labels_space"]
    assert [labels[best] for best in scores.argmax(axis=1)] == list(known)
    assert scores.max(axis=1).min() > 0.9
