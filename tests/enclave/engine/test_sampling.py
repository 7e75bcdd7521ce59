"""Sampling: determined by its seed, faithful to the distribution, strict about numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from enclave.engine.errors import InferenceFailed
from enclave.engine.sampling import Sampler

LOGITS = np.log(np.array([0.1, 0.5, 0.15, 0.25], dtype=np.float32))


def draws(sampler: Sampler, count: int = 4000) -> NDArray[np.float64]:
    tokens = [sampler.next(LOGITS) for _ in range(count)]
    return np.bincount(tokens, minlength=len(LOGITS)) / count


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_logits_that_are_not_finite_are_refused(bad: float, temperature: float) -> None:
    with pytest.raises(InferenceFailed):
        Sampler(temperature, 1.0, 0).next(np.array([0, bad, 1], dtype=np.float32))


def test_logits_without_a_choice_are_refused() -> None:
    with pytest.raises(InferenceFailed):
        Sampler(0.0, 1.0, 0).next(np.full(4, -np.inf, dtype=np.float32))


def test_temperature_zero_takes_the_best() -> None:
    assert {Sampler(0.0, 1.0, seed).next(LOGITS) for seed in range(20)} == {1}


def test_equal_seeds_draw_equal_tokens() -> None:
    first, second, third = (Sampler(1.0, 1.0, seed) for seed in (7, 7, 8))
    drawn = [[sampler.next(LOGITS) for _ in range(50)] for sampler in (first, second, third)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_without_a_seed_draws_differ() -> None:
    flat = np.zeros(1 << 16, dtype=np.float32)
    assert len({Sampler(1.0, 1.0, None).next(flat) for _ in range(8)}) > 1


def test_the_draws_follow_the_distribution() -> None:
    assert draws(Sampler(1.0, 1.0, 1)) == pytest.approx([0.1, 0.5, 0.15, 0.25], abs=0.03)


def test_temperature_flattens() -> None:
    expected = np.sqrt([0.1, 0.5, 0.15, 0.25])
    assert draws(Sampler(2.0, 1.0, 1)) == pytest.approx(expected / expected.sum(), abs=0.03)


@pytest.mark.parametrize(
    ("top_p", "kept"), [(0.01, [1]), (0.49, [1]), (0.6, [1, 3]), (0.8, [1, 2, 3]), (0.95, [0, 1, 2, 3])]
)
def test_the_nucleus_is_the_fewest_tokens_that_hold_top_p(top_p: float, kept: list[int]) -> None:
    found = draws(Sampler(1.0, top_p, 1))
    assert list(np.flatnonzero(found)) == kept
    expected = np.exp(LOGITS[kept])
    assert found[kept] == pytest.approx(expected / expected.sum(), abs=0.03)


def test_equal_logits_are_taken_in_order() -> None:
    logits = np.tile(np.array([-1, 0, -0.5], dtype=np.float32), 300)
    held = round(300 * np.exp([-1, 0, -0.5]).sum() * 0.3)  # of the 300 best, each of weight 1
    sampler = Sampler(1.0, (held - 0.5) / (300 * np.exp([-1, 0, -0.5]).sum()), 1)
    assert {sampler.next(logits) for _ in range(6000)} == set(range(1, 3 * held, 3))


@pytest.mark.parametrize("temperature", [5e-324, 1e-300, 1e-9])
def test_a_tiny_temperature_is_greedy(temperature: float) -> None:
    assert Sampler(temperature, 1.0, 0).next(LOGITS) == 1


@given(
    logits=st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=1, max_size=40),
    temperature=st.floats(0, 2),
    top_p=st.floats(0, 1, exclude_min=True),
    seed=st.integers(0, (1 << 63) - 1),
)
def test_any_request_draws_a_token(logits: list[float], temperature: float, top_p: float, seed: int) -> None:
    assert 0 <= Sampler(temperature, top_p, seed).next(np.array(logits, dtype=np.float32)) < len(logits)
