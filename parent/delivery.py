"""What the provisioner delivers, read and checked as far as the parent can: names, sizes, heads."""

import asyncio
import os
import re
import tomllib
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from parent.errors import SourceUnusable
from parent.settings import Sources
from strongroom.protocol.constants import MAX_CATALOGUE_BYTES, MAX_CONFIGURATION_BYTES, TAG_BYTES
from strongroom.protocol.errors import ProtocolError
from strongroom.protocol.messages import MAX_WEIGHTS_HEAD_BYTES, WEIGHTS_CHUNK_BYTES, SealedWeightsHead

_MODEL_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_PIECE_BYTES = (WEIGHTS_CHUNK_BYTES + TAG_BYTES) // 4


@dataclass(frozen=True)
class Segment:
    """Every n-th chunk of a sealed model from one on; it travels over a connection of its own."""

    chunks: range
    size_bytes: int


@dataclass(frozen=True)
class SealedModel:
    """A `<model id>.sealed` file, as long as its head says."""

    id: str
    path: Path
    head: SealedWeightsHead

    @classmethod
    def open(cls, folder: Path, model_id: str) -> Self:
        """Read the head of `<model_id>.sealed`. Raises SourceUnusable."""
        path = folder / f"{model_id}.sealed"
        try:
            head, length = SealedWeightsHead.read(_read(path, MAX_WEIGHTS_HEAD_BYTES, whole=False))
        except ProtocolError as error:
            raise SourceUnusable(f"{path.name}: {error}") from None
        if head.model != model_id:
            raise SourceUnusable(f"{path.name}: expected the sealed model {model_id}, got {head.model}")
        model = cls(model_id, path, head)
        if (actual := path.stat().st_size) != (expected := length + model.weights_bytes):
            raise SourceUnusable(f"{path.name}: expected {expected} bytes, got {actual}")
        return model

    @property
    def weights_bytes(self) -> int:
        """The length of all chunks."""
        return self.head.segment_bytes(0, self.head.chunks)

    def segments(self, streams: int) -> list[Segment]:
        """All chunks, dealt out to `streams` segments in turn; fewer where there are not as many chunks.

        So what comes first is what lies first: the enclave hashes a file from its front while the rest comes.
        """
        streams = min(streams, self.head.chunks)
        return [self._segment(range(first, self.head.chunks, streams)) for first in range(streams)]

    def _segment(self, chunks: range) -> Segment:
        whole, last = (self.head.segment_bytes(index, index + 1) for index in (0, chunks[-1]))
        return Segment(chunks, (len(chunks) - 1) * whole + last)

    async def read(self, segment: Segment) -> AsyncGenerator[bytes, None]:
        """The bytes of a segment, in quarters of a chunk. Raises SourceUnusable, also when the file has shrunk.

        Larger pieces cost more, in fresh pages for each, than they save in system calls.
        """
        try:
            with await asyncio.to_thread(self.path.open, "rb") as file:
                for offset, size_bytes in self._pieces(segment):
                    piece = await asyncio.to_thread(os.pread, file.fileno(), size_bytes, offset)
                    if len(piece) != size_bytes:  # the enclave would wait for the rest until its time is over
                        raise SourceUnusable(f"{self.path.name}: expected its whole length, got a file that has shrunk")
                    yield piece
        except OSError as error:
            raise SourceUnusable(f"{self.path.name}: expected a readable file ({error.strerror})") from None

    def _pieces(self, segment: Segment) -> Iterator[tuple[int, int]]:
        """Where each piece lies in the file, and its length."""
        front = len(self.head.to_bytes())
        for index in segment.chunks:
            begin, end = (front + self.head.segment_bytes(0, edge) for edge in (index, index + 1))
            for offset in range(begin, end, _PIECE_BYTES):
                yield offset, min(_PIECE_BYTES, end - offset)


@dataclass(frozen=True)
class Delivery:
    """One boot's worth of sources, complete before the first step is taken."""

    configuration: bytes = field(repr=False)
    catalogue: bytes = field(repr=False)
    models: tuple[SealedModel, ...]

    @classmethod
    def load(cls, sources: Sources) -> Self:
        """Read both TOML files and the head of every model that the catalogue names. Blocks. Raises SourceUnusable."""
        catalogue = _read(sources.catalogue, MAX_CATALOGUE_BYTES)
        return cls(
            _read(sources.configuration, MAX_CONFIGURATION_BYTES),
            catalogue,
            tuple(SealedModel.open(sources.sealed_models, model_id) for model_id in _model_ids(catalogue)),
        )


def _model_ids(catalogue: bytes) -> list[str]:
    """The ids only: whether the catalogue is valid is for the enclave to judge."""
    try:
        ids = [entry["id"] for entry in tomllib.loads(catalogue.decode())["model"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        ids = []
    if not ids or not all(isinstance(model_id, str) and _MODEL_ID.fullmatch(model_id) for model_id in ids):
        raise SourceUnusable("catalogue: expected TOML with an id of [a-z0-9._-] in each [[model]]")
    return ids


def _read(path: Path, max_bytes: int, *, whole: bool = True) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(max_bytes + whole)
    except OSError as error:
        raise SourceUnusable(f"{path.name}: expected a readable file ({error.strerror})") from None
    if len(data) > max_bytes:
        raise SourceUnusable(f"{path.name}: expected at most {max_bytes} bytes, got more")
    return data
