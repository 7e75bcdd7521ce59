"""int8 in blocks of 16, symmetric: the form of ONNX Runtime's MatMulNBits with `bits=8, block_size=16`.

Why 16, with figures: docs/adr/0008. The block is the activations' block too.
"""

import numpy as np
import numpy.typing as npt

from strongroom.models.weights import FloatArray

BLOCK = 16
ZERO_POINT = 128
_LARGEST = 127


def quantize_int8(weights: FloatArray, block: int = BLOCK) -> tuple[npt.NDArray[np.uint8], FloatArray]:
    """Quantise [rows, columns] into codes uint8 [rows, columns / block, block] and scales [rows, columns / block].

    A value is `(code - 128) * scale`, at most half a scale from the original. Raises ValueError when the columns
    do not divide into blocks or a weight is not finite.
    """
    rows, columns = weights.shape
    if columns % block:
        raise ValueError(f"expected columns in blocks of {block}, got {columns}")
    if not np.isfinite(weights).all():
        raise ValueError("expected finite weights, got NaN or infinity")
    blocks = weights.reshape(rows, columns // block, block)
    scales = np.abs(blocks).max(axis=2) / np.float32(_LARGEST)
    divisors = np.where(scales > 0, scales, np.float32(1))
    codes = np.clip(np.rint(blocks / divisors[:, :, None]), -_LARGEST, _LARGEST) + ZERO_POINT
    return codes.astype(np.uint8), scales
