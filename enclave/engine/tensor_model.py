"""Any other model: named tensors in, named tensors out."""

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from enclave.engine.arrays import ORT_TYPES, to_array, to_tensor
from enclave.engine.cancellation import Cancellation
from enclave.engine.errors import InvalidTensor, ModelRejected, TooLong, WrongTask
from enclave.engine.runner import Ports
from enclave.engine.sessions import Port, inputs, open_session, outputs, run_session
from strongroom.protocol.catalogue import ModelManifest
from strongroom.protocol.constants import MAX_CHUNK_BYTES
from strongroom.protocol.payloads import MAX_OUTPUTS, MAX_TENSORS, Event, InferTask, Outputs, Task
from strongroom.protocol.tensors import Port as ProtocolPort
from strongroom.protocol.tensors import Tensor

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


class TensorModel:
    """A graph whose inputs and outputs are dense tensors of the protocol's dtypes."""

    def __init__(self, session: "InferenceSession", *, finite_inputs: bool = False) -> None:
        """Check the ports; raise ModelRejected. `finite_inputs` refuses NaN and infinities."""
        self._session, self._finite_inputs = session, finite_inputs
        self._inputs, found = inputs(session), outputs(session)
        if len(self._inputs) > MAX_TENSORS or len(found) > MAX_OUTPUTS:
            text = f"expected at most {MAX_TENSORS} inputs and at most {MAX_OUTPUTS} outputs"
            raise ModelRejected(f"graph: {text}, got {len(self._inputs)} and {len(found)}")
        self.ports = Ports(list(map(_told, self._inputs.values())), list(map(_told, found.values())))

    @classmethod
    def load(cls, manifest: ModelManifest, files: Mapping[str, bytes], threads: int) -> "TensorModel":
        """Load a package of task "infer"; raise ModelRejected."""
        session = open_session(files[manifest.graph], threads=threads, files=files)
        return cls(session, finite_inputs=manifest.infer is not None and manifest.infer.finite_inputs)

    def run(self, task: Task, cancellation: Cancellation) -> Generator[Event, None, None]:
        """Yield one Outputs; raise WrongTask, InvalidTensor, TooLong, InferenceFailed, and Cancelled."""
        if not isinstance(task, InferTask):
            raise WrongTask("this model takes infer tasks only")
        feeds = check_inputs(self._inputs, task.tensors)
        if self._finite_inputs:
            require_finite(feeds)
        found = run_session(self._session, feeds, cancellation)
        if (size := sum(array.nbytes for array in found.values())) > MAX_CHUNK_BYTES:  # before any of it is copied
            raise TooLong(f"expected outputs of at most {MAX_CHUNK_BYTES} bytes, got {size}")
        yield Outputs({name: to_tensor(array) for name, array in found.items()})


def _told(port: Port) -> ProtocolPort:
    """The port as the protocol has it; raise ModelRejected for one that no task could bring and no answer tell."""
    if port.dtype not in ORT_TYPES:
        raise ModelRejected(f"graph: {port.name}: expected a dtype of the protocol, got {port.dtype}")
    told = ProtocolPort(port.name, ORT_TYPES[port.dtype], list(port.shape))
    try:
        return msgspec.convert(msgspec.to_builtins(told), ProtocolPort)
    except msgspec.ValidationError:
        text = "expected names, symbols and shapes within the limits of docs/protocol.md, got others"
        raise ModelRejected(f"graph: {text}") from None


def check_inputs(ports: Mapping[str, Port], tensors: Mapping[str, Tensor]) -> dict[str, NDArray[Any]]:
    """The tensors as arrays; raise InvalidTensor unless they are exactly what the ports ask for.

    A dimension that the graph names by a symbol may have any size from 1, the same wherever the symbol stands (an
    empty tensor costs no bytes, and could ask for any amount of memory).
    """
    for name in ports:
        if name not in tensors:
            raise InvalidTensor(f"expected an input {name}, got none")
    if len(tensors) != len(ports):
        raise InvalidTensor(f"expected {len(ports)} inputs, got {len(tensors)}")
    symbols: dict[str, int] = {}
    return {name: _check(port, tensors[name], symbols) for name, port in ports.items()}


def require_finite(feeds: Mapping[str, NDArray[Any]]) -> None:
    """Raise InvalidTensor for NaN or an infinity among the numbers."""
    for name, array in feeds.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InvalidTensor(f"{name}: expected finite numbers, got NaN or an infinity")


def _check(port: Port, tensor: Tensor, symbols: dict[str, int]) -> NDArray[Any]:
    if tensor.dtype != (expected := ORT_TYPES[port.dtype]):
        raise InvalidTensor(f"{port.name}: expected dtype {expected}, got {tensor.dtype}")
    if len(tensor.shape) != len(port.shape):
        raise InvalidTensor(f"{port.name}: expected {len(port.shape)} dimensions, got {len(tensor.shape)}")
    for dimension, (wanted, size) in enumerate(zip(port.shape, tensor.shape, strict=True)):
        if isinstance(wanted, str):
            wanted = symbols.setdefault(wanted, size)
        if size < 1 or (wanted is not None and size != wanted):
            at_least = "1 or more" if wanted is None or size < 1 else str(wanted)
            raise InvalidTensor(f"{port.name}: dimension {dimension}: expected {at_least}, got {size}")
    return to_array(tensor)
