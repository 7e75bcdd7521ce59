"""A model of several chunks, sealed: what the parent sends, and what the enclave must make of it."""

import hashlib
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from strongroom.documents import to_toml
from strongroom.protocol.catalogue import CatalogueEntry, ModelFile, ModelManifest, manifest_digest
from strongroom.protocol.messages import WEIGHTS_CHUNK_BYTES, SealedWeightsHead
from strongroom.protocol.weights import WeightsCipher, seal_weights
from tests.enclave.deployment import ARN

DATA_KEY = b"d" * 32
MIB = WEIGHTS_CHUNK_BYTES


@dataclass(frozen=True)
class Model:
    """Files of these sizes; by default they begin and end inside chunks, at their edges, and over several."""

    sizes: Sequence[int] = (1, MIB + 5, 1, 700_000, 2 * MIB)
    id: str = "big"

    @cached_property
    def files(self) -> dict[str, bytes]:
        """The contents of the files by name."""
        source = random.Random(7)
        return {f"file-{number}": source.randbytes(size) for number, size in enumerate(self.sizes)}

    @cached_property
    def manifest(self) -> bytes:
        """The manifest's bytes."""
        files = [ModelFile(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in self.files.items()]
        return to_toml(ModelManifest(self.id, "1", "infer", "none", "random", "file-0", files))

    @cached_property
    def plaintext(self) -> bytes:
        """What is sealed."""
        return len(self.manifest).to_bytes(4, "big") + self.manifest + b"".join(self.files.values())

    @property
    def entry(self) -> CatalogueEntry:
        """The catalogue's entry."""
        return CatalogueEntry(self.id, "1", "infer", manifest_digest(self.manifest), "models")

    @cached_property
    def cipher(self) -> WeightsCipher:
        """What opens it."""
        return cipher_of(len(self.plaintext), self.id)

    @cached_property
    def chunks(self) -> list[bytes]:
        """The sealed chunks."""
        return list(seal_weights(self.cipher, [self.plaintext]))[1:]

    def segment(self, first: int, end: int, step: int = 1) -> bytes:
        """The bytes of one connection."""
        return b"".join(self.chunks[first:end:step])


def context_of(model: str) -> dict[str, str]:
    """The encryption context of a model's data key in the deployment of these tests."""
    return {"purpose": "model", "tenant": "demo", "model": model, "version": "1"}


def cipher_of(plaintext_bytes: int, model: str = "big") -> WeightsCipher:
    """A cipher for a model of that length."""
    head = SealedWeightsHead(model, "1", b"s" * 32, plaintext_bytes, b"w")
    return WeightsCipher(head, DATA_KEY, ARN, context_of(model))


async def in_pieces(data: bytes, step: int = 100_000) -> AsyncIterator[bytes]:
    """A body as it comes."""
    for at in range(0, len(data), step):
        yield data[at : at + step]
