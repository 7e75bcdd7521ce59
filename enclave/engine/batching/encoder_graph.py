"""An encoder graph: token lists in, numbers for each text or token out."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from enclave.engine.errors import InferenceFailed, InvalidTensor
from enclave.engine.sessions import Port, inputs, outputs, require_ports, run_session

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_TOKENS = ("tensor(int64)", (None, None))
_NAMES = ("input_ids", "attention_mask")
_TYPES = "token_type_ids"


class EncoderGraph:
    """Inputs input_ids, attention_mask and, where the graph has it, token_type_ids, int64 [b, s].

    One output, float32 [b, width] or [b, s, width].
    """

    def __init__(self, session: "InferenceSession", output: Port) -> None:
        """Check the ports; raise ModelRejected."""
        found = inputs(session)
        self._session = session
        self._output = output
        self._names = [*_NAMES, _TYPES] if _TYPES in found else list(_NAMES)
        require_ports(found, [Port(name, *_TOKENS) for name in self._names])
        require_ports(outputs(session), [output])

    @contextmanager
    def run(self, texts: Sequence[Sequence[int]]) -> Iterator[list[NDArray[np.float32]]]:
        """For each text its own numbers, [width] or [its tokens, width]; raise InferenceFailed.

        They are zeros when the block ends.
        """
        numbers = self._run(texts)
        try:
            yield [own[: len(text)] if numbers.ndim == 3 else own for own, text in zip(numbers, texts, strict=True)]
        finally:
            numbers.fill(0)

    def _run(self, texts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        shape = (len(texts), max(1, *map(len, texts)))
        tokens, mask = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        for row, text in enumerate(texts):
            tokens[row, : len(text)] = text
            mask[row, : len(text)] = 1
        feeds = {"input_ids": tokens, "attention_mask": mask, _TYPES: np.zeros(shape, dtype=np.int64)}
        try:
            found = run_session(self._session, {name: feeds[name] for name in self._names})
        except InvalidTensor:
            raise InferenceFailed("expected a graph that takes the tokens of its tokenizer, got another") from None
        finally:
            tokens.fill(0)
        return self._checked(found[self._output.name], shape)

    def _checked(self, numbers: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
        """Of another shape than declared, onnxruntime only warns; and a text would get the numbers of another."""
        *axes, width = self._output.shape
        if numbers.shape != (*shape[: len(axes)], width):
            raise InferenceFailed("expected numbers for each of the texts, got a tensor of another shape")
        return numbers
