"""Any other model: named tensors in, named tensors out."""

from collections.abc import Generator, Mapping

from enclave.engine.cancellation import Cancellation
from enclave.engine.errors import WrongTask
from enclave.engine.runner import Ports
from enclave.engine.tensors.inputs import check_inputs, require_finite
from enclave.engine.tensors.worker import Worker
from strongroom.protocol.catalogue import ModelManifest
from strongroom.protocol.payloads import Event, InferTask, Outputs, Task


class TensorModel:
    """A graph whose inputs and outputs are dense tensors of the protocol's dtypes, in a process of its own."""

    def __init__(self, worker: Worker, *, finite_inputs: bool = False) -> None:
        """`finite_inputs` refuses NaN and infinities."""
        self._worker, self._finite_inputs = worker, finite_inputs

    @classmethod
    def load(cls, manifest: ModelManifest, files: Mapping[str, bytes], threads: int) -> "TensorModel":
        """Load a package of task "infer"; raise ModelRejected."""
        others = {file.name: files[file.name] for file in manifest.files if file.name != manifest.graph}
        worker = Worker(files[manifest.graph], others, threads)
        return cls(worker, finite_inputs=manifest.infer is not None and manifest.infer.finite_inputs)

    @property
    def ports(self) -> Ports:
        """Those of the graph."""
        return self._worker.ports

    def run(self, task: Task, cancellation: Cancellation) -> Generator[Event, None, None]:
        """Yield one Outputs; raise WrongTask, InvalidTensor, TooLong, InferenceFailed, and Cancelled."""
        if not isinstance(task, InferTask):
            raise WrongTask("this model takes infer tasks only")
        arrays = check_inputs(self.ports.inputs, task.tensors)
        if self._finite_inputs:
            require_finite(self.ports.inputs, arrays)
        yield Outputs(self._worker.run(task.tensors, cancellation))

    def close(self) -> None:
        """End the process."""
        self._worker.close()
