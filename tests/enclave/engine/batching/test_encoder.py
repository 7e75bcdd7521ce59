"""Embeddings: what the graph says, pooled; whatever else shares the batch."""

import asyncio
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from numpy.typing import NDArray

from enclave.engine.batching.encoder import Encoder
from enclave.engine.batching.heads.embedding import Pooled
from enclave.engine.batching.runner import BatchRunner
from enclave.engine.errors import InferenceFailed, ModelRejected, TooLong
from enclave.engine.sessions import open_session, run_session
from enclave.engine.tokenization import Tokenizer
from strongroom.protocol.payloads import Embeddings, EmbedTask
from tests.enclave.engine.batching.parts import embed as embed_by
from tests.enclave.engine.batching.parts import encoded
from tests.enclave.engine.graphs import identity
from tests.enclave.engine.packages import Package
from tests.real_models import real_model

TEXTS = ["a short text", "", "another text that is longer", "é 😀", "x" * 100]

Vectors = Encoder[Pooled]


def load(package: Package) -> Vectors:
    return Encoder.load(package.manifest, package.files, threads=2)


def embed(encoder: Vectors, texts: list[str], *, alone: bool = True) -> NDArray[np.float32]:
    """In one batch."""
    return good(encoder.run([encoder.encode(index, text) for index, text in enumerate(texts)], alone=alone))


def good(parts: list[Pooled | InferenceFailed]) -> NDArray[np.float32]:
    """The vectors among them."""
    return np.stack([part.vector for part in parts if isinstance(part, Pooled)])


def with_embed(package: Package, **changes: object) -> Package:
    assert package.manifest.embed is not None
    embed = structs.replace(package.manifest.embed, **changes)
    return package._replace(manifest=structs.replace(package.manifest, embed=embed))


@pytest.fixture(scope="session")
def encoder(encoder_package: Package) -> Vectors:
    return load(encoder_package)


def test_a_vector_is_the_mean_of_a_direct_run(encoder_package: Package, encoder: Vectors) -> None:
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


@given(st.lists(st.text(max_size=31), min_size=1, max_size=8))  # of at most 4 bytes each, which are the tokens
def test_company_in_the_batch_changes_nothing(encoder: Vectors, texts: list[str]) -> None:
    together = embed(encoder, texts)
    assert together.shape == (len(texts), 32)
    for text, vector in zip(texts, together, strict=True):
        assert vector == pytest.approx(embed(encoder, [text])[0], abs=1e-6)


def test_all_cores_change_nothing(encoder: Vectors) -> None:
    assert embed(encoder, TEXTS, alone=True) == pytest.approx(embed(encoder, TEXTS, alone=False), abs=1e-6)


async def test_many_callers_get_what_they_get_alone(encoder: Vectors) -> None:
    runner = BatchRunner(encoder, workers=2)
    asked = [[str(number) * (1 + number % 30), "x" * (number % 90)] for number in range(100)]
    answers = await asyncio.gather(*(embed_by(runner, texts) for texts in asked))
    runner.close()
    for texts, vectors in zip(asked, answers, strict=True):
        for text, vector in zip(texts, vectors, strict=True):
            assert vector == pytest.approx(embed(encoder, [text])[0], abs=1e-6)


def test_what_a_batch_held_is_wiped_and_its_vectors_are_not(
    encoder_package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[NDArray[Any]] = []

    def spy(session: Any, feeds: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        found = run_session(session, feeds)
        held.extend([feeds["input_ids"], *found.values()])
        return found

    monkeypatch.setattr("enclave.engine.batching.encoder_graph.run_session", spy)
    encoder = load(with_embed(encoder_package, pooling="cls", normalize=False))
    held.clear()
    assert embed(encoder, TEXTS[:1]).any()
    assert [array.any() for array in held] == [False, False]


async def test_all_that_the_model_read_is_counted(encoder_package: Package, encoder: Vectors) -> None:
    """The frame around each text with it."""
    runner, tokenizer = BatchRunner(encoder, workers=2), Tokenizer.from_bytes(encoder_package.tokenizer)
    [answer] = [event async for event in runner.run(EmbedTask(TEXTS))]
    runner.close()
    assert isinstance(answer, Embeddings)
    assert answer.prompt_tokens == sum(len(tokenizer.encode_text(text, frame=True)) for text in TEXTS)
    assert answer.prompt_tokens == 2 * len(TEXTS) + sum(len(tokenizer.encode_text(text)) for text in TEXTS)


def test_a_text_beyond_the_context_is_refused_and_not_cut(encoder_package: Package) -> None:
    encoder = load(with_embed(encoder_package, context_tokens=16))
    embed(encoder, ["x" * 14])
    with pytest.raises(TooLong, match="text 1: expected at most 16 tokens, got 17"):
        embed(encoder, ["x", "x" * 15])
    with pytest.raises(TooLong, match="characters"):
        embed(encoder, ["x" * 257])


def test_a_text_without_tokens_is_a_vector_of_zeros(encoder: Vectors) -> None:
    assert good(encoder.run([encoded([])], alone=False)).tolist() == [[0] * 32]


def test_tokens_that_the_graph_has_not_fail_typed(encoder: Vectors) -> None:
    with pytest.raises(InferenceFailed, match="tokens"):
        encoder.run([encoded([999])], alone=False)


def test_numbers_that_are_none_fail_their_text_alone_and_padding_is_not_looked_at(
    encoder: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(session: Any, feeds: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        found = run_session(session, feeds)
        hidden = found["last_hidden_state"]
        hidden[feeds["attention_mask"] == 0] = np.nan
        hidden[1, 0, 0] = np.inf
        return found

    texts = [encoder.encode(0, text) for text in ("a", "b", "a longer text")]
    expected = good(encoder.run(texts, alone=False))
    monkeypatch.setattr("enclave.engine.batching.encoder_graph.run_session", broken)
    parts = encoder.run(texts, alone=False)
    assert isinstance(parts[1], InferenceFailed)
    assert np.array_equal(good(parts), expected[[0, 2]])


@pytest.mark.parametrize("changes", [{"dimensions": 31}, {"dimensions": 64}])
def test_settings_that_do_not_fit_the_graph_are_rejected(encoder_package: Package, changes: dict[str, object]) -> None:
    with pytest.raises(ModelRejected):
        load(with_embed(encoder_package, **changes))


def test_a_graph_that_is_no_encoder_is_rejected(encoder_package: Package) -> None:
    with pytest.raises(ModelRejected):
        load(encoder_package.with_file(encoder_package.manifest.graph, identity("float32", [4])))


@pytest.mark.real_model
async def test_real_vectors_know_what_is_alike() -> None:
    minilm = load(Package.from_directory(real_model("minilm-l6")))
    assert not minilm.depends_on_batch
    runner = BatchRunner(minilm, workers=2)
    texts = ["A man is eating food.", "A man is eating a piece of bread.", "The girl is carrying a baby.", *TEXTS]
    answers = await asyncio.gather(*(embed_by(runner, [text]) for text in texts))
    runner.close()
    vectors = [answer[0] for answer in answers]
    assert vectors[0] @ vectors[1] == pytest.approx(0.755, abs=0.01)
    assert vectors[0] @ vectors[2] < 0.1
    for text, vector in zip(texts, vectors, strict=True):
        assert vector == pytest.approx(embed(minilm, [text])[0], abs=1e-6)
