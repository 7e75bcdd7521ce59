"""What the provisioner delivers, read and checked as far as the parent can: names, sizes, heads."""

import asyncio
import re
import tomllib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from parent.errors import SourceUnusable
from parent.settings import Sources
from strongroom.protocol.constants import MAX_CATALOGUE_BYTES, MAX_CONFIGURATION_BYTES
from strongroom.protocol.errors import ProtocolError
from strongroom.protocol.messages import MAX_WEIGHTS_HEAD_BYTES, SealedWeightsHead

_MODEL_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_WRITE_BYTES = 64 << 10


@dataclass(frozen=True)
class SealedModel:
    """A `<model id>.sealed` file: its head, and where the weights begin and how long they are."""

    id: str
    path: Path
    head: bytes = field(repr=False)
    weights_bytes: int

    @classmethod
    def open(cls, folder: Path, model_id: str) -> Self:
        """Read the head of `<model_id>.sealed`. Raises SourceUnusable."""
        path = folder / f"{model_id}.sealed"
        start = _read(path, MAX_WEIGHTS_HEAD_BYTES, whole=False)
        try:
            head, length = SealedWeightsHead.read(start)
        except ProtocolError as error:
            raise SourceUnusable(f"{path.name}: {error}") from None
        if head.model != model_id:
            raise SourceUnusable(f"{path.name}: expected the sealed model {model_id}, got {head.model}")
        return cls(model_id, path, start[:length], path.stat().st_size - length)

    async def weights(self) -> AsyncIterator[bytes]:
        """Everything behind the head, in writes of 64 KiB. Raises SourceUnusable, also when the file has shrunk."""
        left = self.weights_bytes
        try:
            with await asyncio.to_thread(self.path.open, "rb") as file:
                file.seek(len(self.head))
                while chunk := await asyncio.to_thread(file.read, min(_WRITE_BYTES, left)):
                    left -= len(chunk)
                    yield chunk
        except OSError as error:
            raise SourceUnusable(f"{self.path.name}: expected a readable file ({error.strerror})") from None
        if left:  # the enclave would wait for the rest until its time is over
            raise SourceUnusable(f"{self.path.name}: expected {left} more bytes, got a file that has shrunk")


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
