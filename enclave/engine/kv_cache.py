"""The keys and values of one conversation, in memory that this module owns."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from enclave.engine.sessions import ort_value
from strongroom.protocol.catalogue import ChatSettings

if TYPE_CHECKING:
    from onnxruntime import IOBinding


class KVCache:
    """One flat float32 buffer per layer and part, allocated once for the whole context.

    Past and present of the graph are bound to the same buffer, which GroupQueryAttention appends to in place. A shorter
    conversation takes the front of each buffer, so that clearing costs what was used. The OrtValues do not copy: the
    buffers live as long as this object, and the object must outlive every binding made by `bind`.
    """

    def __init__(self, settings: ChatSettings) -> None:
        self._settings = settings
        self._items_per_token = settings.kv_heads * settings.head_size
        self.buffers: dict[str, NDArray[np.float32]] = {
            f"{layer}.{part}": np.zeros(settings.context_tokens * self._items_per_token, dtype=np.float32)
            for layer in range(settings.layers)
            for part in ("key", "value")
        }
        self._used_items = 0

    def bind(self, binding: "IOBinding", capacity_tokens: int) -> None:
        """Make a conversation of at most `capacity_tokens` the past and the present of the binding."""
        self._used_items = capacity_tokens * self._items_per_token
        shape = (1, self._settings.kv_heads, capacity_tokens, self._settings.head_size)
        for name, buffer in self.buffers.items():
            value: Any = ort_value(buffer[: self._used_items].reshape(shape))
            binding.bind_ortvalue_input(f"past_key_values.{name}", value)
            binding.bind_ortvalue_output(f"present.{name}", value)

    def clear(self) -> None:
        """Overwrite with zeros all that the last conversation could have written."""
        for buffer in self.buffers.values():
            buffer[: self._used_items] = 0
        self._used_items = 0
