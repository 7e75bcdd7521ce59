"""`python -m enclave.engine.probe.child`: load a graph under limits, run it once, say how it went, end."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from enclave.engine.arrays import ORT_TYPES
from enclave.engine.children.limits import limit
from enclave.engine.errors import EngineError, ModelRejected
from enclave.engine.heap import used_bytes
from enclave.engine.probe.order import OUT_OF_MEMORY, Order, Outcome
from enclave.engine.sessions import WARNINGS, Port, inputs, open_session, outputs, run_session

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_MASK = "attention_mask"


def main() -> int:
    """Read the order and the files from standard input; exit with an Outcome, and its name on standard output."""
    order = Order.from_line(sys.stdin.buffer.readline())
    limit(order.memory_bytes, order.cpu_s)
    try:
        outcome = _try(order)
    except MemoryError:
        outcome = Outcome.OUT_OF_MEMORY
    print(outcome.name, flush=True)
    return outcome


def _try(order: Order) -> Outcome:
    graph = sys.stdin.buffer.read(order.graph_bytes)
    files = {name: sys.stdin.buffer.read(size) for name, size in order.files_bytes.items()}
    before_bytes = used_bytes()
    try:
        session = open_session(graph, threads=order.threads, files=files, log=WARNINGS)
    except ModelRejected as error:
        return Outcome.OUT_OF_MEMORY if _is_out_of_memory(error) else Outcome.REFUSED
    return Outcome.KEPT_TOO_MUCH if used_bytes() - before_bytes > order.kept_bytes else _run(session)


def _run(session: "InferenceSession") -> Outcome:
    try:
        ports, _ = inputs(session), outputs(session)
    except UnicodeDecodeError:  # onnxruntime takes names of any bytes, but cannot say those that are no UTF-8
        return Outcome.REFUSED
    if (feeds := zeros(ports)) is None:
        return Outcome.LOADED
    try:
        run_session(session, feeds)
    except EngineError as error:
        return Outcome.OUT_OF_MEMORY if _is_out_of_memory(error) else Outcome.LOADED
    return Outcome.RAN


def zeros(ports: Mapping[str, Port]) -> dict[str, NDArray[Any]] | None:
    """Zeros of the smallest shapes for every input: 1 where the graph does not fix a dimension.

    An attention mask is of ones, or no token would be there. None if an input is not of the protocol's dtypes.
    """
    if any(port.dtype not in ORT_TYPES for port in ports.values()):
        return None
    shapes = {name: [size if isinstance(size, int) else 1 for size in port.shape] for name, port in ports.items()}
    feeds = {name: np.zeros(shapes[name], dtype=ORT_TYPES[port.dtype]) for name, port in ports.items()}
    if _MASK in feeds:
        feeds[_MASK] = np.ones_like(feeds[_MASK])
    return feeds


def _is_out_of_memory(error: BaseException) -> bool:
    """Whether onnxruntime's own error, below ours, is about memory; its text goes no further."""
    cause = error.__context__
    return isinstance(cause, MemoryError) or OUT_OF_MEMORY.decode() in str(cause)


if __name__ == "__main__":
    sys.exit(main())
