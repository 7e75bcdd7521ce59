"""Log probabilities are those of the definition, best first."""

import numpy as np
import pytest

from enclave.engine.generation.logprobs import token_logprobs


def test_they_are_the_log_softmax() -> None:
    logits = np.log(np.array([0.1, 0.5, 0.15, 0.25], dtype=np.float32)) + np.float32(7)
    found = token_logprobs(logits, 2, 3)
    assert found.chosen.token == 2
    assert np.exp(found.chosen.logprob) == pytest.approx(0.15, rel=1e-5)
    assert [token for token, _ in found.likeliest] == [1, 3, 2]
    assert np.exp([logprob for _, logprob in found.likeliest]) == pytest.approx([0.5, 0.25, 0.15], rel=1e-5)


@pytest.mark.parametrize("count", [0, 3, 20])
def test_as_many_as_there_are_and_equal_ones_in_order(count: int) -> None:
    found = token_logprobs(np.zeros(4, dtype=np.float32), 1, count)
    assert len(found.likeliest) == min(count, 4)
    assert [token for token, _ in found.likeliest] == sorted(token for token, _ in found.likeliest)
    assert found.chosen.logprob == pytest.approx(np.log(0.25))


def test_far_logits_are_no_trouble() -> None:
    found = token_logprobs(np.array([3e38, -3e38, -np.inf], dtype=np.float32), 1, 1)
    assert found.likeliest[0] == (0, 0.0)
    assert found.chosen.logprob == -np.inf
