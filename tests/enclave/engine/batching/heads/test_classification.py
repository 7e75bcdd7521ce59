"""Scores: softmax over the labels, or each label by itself."""

from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enclave.engine.arrays import to_array
from enclave.engine.batching.heads.classification import ClassificationHead
from enclave.engine.batching.heads.scores import sigmoid, softmax
from strongroom.protocol.catalogue import ClassifySettings
from tests.enclave.engine.batching.parts import encoded

Scoring = Literal["softmax", "sigmoid"]

LARGEST = float(np.finfo(np.float32).max)
LOGITS = st.lists(st.floats(-LARGEST, LARGEST, width=32), min_size=1, max_size=9)


def head(scoring: Scoring) -> ClassificationHead:
    return ClassificationHead(ClassifySettings(context_tokens=8, labels=["a", "b"], scoring=scoring))


@pytest.mark.parametrize(
    ("scoring", "scores"), [("softmax", [0.9820138, 0.0179862]), ("sigmoid", [0.9525741, 0.2689414])]
)
def test_logits_become_scores(scoring: Scoring, scores: list[float]) -> None:
    numbers = np.array([3, -1], dtype=np.float32)
    assert head(scoring).part(numbers, encoded([1])) == pytest.approx(scores, abs=1e-6)


@given(LOGITS)
def test_any_finite_logits_give_scores_of_0_to_1(logits: list[float]) -> None:
    numbers = np.array(logits, dtype=np.float32)
    for scores in (softmax(numbers), sigmoid(numbers)):
        assert np.isfinite(scores).all()
        assert ((scores >= 0) & (scores <= 1)).all()
    assert softmax(numbers).sum() == pytest.approx(1)
    assert sigmoid(numbers) + sigmoid(-numbers) == pytest.approx(1)


def test_the_answer_has_the_labels_and_a_row_for_each_text() -> None:
    event = head("softmax").event([np.array([1, 0], dtype=np.float32), np.array([0, 1], dtype=np.float32)])
    assert event.labels == ["a", "b"]
    assert to_array(event.scores).tolist() == [[1, 0], [0, 1]]
