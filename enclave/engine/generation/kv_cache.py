"""The keys and values of all rows of a decoder, in memory that this module owns."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from enclave.engine.sessions import ort_value
from strongroom.protocol.catalogue import ChatSettings

if TYPE_CHECKING:
    from onnxruntime import IOBinding


def row_bytes(settings: ChatSettings) -> int:
    """Bytes of K/V that one conversation takes, whatever its length."""
    return 2 * settings.layers * settings.kv_heads * settings.context_tokens * settings.head_size * 4


class KVCache:
    """One float32 buffer [rows, kv_heads, context, head_size] per layer and part, allocated once.

    Past and present of the graph are bound to the same buffer, which GroupQueryAttention appends to in place. The
    OrtValues do not copy: the buffers live as long as this object, and the object must outlive every binding made by
    `bind`.
    """

    def __init__(self, settings: ChatSettings, rows: int) -> None:
        shape = (settings.kv_heads, settings.context_tokens, settings.head_size)
        names = [f"{layer}.{part}" for layer in range(settings.layers) for part in ("key", "value")]
        self.buffers: dict[str, NDArray[np.float32]] = {name: _zeros((rows, *shape)) for name in names}
        self._spare = _zeros(shape)
        self._used_tokens = [0] * rows

    def bind(self, binding: "IOBinding", first: int, count: int) -> None:
        """Make `count` rows from `first` on the past and the present of the binding."""
        for name, buffer in self.buffers.items():
            value = ort_value(buffer[first : first + count])
            binding.bind_ortvalue_input(f"past_key_values.{name}", value)
            binding.bind_ortvalue_output(f"present.{name}", value)

    def use(self, row: int, tokens: int) -> None:
        """Note that a step will have written the first `tokens` of the row."""
        self._used_tokens[row] = max(self._used_tokens[row], tokens)

    def swap(self, one: int, other: int) -> None:
        """Exchange two rows, as far as they were written."""
        used = self._used_tokens
        if (tokens := max(used[one], used[other])) and one != other:
            spare = self._spare[:, :tokens]
            for buffer in self.buffers.values():
                spare[:] = buffer[one, :, :tokens]
                buffer[one, :, :tokens] = buffer[other, :, :tokens]
                buffer[other, :, :tokens] = spare
            spare[:] = 0
        used[one], used[other] = used[other], used[one]

    def clear(self, row: int) -> None:
        """Overwrite with zeros all that was written to the row."""
        for buffer in self.buffers.values():
            buffer[row, :, : self._used_tokens[row]] = 0
        self._used_tokens[row] = 0

    def clear_all(self) -> None:
        """Overwrite everything with zeros, also what was left of a swap that failed."""
        for buffer in (*self.buffers.values(), self._spare):
            buffer[:] = 0
        self._used_tokens = [0] * len(self._used_tokens)


def _zeros(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Zeros in pages that are there: those of np.zeros come one by one at the first conversations, which wait."""
    array = np.empty(shape, dtype=np.float32)
    array.fill(0)
    return array
