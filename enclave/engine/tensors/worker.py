"""The process of one tensor model, seen from the enclave: started anew when a task finds it at its end."""

from collections.abc import Mapping

from enclave.engine.cancellation import Cancellation
from enclave.engine.children.limits import address_space_bytes, load_s
from enclave.engine.children.start import start
from enclave.engine.errors import InferenceFailed, InvalidTensor, ModelRejected, TooLong
from enclave.engine.runner import Ports
from enclave.engine.sessions import CLASH
from enclave.engine.tensors.incoming import Lost, Opening, opening, result
from enclave.engine.tensors.inputs import told
from enclave.engine.tensors.messages import Answer, Cancel, Failed, Load, Outgrown, Refused, Run, heads
from enclave.engine.tensors.talk import Talk
from strongroom.protocol.constants import MAX_CHUNK_BYTES
from strongroom.protocol.payloads import MAX_OUTPUTS, MAX_TENSORS
from strongroom.protocol.tensors import Tensor

_COMMAND = ("-m", "enclave.engine.tensors.child")


class Worker:
    """Runs a graph in a process of its own, and keeps the files to start another: the graph may end it at any time."""

    def __init__(self, graph: bytes, files: Mapping[str, bytes], threads: int) -> None:
        """Start the process; raise ModelRejected unless it loads the graph, and the ports are of the protocol."""
        self._files = [graph, *files.values()]
        size_bytes = sum(map(len, self._files))
        sizes = {name: len(data) for name, data in files.items()}
        self._load = Load(address_space_bytes(size_bytes), threads, len(graph), sizes)
        self._load_s = load_s(size_bytes)
        self._number = 0
        self._talk, self.ports = self._start()
        self._expected = [(port.name, port.dtype) for port in self.ports.outputs]

    def run(self, tensors: Mapping[str, Tensor], cancellation: Cancellation) -> dict[str, Tensor]:
        """All outputs by name. Raises InvalidTensor where the values are at fault, TooLong, InferenceFailed, Cancelled.

        A cancelled run ends at the graph's next operator, or with the process if that takes GRACE_S.
        """
        try:
            if self._talk.is_over:
                self._start_anew()
            return self._run(tensors, cancellation)
        except (Lost, ModelRejected):
            cancellation.check()
            raise InferenceFailed("expected the model's process to answer, got its end; another is started") from None

    def close(self) -> None:
        """End the process."""
        self._talk.end()

    def _start(self) -> tuple[Talk, Ports]:
        """A process that has loaded the graph, and its ports; raise ModelRejected."""
        try:
            talk = Talk(start(_COMMAND))
            reply, _ = talk.ask([self._load.to_bytes(), *self._files], opening(), wall_s=self._load_s)
        except (OSError, Lost) as error:
            raise ModelRejected(f"graph: expected a process that loads it, got {type(error).__name__}") from None
        try:
            return talk, _ports(reply)
        except ModelRejected:
            talk.end()
            raise

    def _start_anew(self) -> None:
        self._talk.end()
        self._talk, ports = self._start()
        if ports != self.ports:
            self._talk.end()
            raise Lost("expected the ports that the graph had before, got others")

    def _run(self, tensors: Mapping[str, Tensor], cancellation: Cancellation) -> dict[str, Tensor]:
        self._number += 1
        run, farewell = Run(self._number, heads(tensors)), Cancel(self._number).to_bytes()
        data = [tensor.data for tensor in tensors.values()]
        reply, parts = self._talk.ask([run.to_bytes(), *data], result(), cancellation=cancellation, farewell=farewell)
        if reply.number != self._number:
            self._talk.end()
            raise Lost("expected an answer to this run, got one to another")
        cancellation.check()
        match reply:
            case Answer():
                return self._outputs(reply, parts)
            case Outgrown():
                raise TooLong(f"expected outputs of at most {MAX_CHUNK_BYTES} bytes, got {reply.size_bytes}")
            case Failed(by_values=True):
                raise InvalidTensor(CLASH)
            case Failed():
                raise InferenceFailed("expected onnxruntime to finish, got an error")

    def _outputs(self, answer: Answer, parts: list[bytes]) -> dict[str, Tensor]:
        """What was found, if these are the outputs of the graph."""
        if [(each.name, each.dtype) for each in answer.tensors] != self._expected:
            self._talk.end()
            raise Lost("expected the outputs of the graph, got others")
        return answer.with_parts(parts)


def _ports(reply: Opening) -> Ports:
    """The ports as tasks and answers have them; raise ModelRejected."""
    if isinstance(reply, Refused):
        raise ModelRejected("graph: expected one that onnxruntime loads, got one that it refuses")
    if len(reply.inputs) > MAX_TENSORS or len(reply.outputs) > MAX_OUTPUTS:
        text = f"expected at most {MAX_TENSORS} inputs and at most {MAX_OUTPUTS} outputs"
        raise ModelRejected(f"graph: {text}, got {len(reply.inputs)} and {len(reply.outputs)}")
    return Ports(list(map(told, reply.inputs)), list(map(told, reply.outputs)))
