"""Invariant of ``enclave.engine.graph_scan``: any bytes are refused by a rule, or accepted with files of the package.

What is accepted is accepted without those files too, unless its own answer names them.
"""

from __future__ import annotations

from enclave.engine.graph_scan.rules import GraphRejected
from enclave.engine.graph_scan.scan import scan
from tests.enclave.engine.protobuf import field, varint
from tests.fuzz.targets import check

FILES = {"weights.bin": bytes(64)}


def seeds() -> list[bytes]:
    weights = [_tensor(b"w", 1, [2, 2], bytes(16)), _tensor(b"n", 7, [2], (3).to_bytes(8, "little") * 2), _outside()]
    sized = [_node(b"Concat", [b"n", b"n"], [b"m"]), _node(b"ConstantOfShape", [b"m"], [b"z"])]
    inner = field(6, _graph([_node(b"Expand", [b"w", b"n"], [b"y"])], []))
    branch = _node(b"If", [b"c"], [b"y"]) + field(5, field(1, b"then_branch") + inner)
    listed = field(1, varint(2)) + b"\x10\x07" + field(7, b"\x01\x80\x01") + field(8, b"l")
    return [
        _model(_graph([], [])),
        _model(_graph(sized, weights)),
        _model(_graph([branch], [*weights, listed])),
        _model(_graph([_node(b"Constant", [], [b"s"]) + field(5, field(5, weights[1]))], [])),
    ]


def one_input(data: bytes) -> None:
    used = _accepted(data, FILES)
    if used is not None:
        check(used <= FILES.keys(), "files of the package")
        check((_accepted(data, {}) is None) == bool(used), "an answer that depends on the files it names")


def _accepted(data: bytes, files: dict[str, bytes]) -> frozenset[str] | None:
    try:
        return scan(data, files)
    except GraphRejected:
        return None


def _model(graph: bytes) -> bytes:
    return b"\x08\x09" + field(7, graph) + field(8, b"\x10\x11")


def _graph(nodes: list[bytes], weights: list[bytes]) -> bytes:
    return b"".join([field(1, node) for node in nodes] + [field(5, tensor) for tensor in weights])


def _node(operator: bytes, inputs: list[bytes], outputs: list[bytes]) -> bytes:
    names = [field(1, name) for name in inputs] + [field(2, name) for name in outputs]
    return b"".join(names) + field(4, operator)


def _tensor(name: bytes, data_type: int, dims: list[int], raw: bytes) -> bytes:
    return (
        b"".join(b"\x08" + varint(size) for size in dims) + b"\x10" + varint(data_type) + field(8, name) + field(9, raw)
    )


def _outside() -> bytes:
    place = [(b"location", b"weights.bin"), (b"offset", b"16"), (b"length", b"16")]
    entries = b"".join(field(13, field(1, key) + field(2, value)) for key, value in place)
    return b"\x08\x04\x10\x01" + field(8, b"outside") + entries + b"\x70\x01"
