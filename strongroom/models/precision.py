"""How a decoder's matrices lie in its graph: int8 in blocks, which is shipped, or float32, which it is held against."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from onnx import TensorProto

from strongroom.models.graph import CONTRIB, Graph
from strongroom.models.quantize import BLOCK, ZERO_POINT, quantize_int8
from strongroom.models.weights import FloatArray

_INT8_ACTIVATIONS = 4
"""MatMulNBits' accuracy_level: activations rounded per row and block, so that no row depends on its batch."""


class Precision(Protocol):
    """Stores matrices, each under a name, and reads and multiplies with them; `out` names the node and its result."""

    @property
    def name(self) -> str:
        """What people call it."""

    def store(self, graph: Graph, name: str, matrix: FloatArray) -> None:
        """Keep a matrix [rows, columns] once."""

    def look_up(self, graph: Graph, name: str, ids: str, *, columns: int, out: str) -> str:
        """The rows [b, s, columns] of a stored matrix at `ids` [b, s]."""

    def multiply(self, graph: Graph, name: str, hidden: str, *, rows: int, columns: int, out: str) -> str:
        """`hidden` [b, s, columns] times the transposed matrix: [b, s, rows]."""


@dataclass(frozen=True)
class Int8:
    """int8 in blocks (`quantize_int8`): a table that is looked up in is stored once for both uses."""

    block: int = BLOCK

    @property
    def name(self) -> str:
        """With the size of its blocks."""
        return f"int8, blocks of {self.block}"

    def store(self, graph: Graph, name: str, matrix: FloatArray) -> None:
        """Codes and scales."""
        codes, scales = quantize_int8(matrix, self.block)
        graph.constant(f"{name}.codes", codes)
        graph.constant(f"{name}.scales", scales)

    def look_up(self, graph: Graph, name: str, ids: str, *, columns: int, out: str) -> str:
        """Dequantised in the graph, for the rows asked for."""
        rows = graph.add("Gather", f"{name}.codes", ids, name=f"{out}/codes")
        levels = graph.add("Cast", rows, name=f"{out}/levels", to=TensorProto.FLOAT)
        centred = graph.add("Sub", levels, graph.scalar(ZERO_POINT), name=f"{out}/centred")
        row_scales = graph.add("Gather", f"{name}.scales", ids, name=f"{out}/row_scales")
        factors = graph.add("Unsqueeze", row_scales, graph.integers(3), name=f"{out}/factors")
        blocks = graph.add("Mul", centred, factors, name=f"{out}/blocks")
        return graph.add("Reshape", blocks, graph.integers(0, 0, columns), name=out)

    def multiply(self, graph: Graph, name: str, hidden: str, *, rows: int, columns: int, out: str) -> str:
        """By ONNX Runtime's MatMulNBits."""
        return graph.add(
            "MatMulNBits", hidden, f"{name}.codes", f"{name}.scales",
            name=out, domain=CONTRIB,
            N=rows, K=columns, bits=8, block_size=self.block, accuracy_level=_INT8_ACTIVATIONS,
        )  # fmt: skip


SHIPPED = Int8()
"""What packages are built with (ADR 8)."""


@dataclass(frozen=True)
class Float32:
    """The weights as the source dequantises them."""

    @property
    def name(self) -> str:
        """Its one name."""
        return "float32"

    def store(self, graph: Graph, name: str, matrix: FloatArray) -> None:
        """As it is."""
        graph.constant(f"{name}.matrix", matrix.astype(np.float32, copy=False))

    def look_up(self, graph: Graph, name: str, ids: str, *, columns: int, out: str) -> str:
        """The rows themselves."""
        return graph.add("Gather", f"{name}.matrix", ids, name=out)

    def multiply(self, graph: Graph, name: str, hidden: str, *, rows: int, columns: int, out: str) -> str:
        """By MatMul; ONNX Runtime folds the transposition."""
        transposed = graph.add("Transpose", f"{name}.matrix", name=f"{out}/transposed", perm=[1, 0])
        return graph.add("MatMul", hidden, transposed, name=out)
