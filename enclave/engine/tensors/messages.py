"""What the enclave and the process of a tensor model say to each other.

    enclave ── Load, its files ──► process      once, first
            ◄── Ports | Refused ──
            ── Run, its tensors ──►             one at a time
            ── Cancel ──►                       perhaps, while it runs
            ◄── Answer, its tensors | Failed | Outgrown ──

A message is four bytes of length, so much JSON, and behind it as many raw bytes as the JSON says.
"""

import math
from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from enclave.engine.sessions import Port
from strongroom.protocol.tensors import ITEM_BYTES, DType, Shape, Tensor

LENGTH_BYTES = 4
_Number = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]


class Message(Struct, frozen=True, forbid_unknown_fields=True, tag_field="is"):
    """Base of all: the head of a message."""

    @property
    def sizes(self) -> list[int]:
        """Of the parts that come behind the head, in bytes."""
        return []

    def to_bytes(self) -> bytes:
        """The head, without the parts."""
        head = msgspec.json.encode(self)
        return len(head).to_bytes(LENGTH_BYTES) + head


class Load(Message, frozen=True, tag="load"):
    """Load this graph with these files, whose bytes follow, the graph's first, within so much address space."""

    memory_bytes: int
    threads: int
    graph_bytes: int
    files_bytes: dict[str, int]

    @property
    def sizes(self) -> list[int]:
        return [self.graph_bytes, *self.files_bytes.values()]


class TensorHead(Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """A tensor without its bytes."""

    name: str
    dtype: DType
    shape: Shape

    @property
    def size_bytes(self) -> int:
        """Of the bytes that follow."""
        return math.prod(self.shape) * ITEM_BYTES[self.dtype]


class WithTensors(Message, frozen=True):
    """Tensors, whose bytes follow in the same order."""

    number: _Number
    """Of the run."""
    tensors: list[TensorHead]

    @property
    def sizes(self) -> list[int]:
        return [head.size_bytes for head in self.tensors]

    def with_parts(self, parts: list[bytes]) -> dict[str, Tensor]:
        """The tensors by name."""
        pairs = zip(self.tensors, parts, strict=True)
        return {head.name: Tensor(head.dtype, head.shape, part) for head, part in pairs}


class Run(WithTensors, frozen=True, tag="run"):
    """Run the graph on these inputs."""


class Cancel(Message, frozen=True, tag="cancel"):
    """End the run of that number at its next operator, if it still runs."""

    number: _Number


class Ports(Message, frozen=True, tag="ports"):
    """It is loaded, and has these inputs and outputs, by onnxruntime's account."""

    inputs: list[Port]
    outputs: list[Port]


class Refused(Message, frozen=True, tag="refused"):
    """onnxruntime does not load it."""


class Answer(WithTensors, frozen=True, tag="answer"):
    """The outputs of the run."""


class Failed(Message, frozen=True, tag="failed"):
    """The run ended without outputs, by the fault of its values, or not; a cancelled one too."""

    number: _Number
    by_values: bool


class Outgrown(Message, frozen=True, tag="outgrown"):
    """The outputs of the run are of so many bytes, which no answer holds."""

    number: _Number
    size_bytes: _Number


def heads(tensors: Mapping[str, Tensor]) -> list[TensorHead]:
    """Of the tensors, in their order."""
    return [TensorHead(name, tensor.dtype, tensor.shape) for name, tensor in tensors.items()]
