"""The stream that an EIF is read from: forward only, in pieces, never further than its size."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import BinaryIO

from attestation.eif.errors import EIFError

CHUNK_BYTES = 1 << 20

Progress = Callable[[int, int], None]
"""Called with the bytes read so far and the size of the file."""


class Source:
    """A seekable binary stream from its beginning. Nobody else may move it meanwhile."""

    def __init__(self, stream: BinaryIO, progress: Progress | None = None) -> None:
        self._stream = stream
        self._progress = progress
        self.size_bytes = stream.seek(0, os.SEEK_END)
        self.at = stream.seek(0)

    def take(self, count: int) -> bytes:
        """Exactly ``count`` bytes, a number that the caller has bounded. Raises EIFError, OSError."""
        return b"".join(self.chunks(count))

    def chunks(self, count: int) -> Iterator[bytes]:
        """Exactly ``count`` bytes in pieces of at most ``CHUNK_BYTES``. Raises EIFError, OSError."""
        end = self.at + count
        while self.at < end:
            chunk = self._stream.read(min(CHUNK_BYTES, end - self.at))
            if not chunk:
                raise EIFError(f"{end - self.at} more bytes", "the end of the file", self.at)
            self.at += len(chunk)
            if self._progress is not None:
                self._progress(self.at, self.size_bytes)
            yield chunk
