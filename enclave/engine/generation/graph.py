"""A decoder graph and the buffers it runs on: tokens of some rows in, their logits out."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from enclave.engine.generation.kv_cache import KVCache
from enclave.engine.generation.ports import require_decoder
from enclave.engine.sessions import ort_value, run_bound
from strongroom.protocol.catalogue import ChatSettings

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, IOBinding

MAX_STEP_TOKENS = 64
"""Prompts run in steps of at most this many tokens: what a running stream waits for between two of its tokens."""


class DecoderGraph:
    """The graph's session with preallocated tokens, masks, logits and KV cache of `rows` conversations.

    Inputs: input_ids [b, s] and attention_mask [b, t] int64, past_key_values.{layer}.key and .value
    [b, kv_heads, p, head_size] float32. Outputs: logits, of every token [b, s, vocabulary] or of the last alone
    [b, 1, vocabulary], and present.{layer}.key and .value.
    """

    def __init__(self, session: "InferenceSession", settings: ChatSettings, rows: int) -> None:
        """Check the graph's ports against the settings; raise ModelRejected."""
        self._session = session
        self._last_only, self.vocabulary = require_decoder(session, settings)
        self.rows = rows
        self.cache = KVCache(settings, rows)
        tokens = max(rows, MAX_STEP_TOKENS)
        self.tokens = np.zeros(tokens, dtype=np.int64)
        self.mask = np.zeros(rows * settings.context_tokens, dtype=np.int64)
        self.logits = np.zeros((rows if self._last_only else tokens) * self.vocabulary, dtype=np.float32)
        self._positions = np.arange(settings.context_tokens)
        self._bindings: dict[tuple[int, int], IOBinding] = {}

    def step(self, first: int, tokens: Sequence[Sequence[int]], before: Sequence[int]) -> NDArray[np.float32]:
        """Append equally many tokens to each of the rows from `first` on, which hold `before` tokens; raise
        InferenceFailed.

        One row takes up to MAX_STEP_TOKENS, several take one each. Returns the logits [rows of the step, vocabulary]
        after their last token: a view on a buffer, valid until the next step.
        """
        count, width = len(tokens), len(tokens[0])
        self.tokens[: count * width].reshape(count, width)[:] = tokens
        ends = [length + width for length in before]
        for row, end in enumerate(ends, first):
            self.cache.use(row, end)
        outputs = 1 if self._last_only else width
        logits = self.logits[: count * outputs * self.vocabulary].reshape(count, outputs, self.vocabulary)
        binding = self._binding(first, count)
        binding.bind_ortvalue_input("input_ids", ort_value(self.tokens[: count * width].reshape(count, width)))
        binding.bind_ortvalue_input("attention_mask", ort_value(self._mask(ends)))
        binding.bind_ortvalue_output("logits", ort_value(logits))
        run_bound(self._session, binding)
        last: NDArray[np.float32] = logits[:, -1]
        return last

    def forget(self, row: int) -> None:
        """Overwrite with zeros the row's K/V, and the tokens and logits of the last steps, which are dead by then."""
        self.cache.clear(row)
        self._forget_step()

    def forget_all(self) -> None:
        """The same for all rows, whatever is known of them."""
        self.cache.clear_all()
        self._forget_step()

    def _forget_step(self) -> None:
        self.tokens[:] = 0
        self.logits[:] = 0

    def _mask(self, ends: Sequence[int]) -> NDArray[np.int64]:
        """Ones up to each row's end: GroupQueryAttention takes a row's length from their sum."""
        longest = max(ends)
        mask = self.mask[: len(ends) * longest].reshape(len(ends), longest)
        np.less(self._positions[:longest], np.array(ends)[:, np.newaxis], out=mask)
        return mask

    def _binding(self, first: int, count: int) -> "IOBinding":
        """The rows' K/V bound, made once for each range of rows; the buffers of this object outlive it."""
        if (binding := self._bindings.get((first, count))) is None:
            binding = self._session.io_binding()
            self.cache.bind(binding, first, count)
            self._bindings[first, count] = binding
        return binding
