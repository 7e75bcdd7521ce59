"""Receiving a model: from opened plaintext, piece by piece, to a checked manifest and its files.

The plaintext of sealed weights is the manifest behind its length (4 bytes), then the files in the manifest's order.
Nothing is allocated for a file before the manifest's digest equals the one in the catalogue, which PCR16 holds.
"""

import hashlib
from collections.abc import Iterator

from enclave.errors import BootRefused
from strongroom.protocol.catalogue import CatalogueEntry, ModelFile, ModelManifest, manifest_digest
from strongroom.protocol.constants import MAX_MANIFEST_BYTES

_LENGTH_BYTES = 4


class ModelReceiver:
    """Feed it the plaintext as it comes, then `finish`. Every deviation is BootRefused."""

    def __init__(self, entry: CatalogueEntry) -> None:
        self._entry = entry
        self._buffer = bytearray()
        self._manifest: ModelManifest | None = None
        self._pending: Iterator[ModelFile] = iter(())
        self._current: ModelFile | None = None
        self._files: dict[str, bytes] = {}

    def feed(self, data: bytes) -> None:
        """Take the next piece of plaintext."""
        self._buffer += data
        if self._manifest is None:
            self._read_manifest()
        while self._current is not None and len(self._buffer) >= self._current.size_bytes:
            self._read_file(self._current)
        if self._manifest is not None and self._current is None and self._buffer:
            raise self._refused("expected the files of its manifest and no more, got another length")

    def finish(self) -> tuple[ModelManifest, dict[str, bytes]]:
        """The manifest and the contents of its files by name, all digests checked."""
        if self._manifest is None or self._current is not None:
            raise self._refused("expected the files of its manifest and no more, got another length")
        return self._manifest, self._files

    def _read_manifest(self) -> None:
        size = int.from_bytes(self._buffer[:_LENGTH_BYTES], "big")
        if len(self._buffer) >= _LENGTH_BYTES and not 1 <= size <= MAX_MANIFEST_BYTES:
            raise self._refused(f"expected a manifest of at most {MAX_MANIFEST_BYTES} bytes, got {size}")
        end = _LENGTH_BYTES + size
        if len(self._buffer) < end or end == _LENGTH_BYTES:
            return
        data = bytes(self._buffer[_LENGTH_BYTES:end])
        if manifest_digest(data) != self._entry.manifest_sha384:
            raise self._refused("expected the manifest of the catalogue, got another")
        del self._buffer[:end]
        self._manifest = ModelManifest.from_bytes(data)
        self._pending = iter(self._manifest.files)
        self._current = next(self._pending, None)

    def _read_file(self, file: ModelFile) -> None:
        content = bytes(self._buffer[: file.size_bytes])
        if hashlib.sha256(content).hexdigest() != file.sha256:
            raise self._refused("expected the file of the manifest, got other bytes")
        del self._buffer[: file.size_bytes]
        self._files[file.name] = content
        self._current = next(self._pending, None)

    def _refused(self, message: str) -> BootRefused:
        return BootRefused("model-rejected", f"model {self._entry.id}: {message}")
