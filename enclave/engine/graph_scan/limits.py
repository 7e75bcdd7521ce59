"""The bounds of the scan: above what exporters write, below what hurts."""

from typing import Final

MAX_GRAPH_BYTES: Final = (1 << 31) - 1
"""Protobuf's own limit: larger weights lie in files beside the graph."""

MAX_FIELDS: Final = 1 << 21
"""Fields of all messages together, packed numbers that are read among them: some seconds of the scan.

Tree ensembles write their nodes as a million of them.
"""

MAX_DEPTH: Final = 32
"""Nested messages: about ten graphs in graphs. Protobuf and onnxruntime recurse, the scan does not."""

MAX_MESSAGES: Final = {"node": 1 << 16, "attribute": 1 << 18, "tensor": 1 << 16, "opset": 64, "entry": 1 << 18}
"""Messages of a kind; onnxruntime holds 1 to 2 KiB for a node, and some of its passes are not linear."""

MAX_TEXT_BYTES: Final = 4096
"""A name of a node, a tensor, an operator, a domain."""

MAX_KEPT_NUMBERS: Final = 64
"""Numbers kept of a list; the others are counted. A shape of more dimensions is refused."""

MAX_WEIGHT_FACTOR: Final = 8
"""Weights in memory per byte of the files: a number of one byte on the wire is at most eight in a tensor."""

SPARE_WEIGHT_BYTES: Final = 64 << 20
"""Allowed besides, for small files: a string of two bytes on the wire is an object in memory."""

STRING_BYTES: Final = 64
"""What a string of a tensor counts for."""

MAX_EXPANDED_ITEMS: Final = 1 << 27
"""Items that a node may make of constants: half a gibibyte of float32."""
