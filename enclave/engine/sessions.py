"""onnxruntime sessions: opened from bytes, checked against the signature that the task needs, run without leaks."""

from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from numpy.typing import NDArray

from enclave.engine.cancellation import Cancellation, Cancelled
from enclave.engine.errors import InferenceFailed, InvalidTensor, ModelRejected
from enclave.engine.telemetry import import_onnxruntime

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, IOBinding, SessionOptions

WARNINGS, SILENT = 2, 4
"""onnxruntime's levels of log: SILENT says fatal errors only, for the others can quote values of a request."""

CLASH = "expected values and sizes that the graph's operators take together, got others"

_CONFIGURATION = {
    "session.load_model_format": "ONNX",
    "session.intra_op.allow_spinning": "0",  # spinning is up to 3 times slower on a busy machine
    "session.inter_op.allow_spinning": "0",
    # A directory that can hold no file: external data comes from memory, or not at all. Without it, and with its
    # optimizer off, onnxruntime reads external data from the working directory even for a graph given as bytes.
    "session.model_external_initializers_file_folder_path": "/dev/null",
    # A larger constant is made at each run, and freed after it: it does not stay from the load on.
    "optimization.constant_folding_max_output_size_in_bytes": str(256 << 20),
}

_NO_FILES: Mapping[str, bytes] = MappingProxyType({})


class Port(NamedTuple):
    """One input or output of a graph.

    `dtype` is onnxruntime's name of the element type ("tensor(float)"); a dimension is an int where the graph fixes it,
    and a symbol or None where it does not.
    """

    name: str
    dtype: str
    shape: tuple[int | str | None, ...]


def open_session(
    graph: bytes, *, threads: int, files: Mapping[str, bytes] = _NO_FILES, log: int = SILENT
) -> "InferenceSession":
    """A CPU session on the serialised ONNX model, with `threads` threads per operator.

    External data is taken from `files`, by name, and nowhere else; onnxruntime copies what it uses. The arena and
    memory patterns are off, so that freed tensors do not wait in a pool of ours. `graph_scan` and `probe` come before
    (Engine.load). Raises ModelRejected.
    """
    onnxruntime = import_onnxruntime()
    options = _options(threads)
    options.log_severity_level = log
    try:
        if files:
            data = list(files.values())
            options.add_external_initializers_from_files_in_memory(list(files), data, [len(each) for each in data])
        session = onnxruntime.InferenceSession(
            graph,
            options,
            providers=["CPUExecutionProvider"],
            enable_fallback=0,
            read_config_from_model=0,
        )
    except Exception as error:
        raise ModelRejected(f"graph: expected one that onnxruntime loads, got {type(error).__name__}") from None
    session._model_bytes = None  # kept to fall back on other providers; that is off, and all weights are in there
    return session


def _options(threads: int) -> "SessionOptions":
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    for key, value in _CONFIGURATION.items():
        options.add_session_config_entry(key, value)
    return options


def inputs(session: "InferenceSession") -> dict[str, Port]:
    """The graph's inputs by name."""
    return _ports(session.get_inputs())


def outputs(session: "InferenceSession") -> dict[str, Port]:
    """The graph's outputs by name."""
    return _ports(session.get_outputs())


def _ports(nodes: Sequence[Any]) -> dict[str, Port]:
    return {node.name: Port(node.name, node.type, tuple(map(_dimension, node.shape))) for node in nodes}


def _dimension(size: int | str | None) -> int | str | None:
    """Paddle's exporter writes "?" for whatever it does not know: no symbol, which has one size wherever it stands."""
    return None if size == "?" else size


def require_ports(ports: Mapping[str, Port], expected: Sequence[Port]) -> None:
    """Raise ModelRejected unless the ports are the expected ones and no others.

    A None in an expected shape matches any dimension; elsewhere the graph must fix the same number.
    """
    if missing := {port.name for port in expected} ^ set(ports):
        raise ModelRejected(f"graph: expected exactly the ports of its task, got a difference in {min(missing)}")
    for port in expected:
        actual = ports[port.name]
        if actual.dtype != port.dtype or len(actual.shape) != len(port.shape):
            raise ModelRejected(
                f"graph: {port.name}: expected {port.dtype} of {len(port.shape)} dimensions, "
                f"got {actual.dtype} of {len(actual.shape)}"
            )
        for wanted, found in zip(port.shape, actual.shape, strict=True):
            if wanted is not None and wanted != found:
                raise ModelRejected(f"graph: {port.name}: expected a dimension of {wanted}, got {found}")


def run_session(
    session: "InferenceSession", feeds: Mapping[str, NDArray[Any]], cancellation: Cancellation | None = None
) -> dict[str, NDArray[Any]]:
    """All outputs by name; raise InvalidTensor where the feeds' values are at fault, InferenceFailed otherwise.

    A cancellation ends the run at the graph's next operator, those of its loops included; raises Cancelled.
    """
    onnxruntime, options = import_onnxruntime(), _run_options()
    errors = onnxruntime.capi.onnxruntime_pybind11_state
    cancellation = cancellation or Cancellation()
    names = [node.name for node in session.get_outputs()]
    try:
        with cancellation.stopping(partial(setattr, options, "terminate", True)):
            arrays = session.run(names, dict(feeds), options)
    except Cancelled:
        raise
    except (errors.InvalidArgument, errors.Fail):  # whatever an operator finds wrong with what it is given
        cancellation.check()
        raise InvalidTensor(CLASH) from None
    except Exception as error:
        cancellation.check()
        raise InferenceFailed(f"expected onnxruntime to finish, got {type(error).__name__}") from None
    return dict(zip(names, arrays, strict=True))


def run_bound(session: "InferenceSession", binding: "IOBinding") -> None:
    """Run on the buffers that the binding names; raise InferenceFailed."""
    try:
        session.run_with_iobinding(binding, _run_options())
    except Exception as error:
        raise InferenceFailed(f"expected onnxruntime to finish, got {type(error).__name__}") from None


def _run_options() -> Any:
    options = import_onnxruntime().RunOptions()
    options.log_severity_level = SILENT
    return options


def ort_value(array: NDArray[Any]) -> Any:
    """An OrtValue over the array's own memory: nothing is copied, so the caller keeps the array until the run ended."""
    return import_onnxruntime().OrtValue.ortvalue_from_numpy(array)
