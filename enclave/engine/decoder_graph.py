"""A decoder graph and the buffers it runs on: tokens in, logits out, one conversation at a time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from enclave.engine.errors import InferenceFailed, ModelRejected
from enclave.engine.kv_cache import KVCache
from enclave.engine.sessions import Port, inputs, ort_value, outputs, require_ports, run_bound
from strongroom.protocol.catalogue import ChatSettings

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, IOBinding

MAX_STEP_TOKENS = 64
"""Prompts run in steps of at most this many tokens: the logits of a step are vocabulary × 4 bytes per token."""

_FLOAT, _INT64 = "tensor(float)", "tensor(int64)"


class DecoderGraph:
    """The graph's session with preallocated tokens, mask, logits and KV cache.

    Inputs: input_ids [b, s] and attention_mask [b, t] int64, past_key_values.{layer}.key and .value
    [b, kv_heads, p, head_size] float32. Outputs: logits, of every token [b, s, vocabulary] or of the last alone
    [b, 1, vocabulary], and present.{layer}.key and .value.
    """

    def __init__(self, session: "InferenceSession", settings: ChatSettings) -> None:
        """Check the graph against the settings and run it once; raise ModelRejected."""
        self._session = session
        rows, self.vocabulary = _logits_shape(session, settings)
        self.cache = KVCache(settings)
        self._tokens = np.zeros(MAX_STEP_TOKENS, dtype=np.int64)
        self._mask = np.ones(settings.context_tokens, dtype=np.int64)
        self.logits = np.zeros((1 if rows == 1 else MAX_STEP_TOKENS, self.vocabulary), dtype=np.float32)
        self._try()

    @contextmanager
    def conversation(self, capacity_tokens: int) -> Iterator["Conversation"]:
        """A conversation of at most `capacity_tokens`; at its end everything it wrote is overwritten with zeros."""
        binding = self._session.io_binding()
        try:
            self.cache.bind(binding, capacity_tokens)
            yield Conversation(self, binding)
        finally:
            self.cache.clear()
            self._tokens[:] = 0
            self.logits[:] = 0

    def step(self, binding: "IOBinding", tokens: Sequence[int], position: int) -> NDArray[np.float32]:
        """Append up to MAX_STEP_TOKENS tokens at `position`; return the logits [vocabulary] after the last.

        The logits are a view on a buffer: valid until the next step.
        """
        count = len(tokens)
        self._tokens[:count] = tokens
        logits = self.logits[:count]
        binding.bind_ortvalue_input("input_ids", ort_value(self._tokens[:count].reshape(1, count)))
        binding.bind_ortvalue_input("attention_mask", ort_value(self._mask[: position + count].reshape(1, -1)))
        binding.bind_ortvalue_output("logits", ort_value(logits[np.newaxis]))
        run_bound(self._session, binding)
        last: NDArray[np.float32] = logits[-1]
        return last

    def _try(self) -> None:
        """A graph that cannot append to its past in place fails here, and not in the first request."""
        try:
            with self.conversation(4) as conversation:
                conversation.append([0, 0])
                finite = np.isfinite(conversation.append([0])).all()
        except InferenceFailed as error:
            raise ModelRejected(f"graph: expected a decoder that appends in place: {error}") from None
        if not finite:
            raise ModelRejected("graph: expected finite logits, got others")


class Conversation:
    """The tokens appended so far; made by `DecoderGraph.conversation`."""

    def __init__(self, graph: DecoderGraph, binding: "IOBinding") -> None:
        self._graph = graph
        self._binding = binding
        self._position = 0

    def append(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """Run at most MAX_STEP_TOKENS more tokens; return the logits [vocabulary], valid until the next call."""
        logits = self._graph.step(self._binding, tokens, self._position)
        self._position += len(tokens)
        return logits


def _logits_shape(session: "InferenceSession", settings: ChatSettings) -> tuple[int | str | None, int]:
    """Check the ports; return the logits' rows per step (1, or a symbol for all) and the size of the vocabulary."""
    cache = (None, settings.kv_heads, None, settings.head_size)
    names = [f"{layer}.{part}" for layer in range(settings.layers) for part in ("key", "value")]
    tokens = [Port("input_ids", _INT64, (None, None)), Port("attention_mask", _INT64, (None, None))]
    require_ports(inputs(session), tokens + [Port(f"past_key_values.{name}", _FLOAT, cache) for name in names])
    found = outputs(session)
    logits = Port("logits", _FLOAT, (None, None, None))
    require_ports(found, [logits] + [Port(f"present.{name}", _FLOAT, (None,) * 4) for name in names])
    _, rows, vocabulary = found["logits"].shape
    if not isinstance(vocabulary, int) or vocabulary < 1:
        raise ModelRejected("graph: logits: expected a fixed size of the vocabulary, got a symbol")
    return rows, vocabulary
