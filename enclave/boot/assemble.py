"""Putting a model together: opened chunks, in any order, become a checked manifest and its files.

The plaintext of sealed weights is the manifest behind its length (4 bytes), then the files in the manifest's order; the
manifest lies in chunk 0. Nothing is allocated before its digest equals the one in the catalogue, which PCR16 holds.
"""

from enclave.boot.incoming import IncomingFile
from enclave.errors import BootRefused
from strongroom.protocol.catalogue import CatalogueEntry, ModelManifest, manifest_digest
from strongroom.protocol.messages import WEIGHTS_CHUNK_BYTES

_LENGTH_BYTES = 4


class ModelAssembly:
    """One model on its way in: `read_manifest` and `begin` take chunk 0, then `place` each other once, then `finish`.

    All else is BootRefused. `begin` and `place` give the files that got bytes: whoever calls has them hashed (it takes
    a while), or `finish` refuses.
    """

    def __init__(self, entry: CatalogueEntry, plaintext_bytes: int) -> None:
        self._entry, self._plaintext_bytes = entry, plaintext_bytes
        self._files: dict[str, IncomingFile] = {}
        self._manifest: ModelManifest | None = None

    def read_manifest(self, chunk: bytes) -> ModelManifest:
        """The manifest in chunk 0, held against the catalogue."""
        return self._checked(chunk[_LENGTH_BYTES : _manifest_end(chunk)])

    def begin(self, manifest: ModelManifest, chunk: bytes) -> list[IncomingFile]:
        """Take chunk 0, whose manifest was read: allocate its files, place what follows it."""
        start = end = _manifest_end(chunk)
        for file in manifest.files:
            self._files[file.name] = IncomingFile(file, start)
            start += file.size_bytes
        self._manifest = manifest
        return self._place(end, memoryview(chunk)[end:])

    def place(self, index: int, chunk: bytes) -> list[IncomingFile]:
        """Take chunk `index`, from 1 on."""
        return self._place(index * WEIGHTS_CHUNK_BYTES, memoryview(chunk))

    def finish(self) -> tuple[ModelManifest, dict[str, bytes]]:
        """The manifest and the contents of its files by name, all digests checked; no file is held here any more."""
        if self._manifest is None:
            raise self._refused("expected a manifest, got none")
        files, self._files = self._files, {}
        return self._manifest, {name: file.content() for name, file in files.items()}

    def _checked(self, text: bytes) -> ModelManifest:
        entry = self._entry
        if manifest_digest(text) != entry.manifest_sha384:
            raise self._refused("expected the manifest of the catalogue, got another")
        manifest = ModelManifest.from_bytes(text)
        if (manifest.id, manifest.version, manifest.task) != (entry.id, entry.version, entry.task):
            raise self._refused("expected the catalogue's id, version and task in its manifest, got others")
        plaintext_bytes = _LENGTH_BYTES + len(text) + sum(file.size_bytes for file in manifest.files)
        if plaintext_bytes != self._plaintext_bytes:
            raise self._refused("expected the files of its manifest and no more, got another length")
        return manifest

    def _place(self, offset: int, data: memoryview) -> list[IncomingFile]:
        return [file for file in self._files.values() if file.place(offset, data)]

    def _refused(self, message: str) -> BootRefused:
        return BootRefused("model-rejected", f"model {self._entry.id}: {message}")


def _manifest_end(chunk: bytes) -> int:
    return _LENGTH_BYTES + int.from_bytes(chunk[:_LENGTH_BYTES], "big")
