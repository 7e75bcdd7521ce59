"""Classifiers as Optimum exports them: input_ids and attention_mask in, logits out, no token types; seeded weights."""

from typing import Any

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from strongroom.protocol.catalogue import ClassifySettings, TagSettings
from tests.enclave.engine.graphs import model, node, port, weight
from tests.enclave.engine.packages import Package

IDS, WIDTH = 259, 32
SAMPLED = set(np.linspace(IDS - 1, 0, 64, dtype=np.int64).tolist())
"""The tokens that a model of 64 tokens of context is tried with when it is loaded."""

CLASSIFY = ClassifySettings(context_tokens=64, labels=["good", "bad", "ugly"], scoring="softmax")
TAG = TagSettings(context_tokens=64, labels=["O", "B-X", "I-X", "B-Y", "I-Y"], scheme="bio", outside="O")
Settings = ClassifySettings | TagSettings


def embeddings() -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal((IDS, WIDTH)).astype(np.float32)


def text_classifier(labels: int = 3, table: NDArray[np.float32] | None = None) -> bytes:
    """Logits [b, labels] of the mean over a text's tokens."""
    last = [node("Squeeze", ["mean", "one"], ["text"]), node("MatMul", ["text", "head"], ["logits"])]
    return _graph(last, ["b", labels], table)


def token_classifier(labels: int = 5, table: NDArray[np.float32] | None = None) -> bytes:
    """Logits [b, s, labels] of each token and of the mean over its text."""
    last = [node("Add", ["words", "mean"], ["hidden"]), node("MatMul", ["hidden", "head"], ["logits"])]
    return _graph(last, ["b", "s", labels], table)


def first_text_only() -> bytes:
    """Logits [1, labels] whatever the batch, declared as any others."""
    last = [
        node("Squeeze", ["mean", "one"], ["text"]),
        node("MatMul", ["text", "head"], ["all"]),
        node("Slice", ["all", "zero", "one"], ["logits"]),
    ]
    return _graph(last, ["b", 3], None)


def packaged(package: Package, settings: Settings, graph: bytes | None = None) -> Package:
    """The tiny encoder's tokenizer with these settings and their graph."""
    if isinstance(settings, ClassifySettings):
        graph = graph or text_classifier(len(settings.labels))
        manifest = structs.replace(package.manifest, task="classify", embed=None, classify=settings)
    else:
        graph = graph or token_classifier(len(settings.labels))
        manifest = structs.replace(package.manifest, task="tag", embed=None, tag=settings)
    return package._replace(manifest=manifest).with_file(manifest.graph, graph)


def _graph(last: list[Any], logits: list[int | str | None], table: NDArray[np.float32] | None) -> bytes:
    nodes = [
        node("Gather", ["table", "input_ids"], ["words"]),
        node("Cast", ["attention_mask"], ["present"], to=1),
        node("Unsqueeze", ["present", "last"], ["weights"]),
        node("Mul", ["words", "weights"], ["weighted"]),
        node("ReduceSum", ["weighted", "one"], ["total"]),
        node("ReduceSum", ["weights", "one"], ["count"]),
        node("Div", ["total", "count"], ["mean"]),
    ]
    labels = logits[-1]
    assert isinstance(labels, int)
    head = np.random.default_rng(1).standard_normal((WIDTH, labels)).astype(np.float32)
    weights = [
        weight("table", embeddings() if table is None else table),
        weight("head", head),
        weight("last", np.array([-1])),
        weight("zero", np.array([0])),
        weight("one", np.array([1])),
    ]
    tokens = [port(name, "int64", ["b", "s"]) for name in ("input_ids", "attention_mask")]
    return model([*nodes, *last], tokens, [port("logits", "float32", logits)], weights)
