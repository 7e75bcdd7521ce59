"""A decoder's graph reads a text: after each token, what it holds the next one to be."""

import time
from importlib.resources import files
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from enclave.engine.sessions import open_session
from enclave.engine.telemetry import forbid_telemetry
from strongroom.models.decoder import DecoderShape
from strongroom.models.weights import FloatArray

Tokens = npt.NDArray[np.int64]
_THREADS = 2


class Reading(NamedTuple):
    """What a graph made of a text."""

    log_probabilities: FloatArray
    """[tokens - 1, rows, vocabulary], of each next token."""
    step_cpu_ms: float
    """Median CPU time, of both threads together, of one step of all rows: other work on the machine adds little."""


def passages(tokenizer: bytes, context_tokens: int) -> Tokens:
    """The tokens [rows, tokens] of the project's own text: its paragraphs, all as long as the shortest of them."""
    text = files("strongroom.models").joinpath("quality.txt").read_text(encoding="utf-8")
    loaded = Tokenizer.from_buffer(tokenizer)
    rows = [loaded.encode(paragraph, add_special_tokens=False).ids for paragraph in text.strip().split("\n\n")]
    length = min(context_tokens, *map(len, rows))
    return np.array([row[:length] for row in rows], dtype=np.int64)


def read(graph: bytes, shape: DecoderShape, rows: Tokens) -> Reading:
    """Read token by token, as a conversation goes: what is new, and the cache of what was before.

    Raises ModelRejected for a graph that onnxruntime does not load.
    """
    forbid_telemetry()
    session = open_session(graph, threads=_THREADS)
    names = [output.name.replace("present.", "past_key_values.") for output in session.get_outputs()]
    cache: dict[str, Any] = _empty_cache(shape, len(rows))
    found, cpu_ms = [], []
    for position in range(rows.shape[1] - 1):
        mask = np.ones((len(rows), position + 1), dtype=np.int64)
        begun = time.process_time()
        outputs = session.run(None, {"input_ids": rows[:, [position]], "attention_mask": mask, **cache})
        cpu_ms.append(1000 * (time.process_time() - begun))
        cache = dict(zip(names, outputs, strict=True))
        found.append(_log_softmax(cache.pop("logits")[:, 0]))
    return Reading(np.stack(found), median(cpu_ms))


def _empty_cache(shape: DecoderShape, rows: int) -> dict[str, FloatArray]:
    nothing = np.zeros((rows, shape.kv_heads, 0, shape.head_size), dtype=np.float32)
    return {f"past_key_values.{layer}.{part}": nothing for layer in range(shape.layers) for part in ("key", "value")}


def _log_softmax(logits: FloatArray) -> FloatArray:
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    found: FloatArray = (shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))).astype(np.float32)
    return found
