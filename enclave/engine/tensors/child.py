"""`python -m enclave.engine.tensors.child`: load a graph under limits, run it as often as the enclave says.

One thread hears, so that a run can be cancelled, and so that the process ends with the enclave whatever onnxruntime
does; the main thread runs and answers. Of a request nothing is said but its outputs: standard error goes nowhere.
"""

import os
import sys
import threading
from collections.abc import Iterable
from queue import SimpleQueue
from typing import IO, TYPE_CHECKING, NamedTuple, TypeVar

import msgspec

from enclave.engine.arrays import to_array, to_tensor
from enclave.engine.cancellation import Cancellation, Cancelled
from enclave.engine.children.limits import limit
from enclave.engine.errors import EngineError, InvalidTensor, ModelRejected
from enclave.engine.heap import trim
from enclave.engine.sessions import inputs, open_session, outputs, run_session
from enclave.engine.tensors.messages import (
    LENGTH_BYTES,
    Answer,
    Cancel,
    Failed,
    Load,
    Message,
    Outgrown,
    Ports,
    Refused,
    Run,
    heads,
)
from strongroom.protocol.constants import MAX_CHUNK_BYTES

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


_Order = TypeVar("_Order", bound=Message)

_LOAD = msgspec.json.Decoder(Load)
_ORDERS = msgspec.json.Decoder(Run | Cancel)


class _Asked(NamedTuple):
    """A run that the enclave asks for, and its inputs."""

    run: Run
    parts: list[bytes]
    cancellation: Cancellation


def main() -> None:
    """Serve until standard input ends, or anything is wrong: there is no other end."""
    try:
        _serve()
    finally:
        os._exit(0)


def _serve() -> None:
    pipe, asked = sys.stdin.buffer, SimpleQueue[_Asked]()
    load, (graph, *files) = _read(pipe, _LOAD)
    limit(load.memory_bytes)
    threading.Thread(target=_hear, args=(pipe, asked), daemon=True).start()
    try:
        session = open_session(graph, threads=load.threads, files=dict(zip(load.files_bytes, files, strict=True)))
    except ModelRejected:
        return _say(Refused())
    del graph, files
    trim()
    _say(Ports(list(inputs(session).values()), list(outputs(session).values())))
    while True:
        _say(*_result(session, asked.get()))


def _hear(pipe: IO[bytes], asked: SimpleQueue[_Asked]) -> None:
    """Pass the runs on, and cancel the latest one if the enclave says so."""
    number, cancellation = 0, Cancellation()
    try:
        while True:
            message, parts = _read(pipe, _ORDERS)
            if isinstance(message, Run):
                number, cancellation = message.number, Cancellation()
                asked.put(_Asked(message, parts, cancellation))
            elif message.number == number:
                cancellation.cancel()
            del message, parts  # the wait for the next may be long
    finally:
        os._exit(0)


def _read(pipe: IO[bytes], decoder: msgspec.json.Decoder[_Order]) -> tuple[_Order, list[bytes]]:
    """The next message and its parts: our own parent's, so their sizes are not bounded."""
    if not (length := pipe.read(LENGTH_BYTES)):
        raise EOFError
    message = decoder.decode(pipe.read(int.from_bytes(length)))
    return message, [pipe.read(size) for size in message.sizes]


def _result(session: "InferenceSession", asked: _Asked) -> tuple[Message, list[bytes]]:
    """What became of the run, and its outputs' bytes."""
    number, tensors = asked.run.number, asked.run.with_parts(asked.parts)
    try:
        feeds = {name: to_array(tensor) for name, tensor in tensors.items()}
        found = run_session(session, feeds, asked.cancellation)
        if (size_bytes := sum(array.nbytes for array in found.values())) > MAX_CHUNK_BYTES:  # before any is copied
            return Outgrown(number, size_bytes), []
        outputs = {name: to_tensor(array) for name, array in found.items()}
    except (EngineError, Cancelled, MemoryError) as error:
        return Failed(number, by_values=isinstance(error, InvalidTensor)), []
    return Answer(number, heads(outputs)), [tensor.data for tensor in outputs.values()]


def _say(message: Message, parts: Iterable[bytes] = ()) -> None:
    pipe = sys.stdout.buffer
    pipe.write(message.to_bytes())
    for part in parts:
        pipe.write(part)
    pipe.flush()


if __name__ == "__main__":
    main()
