"""Log probabilities are those of the definition, best first."""

import numpy as np
import pytest

from enclave.engine.generation.logprobs import token_logprob
from strongroom.protocol.payloads import Alternative


def spelled(token: int) -> bytes:
    return b"t%d" % token


def test_they_are_the_log_softmax() -> None:
    logits = np.log(np.array([0.1, 0.5, 0.15, 0.25], dtype=np.float32)) + np.float32(7)
    found = token_logprob(logits, 2, 3, spelled)
    assert found.token == b"t2"
    assert np.exp(found.logprob) == pytest.approx(0.15, rel=1e-5)
    assert [other.token for other in found.top] == [b"t1", b"t3", b"t2"]
    assert np.exp([other.logprob for other in found.top]) == pytest.approx([0.5, 0.25, 0.15], rel=1e-5)


@pytest.mark.parametrize("count", [0, 3, 20])
def test_as_many_as_there_are_and_equal_ones_in_order(count: int) -> None:
    found = token_logprob(np.zeros(4, dtype=np.float32), 1, count, spelled)
    assert len(found.top) == min(count, 4)
    assert [other.token for other in found.top] == sorted(other.token for other in found.top)
    assert found.logprob == pytest.approx(np.log(0.25))


@pytest.mark.parametrize("count", [1, 5, 20])
def test_of_equal_ones_the_first_are_told(count: int) -> None:
    """The one that greedy takes is among them."""
    logits = np.zeros(1000, dtype=np.float32)
    logits[::7] = 1
    found = token_logprob(logits, int(logits.argmax()), count, spelled)
    assert [other.token for other in found.top] == [spelled(7 * place) for place in range(count)]


@pytest.mark.parametrize("token", [1, 2])
def test_what_is_next_to_impossible_has_the_least_that_can_be_sent(token: int) -> None:
    found = token_logprob(np.array([3e38, -3e38, -np.inf], dtype=np.float32), token, 1, spelled)
    assert found.top == [Alternative(b"t0", 0.0)]
    assert found.logprob == -9999.0
