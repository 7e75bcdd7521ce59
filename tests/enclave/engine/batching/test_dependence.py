"""Graphs whose arithmetic depends on the batch: found at load, and never run with two requests in a batch."""

import asyncio

import numpy as np
import pytest
from msgspec import structs
from numpy.typing import NDArray

from enclave.engine.batching.dependence import company_matters, quantizes_dynamically
from enclave.engine.batching.encoder import Encoder
from enclave.engine.batching.encoder_graph import EncoderGraph
from enclave.engine.batching.runner import BatchRunner
from enclave.engine.errors import ModelRejected
from enclave.engine.sessions import open_session
from tests.enclave.engine.batching.parts import embed
from tests.enclave.engine.graphs import model, node, port, weight
from tests.enclave.engine.packages import Package

QUIET, LOUD = "aaaa bbbb", "ZZZZ ZZZZ"
IDS, DIMENSIONS = 259, 32


def dynamic_int8_encoder() -> bytes:
    """Embeddings times a matrix, in int8: DynamicQuantizeLinear takes one scale for the whole batch."""
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
        node("Mul", ["real", "scale"], ["last_hidden_state"]),
    ]
    tokens = [port(name, "int64", ["b", "s"]) for name in ("input_ids", "attention_mask")]
    weights = [weight("table", table), weight("matrix", matrix), weight("last", np.array([-1], dtype=np.int64))]
    return model(nodes, tokens, [port("last_hidden_state", "float32", ["b", "s", DIMENSIONS])], weights)


def encoder_graph(graph: bytes) -> EncoderGraph:
    return EncoderGraph(open_session(graph, threads=1), DIMENSIONS)


@pytest.fixture(scope="module")
def dynamic(encoder_package: Package) -> Encoder:
    package = encoder_package.with_file(encoder_package.manifest.graph, dynamic_int8_encoder())
    return Encoder.load(package.manifest, package.files, threads=1)


def cosine(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def test_why_in_dynamic_int8_company_changes_my_vector(dynamic: Encoder) -> None:
    quiet, loud = (dynamic.encode(0, text) for text in (QUIET, loud_text(dynamic)))
    alone = dynamic.embed([quiet], alone=False)[0]
    together = dynamic.embed([quiet, loud], alone=False)[0]
    assert cosine(alone, together) < 0.99


def loud_text(encoder: Encoder) -> str:
    """A letter with a loud token that QUIET has not."""
    loud = set(range(IDS // 3, IDS, 7))
    return next(chr(code) * 9 for code in range(97, 123) if loud & set(encoder.encode(0, chr(code))[1:-1]))


@pytest.mark.parametrize(("shared", "equal"), [(False, True), (True, False)])
async def test_such_a_model_gives_each_caller_what_it_would_get_alone(
    dynamic: Encoder, monkeypatch: pytest.MonkeyPatch, shared: bool, equal: bool
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


def test_company_is_found_to_matter() -> None:
    assert company_matters(encoder_graph(dynamic_int8_encoder()), ids=IDS, context_tokens=128)
    assert quantizes_dynamically(dynamic_int8_encoder())


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
