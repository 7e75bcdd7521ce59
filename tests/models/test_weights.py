import numpy as np
import pytest

from strongroom.models.errors import SourceInvalid
from strongroom.models.weights import random_weights, require_shapes

EXPECTED = {"a": (2, 3), "b": (4,)}


@pytest.mark.parametrize(
    ("actual", "message"),
    [
        ({"a": (2, 3)}, "tensor b: expected shape .* got no such tensor"),
        ({"a": (3, 2), "b": (4,)}, r"tensor a: expected shape \(2, 3\), got \(3, 2\)"),
        ({"a": (2, 3), "b": (4,), "c": (1,)}, "got c besides"),
        ({}, "no such tensor"),
    ],
)
def test_other_tensors_than_the_architectures_are_refused(actual: dict[str, tuple[int, ...]], message: str) -> None:
    with pytest.raises(SourceInvalid, match=message):
        require_shapes(EXPECTED, actual)


def test_unused_tensors_may_be_named() -> None:
    require_shapes(EXPECTED, EXPECTED | {"pooler": (9,)}, ignored=frozenset({"pooler"}))


def test_random_weights_depend_on_the_seed_alone() -> None:
    first, again, other = (random_weights(EXPECTED, seed) for seed in (1, 1, 2))
    assert all((first[name] == again[name]).all() for name in EXPECTED)
    assert all((first[name] != other[name]).any() for name in EXPECTED)
    assert {weight.dtype for weight in first.values()} == {np.dtype(np.float32)}
