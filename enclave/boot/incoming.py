"""One file of a model on its way in: pieces in any order, hashed from its front as far as they reach."""

import hashlib
from io import BytesIO

from enclave.errors import BootRefused
from strongroom.protocol.catalogue import ModelFile


class IncomingFile:
    """Room for exactly the file's bytes, which begin at byte `start` of the weights' plaintext."""

    def __init__(self, file: ModelFile, start: int) -> None:
        self._file, self._start = file, start
        self._content = BytesIO(bytes(file.size_bytes))  # `getvalue` gives its bytes without a copy
        self._apart: dict[int, int] = {}  # the pieces behind a gap: where each begins and ends
        self._whole_to = self._claimed_to = self._hashed_to = 0
        self._digest = hashlib.sha256()
        self._checked = False

    def place(self, offset: int, data: memoryview) -> bool:
        """Copy what belongs to this file from `data`, which lies at `offset` of the plaintext; each byte comes once.

        True when something does.
        """
        begin = max(offset - self._start, 0)
        end = min(offset - self._start + len(data), self._file.size_bytes)
        if begin >= end:
            return False
        with self._content.getbuffer() as content:
            content[begin:end] = data[begin + self._start - offset : end + self._start - offset]
        self._apart[begin] = end
        while self._whole_to in self._apart:
            self._whole_to = self._apart.pop(self._whole_to)
        return True

    def claim(self) -> bool:
        """True when bytes without a gap wait for their hash, and nobody is hashing: whoever asked calls `hash` next."""
        if self._claimed_to > self._hashed_to or self._whole_to == self._hashed_to:
            return False
        self._claimed_to = self._whole_to
        return True

    def hash(self) -> None:
        """Hash what was claimed, which blocks; raise BootRefused when it ends another file than the manifest's."""
        with self._content.getbuffer() as content:
            self._digest.update(content[self._hashed_to : self._claimed_to])
        if self._claimed_to == self._file.size_bytes:
            self._check()
        self._hashed_to = self._claimed_to  # last: from here on others may claim

    def content(self) -> bytes:
        """The file; raise BootRefused when it is not whole and checked."""
        if not self._checked:
            raise BootRefused("model-rejected", f"file {self._file.name}: expected the whole file, got a part")
        return self._content.getvalue()

    def _check(self) -> None:
        if self._digest.hexdigest() != self._file.sha256:
            raise BootRefused("model-rejected", f"file {self._file.name}: expected the manifest's bytes, got others")
        self._checked = True
