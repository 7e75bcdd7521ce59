"""One file of a model on its way in: pieces in any order, and at its end its SHA-256 is held against the manifest."""

import hashlib
from io import BytesIO

from enclave.errors import BootRefused
from strongroom.protocol.catalogue import ModelFile


class IncomingFile:
    """Room for exactly the file's bytes, which begin at byte `start` of the weights' plaintext."""

    def __init__(self, file: ModelFile, start: int) -> None:
        self._file, self._start = file, start
        self._content = BytesIO(bytes(file.size_bytes))  # `getvalue` gives its bytes without a copy
        self._missing_bytes = file.size_bytes
        self._checked = False

    def place(self, offset: int, data: memoryview) -> bool:
        """Copy what belongs to this file from `data`, which lies at `offset` of the plaintext; each byte comes once.

        True when this made the file whole, so that it can be checked.
        """
        begin = max(offset, self._start)
        end = min(offset + len(data), self._start + self._file.size_bytes)
        if begin >= end:
            return False
        with self._content.getbuffer() as content:
            content[begin - self._start : end - self._start] = data[begin - offset : end - offset]
        self._missing_bytes -= end - begin
        return self._missing_bytes == 0

    def check(self) -> None:
        """Hash the whole file, which blocks; raise BootRefused when it is another than the manifest's."""
        with self._content.getbuffer() as content:
            digest = hashlib.sha256(content).hexdigest()
        if digest != self._file.sha256:
            raise BootRefused("model-rejected", f"file {self._file.name}: expected the manifest's bytes, got others")
        self._checked = True

    def content(self) -> bytes:
        """The file; raise BootRefused when it is not whole and checked."""
        if not self._checked:
            raise BootRefused("model-rejected", f"file {self._file.name}: expected the whole file, got a part")
        return self._content.getvalue()
