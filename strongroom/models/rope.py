"""Rotary position tables (RoFormer, arXiv:2104.09864) for GroupQueryAttention's built-in rotation."""

import math

import numpy as np

from strongroom.models.weights import FloatArray


def rotary_tables(positions: int, head_size: int, theta: float) -> tuple[FloatArray, FloatArray]:
    """Cosines and sines, each [positions, head_size / 2].

    Computed by the C library in double precision: numpy's vectorised functions differ from processor to processor
    in the last bits, and the graph's digest must not.
    """
    frequencies = [math.pow(theta, -2 * pair / head_size) for pair in range(head_size // 2)]
    angles = [[position * frequency for frequency in frequencies] for position in range(positions)]
    cosines = np.array([[math.cos(angle) for angle in row] for row in angles], dtype=np.float32)
    sines = np.array([[math.sin(angle) for angle in row] for row in angles], dtype=np.float32)
    return cosines, sines
