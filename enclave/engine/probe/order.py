"""What `probe` tells its child, and what the child says."""

import json
from enum import IntEnum
from typing import NamedTuple

OUT_OF_MEMORY = b"bad_alloc"
"""What onnxruntime's texts have in common when an allocation failed."""


class Outcome(IntEnum):
    """The child's exit status, none that Python or a shell gives; its name is the child's one line."""

    RAN = 100
    LOADED = 101
    """Loaded, but not run: a port without a type of ours, or an orderly refusal of zeros."""
    REFUSED = 102
    OUT_OF_MEMORY = 103
    KEPT_TOO_MUCH = 104
    """Loaded, and there is more of it than its files explain: constants that onnxruntime made, and keeps."""


class Order(NamedTuple):
    """The limits of the child, and the sizes of the files that follow on its standard input, the graph's first."""

    memory_bytes: int
    kept_bytes: int
    cpu_s: int
    threads: int
    graph_bytes: int
    files_bytes: dict[str, int]

    def to_line(self) -> bytes:
        """One line of JSON."""
        return json.dumps(self).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> "Order":
        """The order of our own parent: unchecked."""
        return cls(*json.loads(line))
