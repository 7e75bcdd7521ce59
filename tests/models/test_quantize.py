import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from strongroom.models.quantize import quantize_int8
from tests.models.dequantize import dequantize_int8


@pytest.mark.parametrize("columns", [1, 15, 24, 33])
def test_columns_that_do_not_divide_into_blocks_are_refused(columns: int) -> None:
    with pytest.raises(ValueError, match="blocks of 16"):
        quantize_int8(np.ones((2, columns), dtype=np.float32))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused(value: float) -> None:
    weights = np.ones((2, 32), dtype=np.float32)
    weights[1, 7] = value
    with pytest.raises(ValueError, match="finite"):
        quantize_int8(weights)


@given(hnp.arrays(np.float32, (3, 48), elements=st.floats(-1e6, 1e6, width=32, allow_subnormal=False)))
def test_each_weight_comes_back_within_half_a_scale(weights: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> None:
    codes, scales = quantize_int8(weights)
    error = np.abs(dequantize_int8(codes, scales) - weights)
    assert (error <= np.repeat(scales, 16, axis=1) * np.float32(0.5001)).all()


def test_largest_weight_of_a_block_is_exact_and_uses_the_whole_range() -> None:
    weights = np.linspace(-2, 2, 16, dtype=np.float32)[None, :]
    codes, scales = quantize_int8(weights)
    assert (codes.min(), codes.max()) == (1, 255)
    assert dequantize_int8(codes, scales)[0, [0, -1]].tolist() == pytest.approx([-2, 2])


def test_a_block_of_zeros_stays_zero() -> None:
    codes, scales = quantize_int8(np.zeros((1, 32), dtype=np.float32))
    assert not scales.any()
    assert not dequantize_int8(codes, scales).any()


def test_blocks_do_not_share_scales() -> None:
    weights = np.ones((1, 32), dtype=np.float32)
    weights[0, 16:] *= 1000
    _, scales = quantize_int8(weights)
    assert scales[0, 1] == pytest.approx(1000 * scales[0, 0])
