"""The inverse of the converter's quantisation, up to rounding."""

import numpy as np
import numpy.typing as npt

from strongroom.models.quantize import ZERO_POINT
from strongroom.models.weights import FloatArray


def dequantize_int8(codes: npt.NDArray[np.uint8], scales: FloatArray) -> FloatArray:
    """The weights [rows, columns] that the codes stand for; the inverse of `quantize_int8` up to rounding."""
    values = (codes.astype(np.float32) - np.float32(ZERO_POINT)) * scales[:, :, None]
    return values.reshape(codes.shape[0], -1)
