"""Embeddings: what the graph says, pooled; whatever else shares the request."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from numpy.typing import NDArray

from enclave.engine.arrays import to_array
from enclave.engine.cancellation import Cancellation, Cancelled
from enclave.engine.encoder import MAX_BATCH_TOKENS, Encoder, batches
from enclave.engine.errors import InferenceFailed, ModelRejected, TooLong, WrongTask
from enclave.engine.pooling import pool
from enclave.engine.sessions import open_session
from enclave.engine.tokenization import Tokenizer
from strongroom.protocol.payloads import ChatTask, Embeddings, EmbedTask, Message
from tests.enclave.engine.graphs import identity
from tests.enclave.engine.packages import Package

TEXTS = ["a short text", "", "another text that is longer", "é 😀", "x" * 100]


def load(package: Package) -> Encoder:
    return Encoder.load(package.manifest, package.files, threads=1)


def embed(encoder: Encoder, texts: list[str]) -> NDArray[np.float32]:
    (event,) = encoder.run(EmbedTask(texts), Cancellation())
    assert isinstance(event, Embeddings)
    return to_array(event.vectors)


def with_embed(package: Package, **changes: object) -> Package:
    assert package.manifest.embed is not None
    embed = structs.replace(package.manifest.embed, **changes)
    return package._replace(manifest=structs.replace(package.manifest, embed=embed))


@pytest.fixture(scope="session")
def encoder(encoder_package: Package) -> Encoder:
    return load(encoder_package)


def test_a_vector_is_the_mean_of_a_direct_run(encoder_package: Package, encoder: Encoder) -> None:
    session = open_session(encoder_package.graph, threads=1)
    tokens = np.array([Tokenizer.from_bytes(encoder_package.tokenizer).encode_text(TEXTS[0], frame=True)])
    feeds = {
        "input_ids": tokens,
        "attention_mask": np.ones_like(tokens),
        "token_type_ids": np.zeros_like(tokens),
    }
    hidden = session.run(["last_hidden_state"], feeds)[0][0]
    mean = hidden.mean(axis=0)
    assert embed(encoder, TEXTS[:1])[0] == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)
    raw = embed(load(with_embed(encoder_package, pooling="cls", normalize=False)), TEXTS[:1])[0]
    assert raw == pytest.approx(hidden[0], abs=1e-6)


def test_company_in_the_batch_changes_nothing(encoder: Encoder) -> None:
    together = embed(encoder, TEXTS)
    assert together.shape == (len(TEXTS), 32)
    for text, vector in zip(TEXTS, together, strict=True):
        assert vector == pytest.approx(embed(encoder, [text])[0], abs=1e-5)


def test_many_texts_keep_their_order(encoder: Encoder) -> None:
    texts = [str(number) * (1 + number % 30) for number in range(200)]
    vectors = embed(encoder, texts)
    for index in (0, 57, 199):
        assert vectors[index] == pytest.approx(embed(encoder, [texts[index]])[0], abs=1e-5)


@given(st.lists(st.integers(1, 3000), max_size=60))
def test_batches_hold_each_text_once_and_stay_small(lengths: list[int]) -> None:
    found = list(batches(lengths))
    assert sorted(index for batch in found for index in batch) == list(range(len(lengths)))
    for batch in found:
        assert len(batch) == 1 or len(batch) * max(lengths[index] for index in batch) <= MAX_BATCH_TOKENS


def test_a_text_beyond_the_context_is_refused_and_not_cut(encoder_package: Package) -> None:
    encoder = load(with_embed(encoder_package, context_tokens=16))
    embed(encoder, ["x" * 14])
    with pytest.raises(TooLong, match="text 1: expected at most 16 tokens, got 17"):
        embed(encoder, ["x", "x" * 15])
    with pytest.raises(TooLong, match="characters"):
        embed(encoder, ["x" * 257])


def test_other_tasks_are_refused(encoder: Encoder) -> None:
    with pytest.raises(WrongTask):
        list(encoder.run(ChatTask([Message("user", "x")]), Cancellation()))


def test_a_cancellation_stops_it(encoder: Encoder) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(Cancelled):
        list(encoder.run(EmbedTask(TEXTS), cancellation))


def test_a_tokenizer_of_another_model_fails_typed(encoder_package: Package) -> None:
    tokenizer = encoder_package.tokenizer.replace(b'"x":', b'"x":9')
    encoder = load(encoder_package.with_file(str(encoder_package.manifest.tokenizer), tokenizer))
    with pytest.raises(InferenceFailed):
        embed(encoder, ["x"])


@pytest.mark.parametrize("changes", [{"dimensions": 31}, {"dimensions": 64}])
def test_settings_that_do_not_fit_the_graph_are_rejected(encoder_package: Package, changes: dict[str, object]) -> None:
    with pytest.raises(ModelRejected):
        load(with_embed(encoder_package, **changes))


def test_a_graph_that_is_no_encoder_is_rejected(encoder_package: Package) -> None:
    with pytest.raises(ModelRejected):
        load(encoder_package.with_file(encoder_package.manifest.graph, identity("float32", [4])))


def test_padding_does_not_count_and_zero_vectors_stay_zero() -> None:
    hidden = np.array([[[1, 0], [3, 0], [9, 9]], [[0, 0], [0, 0], [5, 5]]], dtype=np.float32)
    mask = np.array([[1, 1, 0], [1, 1, 0]])
    assert pool(hidden, mask, "mean", normalize=False).tolist() == [[2, 0], [0, 0]]
    assert pool(hidden, mask, "mean", normalize=True).tolist() == [[1, 0], [0, 0]]
