import numpy as np
import pytest

from strongroom.models.rope import rotary_tables


def test_tables_hold_the_angles_of_each_position_and_pair() -> None:
    cosines, sines = rotary_tables(positions=5, head_size=4, theta=100.0)
    assert cosines.shape == sines.shape == (5, 2)
    assert cosines[3].tolist() == pytest.approx([np.cos(3), np.cos(0.3)])
    assert sines[3].tolist() == pytest.approx([np.sin(3), np.sin(0.3)])


def test_the_first_position_is_not_rotated() -> None:
    cosines, sines = rotary_tables(positions=1, head_size=64, theta=10_000.0)
    assert (cosines == 1).all()
    assert (sines == 0).all()
