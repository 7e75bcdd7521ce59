"""A tiny classifier and a tiny tagger whose answers are known: a byte of a text is a digit, a letter, or neither.

Graphs as Optimum exports them: input_ids and attention_mask in, logits out.
"""

from pathlib import Path

import numpy as np
from msgspec import structs
from onnx import TensorProto

from strongroom.models.assemble import GRAPH, TOKENIZER, Identity
from strongroom.models.graph import Dimensions, Graph
from strongroom.models.package import write_package
from strongroom.models.tokenizer_json import byte_alphabet, byte_level_bpe
from strongroom.models.weights import FloatArray
from strongroom.protocol.catalogue import ClassifySettings, ModelManifest, TagSettings

_SPECIAL = ["[PAD]", "[CLS]", "[SEP]"]
_TOKENS = _SPECIAL + byte_alphabet()
_CONTEXT_TOKENS = 512
_LABELS = ["other", "number", "word"]
_CERTAIN = 8.0
"""The logit of a token's own label; the others are 0."""
_BATCH: Dimensions = ["batch_size", "sequence_length"]


def build_tiny_classifier(out: Path) -> Path:
    """Write the package `tiny-classifier` to `out` (absent or empty): is a text words, numbers, or something else?

    The logits are the means over its bytes.
    """
    graph = Graph("classifier")
    logits, mask = _token_logits(graph, "tokens")
    present = graph.add("Cast", mask, name="present", to=TensorProto.FLOAT)
    weights = graph.add("Unsqueeze", present, graph.integers(2), name="weights")
    weighted = graph.add("Mul", logits, weights, name="weighted")
    total = graph.add("ReduceSum", weighted, graph.integers(1), name="total", keepdims=0)
    count = graph.add("ReduceSum", weights, graph.integers(1), name="count", keepdims=0)
    graph.add("Div", total, count, name="logits")
    graph.output("logits", np.float32, ["batch_size", len(_LABELS)])
    settings = ClassifySettings(context_tokens=_CONTEXT_TOKENS, labels=_LABELS, scoring="softmax")
    return _write(out, graph, structs.replace(_identity("tiny-classifier").manifest("classify"), classify=settings))


def build_tiny_tagger(out: Path) -> Path:
    """Write the package `tiny-tagger` to `out` (absent or empty): where in a text are its numbers and words?"""
    graph = Graph("tagger")
    _token_logits(graph, "logits")
    graph.output("logits", np.float32, [*_BATCH, len(_LABELS)])
    settings = TagSettings(context_tokens=_CONTEXT_TOKENS, labels=_LABELS, scheme="plain", outside="other")
    return _write(out, graph, structs.replace(_identity("tiny-tagger").manifest("tag"), tag=settings))


def _token_logits(graph: Graph, name: str) -> tuple[str, str]:
    """The logits [b, s, labels] under that name, and the mask."""
    ids, mask = (graph.input(each, np.int64, _BATCH) for each in ("input_ids", "attention_mask"))
    return graph.add("Gather", graph.constant("table", _table()), ids, name=name), mask


def _table() -> FloatArray:
    """A row of logits for each token; those of the frame say nothing."""
    table = np.zeros((len(_TOKENS), len(_LABELS)), dtype=np.float32)
    for index, token in enumerate(_TOKENS):
        if token not in _SPECIAL:
            table[index, _LABELS.index(_label(token))] = _CERTAIN
    return table


def _label(token: str) -> str:
    """Of the byte that this character stands for; bytes beyond ASCII are parts of words."""
    if token.isascii():
        return "number" if token.isdigit() else "word" if token.isalpha() else "other"
    return "other" if "\u0100" <= token <= "\u0121" else "word"  # a control byte or a space


def _identity(model_id: str) -> Identity:
    return Identity(id=model_id, licence="Apache-2.0", source="strongroom.models.tiny_labels")


def _write(out: Path, graph: Graph, manifest: ModelManifest) -> Path:
    tokenizer = byte_level_bpe(_TOKENS, [], _SPECIAL, frame=("[CLS]", "[SEP]"))
    return write_package(out, manifest, {GRAPH: graph.to_bytes(), TOKENIZER: tokenizer})
