"""An encoder graph: token lists in, one vector per token out."""

from collections.abc import Sequence
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

    Output: last_hidden_state float32 [b, s, dimensions].
    """

    def __init__(self, session: "InferenceSession", dimensions: int) -> None:
        """Check the ports; raise ModelRejected."""
        found = inputs(session)
        self._session = session
        self._names = [*_NAMES, _TYPES] if _TYPES in found else list(_NAMES)
        require_ports(found, [Port(name, *_TOKENS) for name in self._names])
        hidden = Port("last_hidden_state", "tensor(float)", (None, None, dimensions))
        require_ports(outputs(session), [hidden])

    def run(self, texts: Sequence[Sequence[int]]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Hidden states float32 [texts, longest, dimensions] and mask int64 [texts, longest]; raise InferenceFailed."""
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
        return found["last_hidden_state"], mask
