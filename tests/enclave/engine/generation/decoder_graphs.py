"""Decoder graphs of other makers: logits for every token, or a past that cannot be appended to in place."""

from typing import Any

import numpy as np

from strongroom.protocol.catalogue import ChatSettings
from tests.enclave.engine.graphs import Shape, model, node, parse, port, weight


def every_logit(settings: ChatSettings, vocabulary: int) -> bytes:
    """One GroupQueryAttention layer; logits [b, s, vocabulary], as the genai model builder writes them."""
    lengths = [
        node("ReduceSum", ["attention_mask", "last_axis"], ["total"], keepdims=0),
        node("Sub", ["total", "one"], ["before"]),
        node("Cast", ["before"], ["lengths"], to=6),
        node("Shape", ["attention_mask"], ["mask_shape"]),
        node("Gather", ["mask_shape", "one"], ["longest"]),
        node("Cast", ["longest"], ["longest32"], to=6),
    ]
    attention = node(
        "GroupQueryAttention",
        ["hidden", "hidden", "hidden", "past_key_values.0.key", "past_key_values.0.value", "lengths", "longest32"],
        ["mixed", "present.0.key", "present.0.value"],
        domain="com.microsoft",
        num_heads=settings.kv_heads,
        kv_num_heads=settings.kv_heads,
    )
    return _decoder([*lengths, attention], settings, vocabulary)


def first_length_for_all(settings: ChatSettings, vocabulary: int) -> bytes:
    """The same, but every row is taken to be as long as the first: right for one row alone."""
    built = parse(every_logit(settings, vocabulary))
    (cast,) = [node for node in built.graph.node if list(node.output) == ["lengths"]]
    cast.output[0] = "own_lengths"
    at = list(built.graph.node).index(cast) + 1
    built.graph.node.insert(at, node("Gather", ["own_lengths", "zero"], ["first_length"]))
    built.graph.node.insert(at + 1, node("Shape", ["own_lengths"], ["rows"]))
    built.graph.node.insert(at + 2, node("Expand", ["first_length", "rows"], ["lengths"]))
    built.graph.initializer.append(weight("zero", np.array([0])))
    return bytes(built.SerializeToString())


def one_row(settings: ChatSettings, vocabulary: int) -> bytes:
    """The same for a batch of one and no other."""
    built = parse(every_logit(settings, vocabulary))
    for value in built.graph.input:
        value.type.tensor_type.shape.dim[0].dim_value = 1
    return bytes(built.SerializeToString())


def dynamic_int8(settings: ChatSettings, vocabulary: int) -> bytes:
    """The same with its last product in int8: DynamicQuantizeLinear takes one scale for the whole batch.

    The last token is louder than all others, so that it alone sets the scale where it is in.
    """
    built = parse(every_logit(settings, vocabulary))
    embedding, head = (
        next(tensor for tensor in built.graph.initializer if tensor.name == name) for name in ("embedding", "head")
    )
    table = np.frombuffer(embedding.raw_data, np.float32).reshape(embedding.dims).copy()
    quantized = np.clip(np.round(40 * table.T), -127, 127).astype(np.int8)
    table[-1] *= 1000
    embedding.raw_data = table.tobytes()
    built.graph.initializer.remove(head)
    built.graph.initializer.append(weight("head", quantized))
    built.graph.node.pop()
    built.graph.node.extend(
        [
            node("DynamicQuantizeLinear", ["mixed"], ["quantized", "scale", "zero"]),
            node("MatMulInteger", ["quantized", "head", "zero"], ["product"]),
            node("Cast", ["product"], ["real"], to=1),
            node("Mul", ["real", "scale"], ["logits"]),
        ]
    )
    return bytes(built.SerializeToString())


def broken_weights(settings: ChatSettings, vocabulary: int) -> bytes:
    """The same with weights that are no numbers."""
    built = parse(every_logit(settings, vocabulary))
    (head,) = [tensor for tensor in built.graph.initializer if tensor.name == "head"]
    head.raw_data = np.full(head.dims, np.nan, dtype=np.float32).tobytes()
    return bytes(built.SerializeToString())


def missing_embedding(settings: ChatSettings, vocabulary: int) -> bytes:
    """The same without the embedding of the last token, which it can name all the same."""
    built = parse(every_logit(settings, vocabulary))
    (table,) = [tensor for tensor in built.graph.initializer if tensor.name == "embedding"]
    table.dims[0] -= 1
    table.raw_data = table.raw_data[: -4 * table.dims[1]]
    return bytes(built.SerializeToString())


def growing_past(settings: ChatSettings, vocabulary: int) -> bytes:
    """The present is the past with something after it, a new tensor every time: not a graph for fixed buffers."""
    nodes = [
        node("Concat", [f"past_key_values.0.{part}", f"past_key_values.0.{part}"], [f"present.0.{part}"], axis=2)
        for part in ("key", "value")
    ]
    return _decoder([*nodes, node("Identity", ["hidden"], ["mixed"])], settings, vocabulary)


def _decoder(nodes: list[Any], settings: ChatSettings, vocabulary: int) -> bytes:
    random = np.random.default_rng(0)
    width = settings.kv_heads * settings.head_size
    embedding = random.standard_normal((vocabulary, width)).astype(np.float32)
    cache: Shape = ["b", settings.kv_heads, "p", settings.head_size]
    weights = [
        weight("embedding", embedding),
        weight("head", np.ascontiguousarray(embedding.T)),
        weight("one", np.array(1)),
        weight("last_axis", np.array([1])),
    ]
    present: Shape = ["b", settings.kv_heads, "q", settings.head_size]
    return model(
        [node("Gather", ["embedding", "input_ids"], ["hidden"]), *nodes, node("MatMul", ["mixed", "head"], ["logits"])],
        [
            port("input_ids", "int64", ["b", "s"]),
            port("attention_mask", "int64", ["b", "t"]),
            *(port(f"past_key_values.0.{part}", "float32", cache) for part in ("key", "value")),
        ],
        [
            port("logits", "float32", ["b", "s", vocabulary]),
            *(port(f"present.0.{part}", "float32", present) for part in ("key", "value")),
        ],
        weights,
    )
