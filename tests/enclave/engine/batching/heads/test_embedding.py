"""Pooling: the mean of a text's tokens, or its first."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from enclave.engine.arrays import to_array
from enclave.engine.batching.heads.embedding import EmbeddingHead, Pooled
from strongroom.protocol.catalogue import EmbedSettings
from tests.enclave.engine.batching.parts import encoded

TOKENS = np.array([[1, 0], [3, 0]], dtype=np.float32)


def part(numbers: NDArray[np.float32], **settings: Any) -> NDArray[np.float32]:
    head = EmbeddingHead(EmbedSettings(context_tokens=8, dimensions=2, **settings))
    return head.part(numbers, encoded([0] * len(numbers))).vector


@pytest.mark.parametrize(
    ("pooling", "normalize", "vector"),
    [("mean", False, [2, 0]), ("mean", True, [1, 0]), ("cls", False, [1, 0])],
)
def test_tokens_are_pooled(pooling: str, normalize: bool, vector: list[float]) -> None:
    assert part(TOKENS, pooling=pooling, normalize=normalize).tolist() == vector


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("numbers", [np.zeros((2, 2), np.float32), np.zeros((0, 2), np.float32)], ids=["zero", "none"])
def test_zero_vectors_stay_zero_and_no_tokens_give_one(pooling: str, numbers: NDArray[np.float32]) -> None:
    assert part(numbers, pooling=pooling, normalize=True).tolist() == [0, 0]


def test_no_finite_number_is_too_large() -> None:
    largest = np.full((2, 2), np.finfo(np.float32).max)
    assert part(largest, pooling="mean", normalize=False).tolist() == largest[0].tolist()
    assert part(largest, pooling="mean", normalize=True) == pytest.approx(0.5**0.5)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_a_vector_is_a_copy(pooling: str) -> None:
    numbers = TOKENS.copy()
    vector = part(numbers, pooling=pooling, normalize=False)
    numbers.fill(9)
    assert 9 not in vector


def test_the_answer_has_a_row_for_each_text() -> None:
    head = EmbeddingHead(EmbedSettings(context_tokens=8, dimensions=2, pooling="mean"))
    vectors = [np.array([1, 2], dtype=np.float32), np.array([3, 4], dtype=np.float32)]
    told = to_array(head.event([Pooled(each, tokens=1) for each in vectors]).vectors)
    for each in vectors:
        each.fill(np.nan)
    assert told.tolist() == [[1, 2], [3, 4]]


def test_the_answer_counts_the_tokens_of_all_texts() -> None:
    head = EmbeddingHead(EmbedSettings(context_tokens=8, dimensions=2, pooling="mean"))
    texts = [encoded(range(tokens)) for tokens in (3, 0, 5)]
    parts = [head.part(np.zeros((len(text.tokens), 2), np.float32), text) for text in texts]
    assert head.event(parts).prompt_tokens == 8
