"""A graph is loaded by a child first: what crashes, hangs or eats memory does so there."""

import signal
import subprocess
from collections.abc import Mapping
from typing import NamedTuple

from enclave.engine.children.limits import address_space_bytes, load_s
from enclave.engine.children.start import start
from enclave.engine.errors import ModelRejected
from enclave.engine.footprint import session_bytes
from enclave.engine.probe.order import Order, Outcome
from enclave.engine.probe.talk import Talk

_COMMAND = ("-m", "enclave.engine.probe.child")
_MIB, _GIB = 1 << 20, 1 << 30
_SIGNALS = {each.value: each.name for each in signal.Signals}  # those of real time have no names


class Limits(NamedTuple):
    """What a child may use: address space, and of it for the session it has loaded; CPU time of all threads together,
    time on the wall.
    """

    memory_bytes: int
    kept_bytes: int
    cpu_s: int
    wall_s: float

    @classmethod
    def of(cls, model_bytes: int) -> "Limits":
        """The limits for a graph and its external data of that size together."""
        memory_bytes, kept_bytes = address_space_bytes(model_bytes), session_bytes(model_bytes)
        return cls(memory_bytes, kept_bytes, cpu_s=20 + 20 * model_bytes // _GIB, wall_s=load_s(model_bytes))


def probe(graph: bytes, files: Mapping[str, bytes], threads: int, limits: Limits) -> Outcome:
    """Load the serialised ModelProto in a child, with `files` for its external data, and run it once on zeros.

    Returns RAN, or LOADED for a graph that does not take zeros of the smallest shapes. Raises ModelRejected, which
    names what went wrong: memory, CPU time, time, a crash, or a refusal by onnxruntime.
    """
    sizes = {name: len(data) for name, data in files.items()}
    order = Order(limits.memory_bytes, limits.kept_bytes, limits.cpu_s, threads, len(graph), sizes)
    try:
        child = start(_COMMAND, stderr=subprocess.PIPE)
    except OSError as error:
        raise ModelRejected(f"probe: expected a process to start, got {type(error).__name__}") from None
    talk = Talk(child, [order.to_line(), graph, *files.values()])
    with child:
        try:
            status = talk.until_end(limits.wall_s)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            child.kill()  # nothing, if it has ended; else what we are leaving behind
    if talk.of_memory:
        raise _out_of_memory(limits)
    if status is None:
        raise ModelRejected(f"probe: time: expected an end within {limits.wall_s:g} s, got none")
    return _judge(status, talk.line, limits)


def _judge(status: int, line: bytes, limits: Limits) -> Outcome:
    """The outcome that the status and the line agree on; raise ModelRejected for the bad ones."""
    outcome = next((each for each in Outcome if each == status and line == f"{each.name}\n".encode()), None)
    match outcome:
        case Outcome.RAN | Outcome.LOADED:
            return outcome
        case Outcome.REFUSED:
            raise ModelRejected("probe: expected a graph that onnxruntime loads, got one that it refuses")
        case Outcome.OUT_OF_MEMORY:
            raise _out_of_memory(limits)
        case Outcome.KEPT_TOO_MUCH:
            kept_mib = limits.kept_bytes // _MIB
            raise ModelRejected(f"probe: memory: expected a session that keeps at most {kept_mib} MiB, got more")
    if status == -signal.SIGXCPU:
        raise ModelRejected(f"probe: CPU time: expected at most {limits.cpu_s} s, got more")
    if status < 0:
        raise ModelRejected(f"probe: crash: expected an exit, got {_SIGNALS.get(-status, f'signal {-status}')}")
    raise ModelRejected(f"probe: crash: expected an outcome, got exit status {status}")


def _out_of_memory(limits: Limits) -> ModelRejected:
    return ModelRejected(f"probe: memory: expected at most {limits.memory_bytes // _MIB} MiB, got more")
