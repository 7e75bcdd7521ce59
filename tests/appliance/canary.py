"""Searching for a canary: six encodings, in bytes, in files, in the memory of processes."""

import base64
import json
import re
import secrets
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

_CHUNK = 16 << 20


class Secret:
    """Bytes that occur nowhere else, and the forms they could leak in."""

    def __init__(self, raw: bytes) -> None:
        self.leaks = {
            "raw": [raw],
            "hex lower": [raw.hex().encode()],
            "hex upper": [raw.hex().upper().encode()],
            "base64": [self._base64_core(raw, shift) for shift in range(3)],
            **self._more_forms(),
        }
        self._pattern = re.compile(b"|".join(re.escape(leak) for leaks in self.leaks.values() for leak in leaks))

    def _more_forms(self) -> dict[str, list[bytes]]:
        return {}

    def count(self, data: bytes | bytearray) -> int:
        """How often any form occurs."""
        return len(self._pattern.findall(data))

    def count_in_files(self, folder: Path) -> int:
        """How often any form occurs in the regular files below a folder, names included."""
        files = [path for path in folder.rglob("*") if path.is_file()]
        return sum(self.count(path.read_bytes()) + self.count(str(path).encode()) for path in files)

    def count_in_memory(self, pid: int) -> int:
        """How often any form occurs in the readable memory of a process."""
        return sum(self.count(piece) for piece in _memory(pid))

    @staticmethod
    def _base64_core(data: bytes, shift: int) -> bytes:
        """The characters of the base64 text that depend on the data alone, at one of the three offsets."""
        encoded = base64.b64encode(b"\0" * shift + data)
        start = (shift * 8 + 5) // 6
        return encoded[start : (shift + len(data)) * 8 // 6]


class Canary(Secret):
    """A random prompt, which as a text has two more forms."""

    def __init__(self) -> None:
        self.text = f"canary-{secrets.token_hex(12)}-ü"
        super().__init__(self.text.encode())

    def _more_forms(self) -> dict[str, list[bytes]]:
        return {"utf-16": [self.text.encode("utf-16-le")], "json": [json.dumps(self.text)[1:-1].encode()]}


def _memory(pid: int) -> Iterator[bytes]:
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, permissions = line.split()[:2]
            if "r" not in permissions or line.endswith(("[vvar]", "[vsyscall]", "[vvar_vclock]")):
                continue
            start, end = (int(edge, 16) for edge in span.split("-"))
            yield from _pieces(memory, start, end)


def _pieces(memory: FileIO, start: int, end: int) -> Iterator[bytes]:
    """Pieces that overlap by more than any form is long."""
    overlap = 1024
    at = start
    while at < end:
        try:
            memory.seek(at)
            yield memory.read(min(_CHUNK, end - at))
        except OSError:
            return
        at += _CHUNK - overlap
