"""Sampling: determined by its seed, faithful to the distribution, strict about numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from enclave.engine.errors import InferenceFailed
from enclave.engine.generation.sampling import Sampler, _draw, _nucleus
from strongroom.protocol.payloads import Generation

LOGITS = np.log(np.array([0.1, 0.5, 0.15, 0.25], dtype=np.float32))


def sampler(temperature: float, top_p: float = 1.0, seed: int | None = 1, top_k: int = 0) -> Sampler:
    return Sampler(Generation(max_tokens=1, temperature=temperature, top_p=top_p, top_k=top_k, seed=seed))


def draws(chosen: Sampler, count: int = 4000) -> NDArray[np.float64]:
    tokens = [chosen.next(LOGITS) for _ in range(count)]
    return np.bincount(tokens, minlength=len(LOGITS)) / count


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_logits_that_are_not_finite_are_refused(bad: float, temperature: float) -> None:
    with pytest.raises(InferenceFailed):
        sampler(temperature, 1.0, 0).next(np.array([0, bad, 1], dtype=np.float32))


def test_logits_without_a_choice_are_refused() -> None:
    with pytest.raises(InferenceFailed):
        sampler(0.0, 1.0, 0).next(np.full(4, -np.inf, dtype=np.float32))


def test_temperature_zero_takes_the_best() -> None:
    assert {sampler(0.0, 1.0, seed).next(LOGITS) for seed in range(20)} == {1}


def test_equal_seeds_draw_equal_tokens() -> None:
    first, second, third = (sampler(1.0, 1.0, seed) for seed in (7, 7, 8))
    drawn = [[each.next(LOGITS) for _ in range(50)] for each in (first, second, third)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_without_a_seed_draws_differ() -> None:
    flat = np.zeros(1 << 16, dtype=np.float32)
    assert len({sampler(1.0, 1.0, None).next(flat) for _ in range(8)}) > 1


def test_the_draws_follow_the_distribution() -> None:
    assert draws(sampler(1.0, 1.0, 1)) == pytest.approx([0.1, 0.5, 0.15, 0.25], abs=0.03)


def test_the_draws_follow_the_distribution_over_a_large_vocabulary() -> None:
    weights = np.zeros(1000)
    weights[[0, 255, 256, 999]] = [0.1, 0.5, 0.15, 0.25]
    with np.errstate(divide="ignore"):
        logits = np.log(weights).astype(np.float32)
    chosen = sampler(1.0)
    drawn = np.bincount([chosen.next(logits) for _ in range(4000)], minlength=1000) / 4000
    assert drawn == pytest.approx(weights, abs=0.03)
    assert set(np.flatnonzero(drawn)) == {0, 255, 256, 999}


@given(
    weights=st.lists(st.sampled_from([0.0, 1e-30, 1.0]), min_size=1, max_size=600).filter(any),
    uniform=st.sampled_from([0.0, 1e-17, 0.5, 1 - 2**-53]),
)
def test_a_token_without_weight_is_never_drawn(weights: list[float], uniform: float) -> None:
    assert weights[_draw(np.array(weights, dtype=np.float32), uniform)] > 0


def test_temperature_flattens() -> None:
    expected = np.sqrt([0.1, 0.5, 0.15, 0.25])
    assert draws(sampler(2.0, 1.0, 1)) == pytest.approx(expected / expected.sum(), abs=0.03)


@pytest.mark.parametrize(
    ("top_p", "kept"), [(0.01, [1]), (0.49, [1]), (0.6, [1, 3]), (0.8, [1, 2, 3]), (0.95, [0, 1, 2, 3])]
)
def test_the_nucleus_is_the_fewest_tokens_that_hold_top_p(top_p: float, kept: list[int]) -> None:
    found = draws(sampler(1.0, top_p, 1))
    assert list(np.flatnonzero(found)) == kept
    expected = np.exp(LOGITS[kept])
    assert found[kept] == pytest.approx(expected / expected.sum(), abs=0.03)


@given(
    logits=st.lists(st.integers(-12, 3), min_size=1, max_size=300),
    top_p=st.floats(0.05, 0.999),
)
def test_the_nucleus_is_what_sorting_all_weights_gives(logits: list[int], top_p: float) -> None:
    weights = np.exp(np.array(logits, dtype=np.float32))
    ordered = sorted(range(len(weights)), key=lambda index: (-weights[index], index))
    held = np.cumsum(weights[ordered], dtype=np.float64)
    count = int(np.searchsorted(held, top_p * weights.sum(dtype=np.float64))) + 1
    assert list(_nucleus(weights, top_p)) == ordered[:count]


def test_equal_logits_are_taken_in_order() -> None:
    logits = np.tile(np.array([-1, 0, -0.5], dtype=np.float32), 300)
    held = round(300 * np.exp([-1, 0, -0.5]).sum() * 0.3)  # of the 300 best, each of weight 1
    chosen = sampler(1.0, (held - 0.5) / (300 * np.exp([-1, 0, -0.5]).sum()), 1)
    assert {chosen.next(logits) for _ in range(6000)} == set(range(1, 3 * held, 3))


@pytest.mark.parametrize(
    ("top_k", "kept"), [(1, [1]), (2, [1, 3]), (3, [1, 2, 3]), (4, [0, 1, 2, 3]), (9, [0, 1, 2, 3])]
)
def test_top_k_keeps_the_likeliest(top_k: int, kept: list[int]) -> None:
    found = draws(sampler(1.0, top_k=top_k))
    assert list(np.flatnonzero(found)) == kept
    expected = np.exp(LOGITS[kept])
    assert found[kept] == pytest.approx(expected / expected.sum(), abs=0.03)


def test_of_equal_logits_top_k_keeps_the_first() -> None:
    chosen = sampler(1.0, top_k=3)
    assert {chosen.next(np.array([0, 1, 0, 0, 1, 0], dtype=np.float32)) for _ in range(200)} == {0, 1, 4}


def test_the_nucleus_is_of_what_top_k_leaves() -> None:
    found = draws(sampler(1.0, top_p=0.6, top_k=2))  # of 0.5 and 0.25: 0.5 / 0.75 is enough
    assert list(np.flatnonzero(found)) == [1]


@pytest.mark.parametrize("temperature", [5e-324, 1e-300, 1e-9])
def test_a_tiny_temperature_is_greedy(temperature: float) -> None:
    assert sampler(temperature, 1.0, 0).next(LOGITS) == 1


@given(
    logits=st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=1, max_size=40),
    temperature=st.floats(0, 2),
    top_p=st.floats(0, 1, exclude_min=True),
    seed=st.integers(0, (1 << 63) - 1),
    top_k=st.integers(0, 50),
)
def test_any_request_draws_a_token(
    logits: list[float], temperature: float, top_p: float, seed: int, top_k: int
) -> None:
    assert 0 <= sampler(temperature, top_p, seed, top_k).next(np.array(logits, dtype=np.float32)) < len(logits)
