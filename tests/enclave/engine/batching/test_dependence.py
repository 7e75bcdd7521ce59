"""Graphs whose arithmetic depends on the batch: found at load, and never run with two requests in a batch."""

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from msgspec import structs
from numpy.typing import NDArray

from enclave.engine.batching.dependence import company_matters
from enclave.engine.batching.encoder import Encoder
from enclave.engine.batching.encoder_graph import EncoderGraph
from enclave.engine.batching.heads.embedding import Pooled
from enclave.engine.batching.runner import BatchRunner
from enclave.engine.errors import ModelRejected
from enclave.engine.quantization import quantizes_dynamically
from enclave.engine.sessions import Port, open_session
from tests.enclave.engine.batching.parts import embed
from tests.enclave.engine.graphs import Shape, model, node, port, weight
from tests.enclave.engine.packages import Package

Vectors = Encoder[Pooled]
QUIET = "aaaa bbbb"
IDS, DIMENSIONS = 259, 32
HIDDEN = Port("last_hidden_state", "tensor(float)", (None, None, DIMENSIONS))
TEXT = Port("text", "tensor(float)", (None, DIMENSIONS))


def dynamic_int8_encoder(output: str = HIDDEN.name) -> bytes:
    """Embeddings times a matrix, in int8: DynamicQuantizeLinear takes one scale for the whole batch.

    The numbers of each token are the output of that name; `text` is their sum.
    """
    rng = np.random.default_rng(0)
    table = rng.standard_normal((IDS, DIMENSIONS)).astype(np.float32)
    table[IDS // 3 :: 7] *= 100  # some tokens are loud, as in real models
    matrix = rng.integers(-128, 128, (DIMENSIONS, DIMENSIONS), dtype=np.int8)
    nodes = [
        node("Gather", ["table", "input_ids"], ["words"]),
        node("Cast", ["attention_mask"], ["present"], to=1),
        node("Unsqueeze", ["present", "last"], ["weights"]),
        node("Mul", ["words", "weights"], ["hidden"]),
        node("DynamicQuantizeLinear", ["hidden"], ["quantized", "scale", "zero"]),
        node("MatMulInteger", ["quantized", "matrix", "zero"], ["product"]),
        node("Cast", ["product"], ["real"], to=1),
        node("Mul", ["real", "scale"], [HIDDEN.name]),
        node("ReduceSum", [HIDDEN.name, "one"], [TEXT.name], keepdims=0),
    ]
    tokens = [port(name, "int64", ["b", "s"]) for name in ("input_ids", "attention_mask")]
    weights = [weight("table", table), weight("matrix", matrix)]
    weights += [weight("last", np.array([-1])), weight("one", np.array([1]))]
    shape: Shape = ["b", DIMENSIONS] if output == TEXT.name else ["b", "s", DIMENSIONS]
    return model(nodes, tokens, [port(output, "float32", shape)], weights)


def encoder_graph(graph: bytes, output: Port = HIDDEN) -> EncoderGraph:
    return EncoderGraph(open_session(graph, threads=1), output)


@pytest.fixture(scope="module")
def dynamic(encoder_package: Package) -> Vectors:
    package = encoder_package.with_file(encoder_package.manifest.graph, dynamic_int8_encoder())
    return Encoder.load(package.manifest, package.files, threads=1)


def cosine(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def test_why_in_dynamic_int8_company_changes_my_vector(dynamic: Vectors) -> None:
    quiet, loud = (dynamic.encode(0, text) for text in (QUIET, loud_text(dynamic)))
    [alone] = dynamic.run([quiet], alone=False)
    [together, _] = dynamic.run([quiet, loud], alone=False)
    assert isinstance(alone, Pooled)
    assert isinstance(together, Pooled)
    assert cosine(alone.vector, together.vector) < 0.99


def loud_text(encoder: Vectors) -> str:
    """A letter with a loud token that QUIET has not."""
    loud = set(range(IDS // 3, IDS, 7))
    return next(chr(code) * 9 for code in range(97, 123) if loud & set(encoder.encode(0, chr(code)).tokens[1:-1]))


@pytest.mark.parametrize(("shared", "equal"), [(False, True), (True, False)])
async def test_such_a_model_gives_each_caller_what_it_would_get_alone(
    dynamic: Vectors, monkeypatch: pytest.MonkeyPatch, shared: bool, equal: bool
) -> None:
    """And would not, if it were batched as others are."""
    assert dynamic.depends_on_batch
    texts = [QUIET, loud_text(dynamic)] * 8
    monkeypatch.setattr(dynamic, "depends_on_batch", not shared)
    runner = BatchRunner(dynamic, workers=2)
    alone = [await embed(runner, [text]) for text in texts]
    together = await asyncio.gather(*(embed(runner, [text]) for text in texts))
    runner.close()
    assert equal == all(np.array_equal(*pair) for pair in zip(alone, together, strict=True))


@pytest.mark.parametrize("output", [HIDDEN, TEXT], ids=["tokens", "text"])
def test_company_is_found_to_matter(output: Port) -> None:
    graph = dynamic_int8_encoder(output.name)
    assert company_matters(encoder_graph(graph, output), ids=IDS, context_tokens=128)
    assert quantizes_dynamically(graph)


def encoder(nodes: Sequence[Any], *loud: int) -> EncoderGraph:
    """Of nodes from `words`, the tokens' embeddings, to the numbers; some tokens are loud."""
    table = np.random.default_rng(0).standard_normal((IDS, DIMENSIONS)).astype(np.float32)
    table[list(loud)] *= 100
    tokens = [port(name, "int64", ["b", "s"]) for name in ("input_ids", "attention_mask")]
    gather = node("Gather", ["table", "input_ids"], ["words"])
    weights = [weight("table", table), weight("first_axis", np.array(0))]
    return encoder_graph(
        model([gather, *nodes], tokens, [port(HIDDEN.name, "float32", ["b", "s", DIMENSIONS])], weights)
    )


@pytest.mark.parametrize("loud", [0, IDS // 2, IDS - 1], ids=["last", "middle", "first"])
def test_a_scale_of_the_whole_batch_matters_whichever_token_sets_it(loud: int) -> None:
    """The longest text has all tokens, from the last to the first."""
    scaled = encoder(
        [node("ReduceMax", ["words"], ["scale"], keepdims=0), node("Div", ["words", "scale"], [HIDDEN.name])], loud
    )
    assert company_matters(scaled, ids=IDS, context_tokens=IDS)


def test_company_matters_that_comes_before() -> None:
    summed = encoder([node("CumSum", ["words", "first_axis"], [HIDDEN.name])])
    assert company_matters(summed, ids=IDS, context_tokens=128)


@pytest.mark.parametrize("context_tokens", [1, 2, 9, 128])
def test_in_float32_company_does_not_matter(encoder_package: Package, context_tokens: int) -> None:
    assert not company_matters(encoder_graph(encoder_package.graph), ids=IDS, context_tokens=context_tokens)
    assert not quantizes_dynamically(encoder_package.graph)


def test_an_operator_alone_is_enough(encoder_package: Package, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("enclave.engine.batching.encoder.company_matters", lambda *_, **__: False)
    package = encoder_package.with_file(encoder_package.manifest.graph, dynamic_int8_encoder())
    assert Encoder.load(package.manifest, package.files, threads=1).depends_on_batch
    assert not Encoder.load(encoder_package.manifest, encoder_package.files, threads=1).depends_on_batch


def test_a_tokenizer_of_another_model_is_rejected(encoder_package: Package) -> None:
    tokenizer = encoder_package.tokenizer.replace(b'"x":', b'"x":9')
    package = encoder_package.with_file(str(encoder_package.manifest.tokenizer), tokenizer)
    with pytest.raises(ModelRejected, match="out of all 9"):
        Encoder.load(package.manifest, package.files, threads=1)


def test_a_tokenizer_of_one_token_more_than_the_graph_is_rejected(encoder_package: Package) -> None:
    with pytest.raises(ModelRejected, match=f"all {IDS + 1} "):
        company_matters(encoder_graph(encoder_package.graph), ids=IDS + 1, context_tokens=128)


def test_a_limit_beyond_the_graphs_positions_is_rejected(encoder_package: Package) -> None:
    assert encoder_package.manifest.embed is not None
    settings = structs.replace(encoder_package.manifest.embed, context_tokens=129)
    with pytest.raises(ModelRejected, match="129 tokens"):
        Encoder.load(structs.replace(encoder_package.manifest, embed=settings), encoder_package.files, threads=1)


def test_a_frame_that_the_graph_has_not_is_rejected(encoder_package: Package) -> None:
    """A tokenizer.json names the ids of its frame apart from the vocabulary."""
    tokenizer = encoder_package.tokenizer.replace(b'"ids":[2]', b'"ids":[888]')
    package = encoder_package.with_file(str(encoder_package.manifest.tokenizer), tokenizer)
    with pytest.raises(ModelRejected, match="all 889"):
        Encoder.load(package.manifest, package.files, threads=1)
