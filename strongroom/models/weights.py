"""Named weights, and the check that a published file holds the ones its architecture needs."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from strongroom.models.errors import SourceInvalid

FloatArray = npt.NDArray[np.float32]
Weights = Mapping[str, FloatArray]
"""Tensor name -> values. A source may dequantise on access, so take each tensor once."""

Shapes = Mapping[str, tuple[int, ...]]


def require_shapes(expected: Shapes, actual: Shapes, *, ignored: frozenset[str] = frozenset()) -> None:
    """Raise SourceInvalid unless `actual` holds exactly the tensors of `expected`, besides `ignored` ones.

    A surplus tensor is refused too: leaving out a bias or an untied head would make a different model.
    """
    for name, shape in expected.items():
        if actual.get(name) != shape:
            raise SourceInvalid(f"tensor {name}: expected shape {shape}, got {actual.get(name, 'no such tensor')}")
    if surplus := sorted(actual.keys() - expected.keys() - ignored):
        raise SourceInvalid(f"tensors: expected those of the architecture, got {surplus[0]} besides")


def random_weights(shapes: Shapes, seed: int) -> dict[str, FloatArray]:
    """Seeded weights of these shapes: matrices scaled to keep unit variance, norms near one, biases small."""
    generator = np.random.default_rng(seed)
    return {name: _random(generator, name, shape) for name, shape in sorted(shapes.items())}


def _random(generator: np.random.Generator, name: str, shape: tuple[int, ...]) -> FloatArray:
    values = generator.standard_normal(shape, dtype=np.float32)
    if len(shape) == 2:
        return values / np.float32(shape[1] ** 0.5)
    centre = 0 if name.endswith("bias") else 1
    return np.float32(centre) + np.float32(0.1) * values
