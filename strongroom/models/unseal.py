"""Opening a sealed model as an enclave will, by the enclave's own code, to see that it could; nothing is written."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from enclave.boot.assemble import ModelAssembly
from enclave.boot.incoming import IncomingFile
from enclave.boot.segments import Segment
from enclave.errors import BootRefused
from strongroom.models.errors import SealedInvalid
from strongroom.protocol.catalogue import Catalogue, CatalogueEntry, ModelManifest
from strongroom.protocol.configuration import DeploymentConfiguration
from strongroom.protocol.errors import ProtocolError
from strongroom.protocol.messages import MAX_WEIGHTS_HEAD_BYTES, SealedWeightsHead
from strongroom.protocol.weights import WeightsCipher

_READ_BYTES = 1 << 20


class DataKeyOpener(Protocol):
    """What opening needs of KMS: Decrypt under a key and an encryption context."""

    def __call__(self, arn: str, context: dict[str, str], wrapped: bytes) -> bytes:
        """The data key in plain."""


@dataclass(frozen=True)
class SealedModel:
    """A sealed model in a file; `head` is readable without any key, and proves nothing."""

    path: Path
    head: SealedWeightsHead
    head_bytes: int

    @classmethod
    def at(cls, path: Path) -> "SealedModel":
        """Read the head; raise SealedInvalid unless this is a file, and as long as it says."""
        if not path.is_file():
            raise SealedInvalid(f"{path.name}: expected a file, got something else")
        with path.open("rb") as file:
            front = file.read(MAX_WEIGHTS_HEAD_BYTES)
        with _named(path):
            head, head_bytes = SealedWeightsHead.read(front)
        expected, actual = head_bytes + head.segment_bytes(0, head.chunks), path.stat().st_size
        if actual != expected:
            raise SealedInvalid(f"{path.name}: expected {expected} bytes by its head, got {actual}")
        return cls(path, head, head_bytes)

    def open(self, entry: CatalogueEntry, cipher: WeightsCipher) -> tuple[ModelManifest, dict[str, bytes]]:
        """The manifest and the contents of its files by name, all in memory, every chunk and digest checked.

        Raises SealedInvalid.
        """
        segment, assembly = Segment(self.head, 0, 1), ModelAssembly(entry, self.head.plaintext_bytes)
        with _named(self.path):
            for piece in self._sealed():
                for index, chunk in segment.feed(piece):
                    plain = cipher.open(index, chunk)
                    for file in assembly.place(index, plain) if index else _begin(assembly, plain):
                        if file.claim():
                            file.hash()
            segment.finish()
            return assembly.finish()

    def _sealed(self) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            file.seek(self.head_bytes)
            while piece := file.read(_READ_BYTES):
                yield piece


def unseal(
    sealed: SealedModel, *, configuration: DeploymentConfiguration, catalogue: Catalogue, open_key: DataKeyOpener
) -> tuple[ModelManifest, dict[str, bytes]]:
    """Open a sealed model under the key that configuration and catalogue give it. Raises as `SealedModel.open`.

    InvalidDocument is raised when the configuration has no such key entry.
    """
    head = sealed.head
    entry = catalogue.find(head.model)
    if entry is None or entry.version != head.version:
        raise SealedInvalid(f"{sealed.path.name}: expected a model of the catalogue, got {head.model} {head.version}")
    key = configuration.find_key(entry.key, "model")
    data_key = open_key(key.arn, key.model_context(entry), head.wrapped_key)
    return sealed.open(entry, WeightsCipher(head, data_key, key.arn, key.model_context(entry)))


def _begin(assembly: ModelAssembly, chunk: bytes) -> list[IncomingFile]:
    return assembly.begin(assembly.read_manifest(chunk), chunk)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """What the enclave's code refuses, as an error about this file."""
    try:
        yield
    except (BootRefused, ProtocolError) as error:
        raise SealedInvalid(f"{path.name}: {error}") from None
