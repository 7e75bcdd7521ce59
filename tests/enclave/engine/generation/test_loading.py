"""Loading: what does not fit is rejected then, and the buffers are as many as the graph and the memory allow."""

from collections.abc import Callable

import numpy as np
import pytest
from msgspec import structs

from enclave.engine.capacity import Capacity
from enclave.engine.errors import ModelRejected
from enclave.engine.generation.batch import Batch
from enclave.engine.generation.kv_cache import row_bytes
from enclave.engine.tokenization import Tokenizer
from strongroom.protocol.catalogue import ChatSettings
from strongroom.protocol.payloads import Generation
from tests.enclave.engine.generation.decoder_graphs import (
    broken_weights,
    dynamic_int8,
    every_logit,
    first_length_for_all,
    growing_past,
    missing_embedding,
    one_row,
)
from tests.enclave.engine.generation.harness import Talk, assert_clean, load, naive_tokens, run
from tests.enclave.engine.graphs import identity
from tests.enclave.engine.packages import Package


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"layers": 1}, "past_key_values.1.key"),
        ({"layers": 3}, "past_key_values.2.key"),
        ({"kv_heads": 1}, "expected a dimension of 1, got 2"),
        ({"head_size": 32}, "expected a dimension of 32, got 16"),
        ({"stop_tokens": [1 << 20]}, "expected logits for 1048577 tokens"),
    ],
)
def test_settings_that_do_not_fit_the_graph_are_rejected(
    decoder_package: Package, changes: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ModelRejected, match=complaint):
        load(decoder_package.with_chat(**changes))


def test_a_graph_that_is_no_decoder_is_rejected(decoder_package: Package) -> None:
    with pytest.raises(ModelRejected):
        load(decoder_package.with_file(decoder_package.manifest.graph, identity("float32", [4])))


def test_a_tokenizer_larger_than_the_graph_is_rejected(decoder_package: Package) -> None:
    larger = decoder_package.tokenizer.replace(b'"added_tokens":[', b'"added_tokens":[' + EXTRA_TOKEN)
    with pytest.raises(ModelRejected, match="expected logits for"):
        load(decoder_package.with_file(str(decoder_package.manifest.tokenizer), larger))


EXTRA_TOKEN = (
    b'{"id":999,"content":"<extra>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,'
    b'"special":true},'
)


def with_graph(package: Package, graph: Callable[[ChatSettings, int], bytes]) -> Package:
    """The tiny package with a graph of one layer made by another maker."""
    changed = package.with_chat(layers=1)
    return changed.with_file(package.manifest.graph, graph(changed.chat, 259))


@pytest.mark.parametrize("prompt_tokens", [5, 150])
def test_a_graph_may_give_the_logits_of_every_token(decoder_package: Package, prompt_tokens: int) -> None:
    package = with_graph(decoder_package, every_logit)
    model = load(package)
    assert model.graph.rows == Capacity().slots
    prompt = [3 + index % 7 for index in range(prompt_tokens)]
    talk = Talk(Tokenizer.from_bytes(package.tokenizer), prompt, Generation(max_tokens=12))
    run(Batch(model.graph), [talk.conversation])
    assert talk.answer.generated == naive_tokens(package, prompt, 12)
    assert_clean(model.graph)


def test_a_graph_that_does_not_append_in_place_is_rejected(decoder_package: Package) -> None:
    with pytest.raises(ModelRejected, match="appends in place"):
        load(with_graph(decoder_package, growing_past))


def test_a_graph_without_embeddings_for_all_its_tokens_is_rejected(decoder_package: Package) -> None:
    """It would fail in a request, with whoever shares the step, when the token comes."""
    with pytest.raises(ModelRejected, match="each of its 259 tokens"):
        load(with_graph(decoder_package, missing_embedding))


def test_a_graph_of_broken_weights_is_rejected(decoder_package: Package) -> None:
    with pytest.raises(ModelRejected, match="finite"):
        load(with_graph(decoder_package, broken_weights))


def test_a_manifest_without_settings_is_rejected(decoder_package: Package) -> None:
    package = decoder_package._replace(manifest=structs.replace(decoder_package.manifest, chat=None))
    with pytest.raises(ModelRejected):
        load(package)


@pytest.mark.parametrize("graph", [first_length_for_all, one_row])
def test_a_graph_that_cannot_take_different_rows_gets_one_row(
    decoder_package: Package, graph: Callable[[ChatSettings, int], bytes]
) -> None:
    package = with_graph(decoder_package, graph)
    model = load(package)
    assert model.graph.rows == 1
    talk = Talk(Tokenizer.from_bytes(package.tokenizer), [5, 6, 7], Generation(max_tokens=8))
    run(Batch(model.graph), [talk.conversation])
    assert talk.answer.generated == naive_tokens(with_graph(decoder_package, every_logit), [5, 6, 7], 8)


def test_a_graph_that_quantizes_the_batch_as_a_whole_gets_one_row(
    decoder_package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In company its rows get other logits than alone, though not those that it is tried with at load."""
    package = with_graph(decoder_package, dynamic_int8)
    assert load(package).graph.rows == 1
    monkeypatch.setattr("enclave.engine.generation.model.quantizes_dynamically", lambda _: False)
    graph = load(package).graph
    assert graph.rows > 1
    alone = graph.step(0, [[5]], [0]).copy()
    together = graph.step(0, [[5], [graph.vocabulary - 1]], [0, 0])
    assert not np.allclose(alone[0], together[0], rtol=0.01)


@pytest.mark.parametrize(("rows_paid_for", "rows"), [(1, 1), (2.9, 2), (100, 3)])
def test_the_rows_fit_into_the_memory(decoder_package: Package, rows_paid_for: float, rows: int) -> None:
    model = load(decoder_package, slots=3, kv_bytes=int(rows_paid_for * row_bytes(decoder_package.chat)))
    assert model.graph.rows == rows
    held = sum(buffer.nbytes for buffer in model.graph.cache.buffers.values())
    assert held == rows * row_bytes(decoder_package.chat)


def test_a_model_without_memory_for_one_row_is_rejected(decoder_package: Package) -> None:
    with pytest.raises(ModelRejected, match="expected K/V of at most"):
        load(decoder_package, kv_bytes=row_bytes(decoder_package.chat) - 1)
