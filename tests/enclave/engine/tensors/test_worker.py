"""What a caller's numbers do to a process, they do to the model's own; the next task has another one."""

import gc
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from enclave.engine.arrays import to_tensor
from enclave.engine.cancellation import Cancellation, Cancelled
from enclave.engine.children.start import start
from enclave.engine.errors import InferenceFailed, InvalidTensor, ModelRejected
from enclave.engine.tensors import talk as talk_module
from enclave.engine.tensors import worker as module
from enclave.engine.tensors.incoming import Lost
from enclave.engine.tensors.worker import Worker
from strongroom.protocol.tensors import Tensor
from tests.enclave.engine import bombs
from tests.enclave.engine.graphs import dividing, expanding, external, identity, model, node, port, spinning

LEAST = {"int32": -(1 << 31), "int64": -(1 << 63)}
ENDLESS = {"times": to_tensor(np.array(1 << 62, dtype=np.int64))}
BRIEF = {"times": to_tensor(np.array(3, dtype=np.int64))}


def run(worker: Worker, **arrays: object) -> dict[str, Tensor]:
    return worker.run({name: to_tensor(np.array(array)) for name, array in arrays.items()}, Cancellation())


def pid_of(worker: Worker) -> int:
    alive = worker._talk.end.peek()
    assert alive is not None
    return int(alive[2][0].pid)


def is_running(pid: int) -> bool:
    with suppress(OSError):
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    return False


def end_process(worker: Worker) -> None:
    """From outside, as the kernel does it."""
    os.kill(pid_of(worker), signal.SIGKILL)
    while not worker._talk.is_over:
        time.sleep(0.01)


@contextmanager
def cancelled_once_it_runs(worker: Worker, *, stopped: bool = False) -> Iterator[Cancellation]:
    """Within the block it is cancelled as soon as the process computes, which may be stopped right before."""
    cancellation, pid = Cancellation(), pid_of(worker)
    begun_s = cpu_s(pid)

    def cancel() -> None:
        while cpu_s(pid) < begun_s + 0.05:
            time.sleep(0.01)
        if stopped:
            os.kill(pid, signal.SIGSTOP)
        cancellation.cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    yield cancellation
    thread.join()


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# What graphs do.


@pytest.mark.parametrize("operator", ["Div", "Mod"])
@pytest.mark.parametrize("dtype", LEAST)
def test_a_division_that_the_processor_traps_fails_and_the_next_is_answered(operator: str, dtype: str) -> None:
    worker = Worker(dividing(operator, dtype), {}, threads=1)
    sound = {"a": np.array([7, 9], dtype), "b": np.array([2, -1], dtype)}
    expected = run(worker, **sound)
    with pytest.raises(InferenceFailed, match="expected the model's process to answer, got its end"):
        run(worker, a=np.array([LEAST[dtype]], dtype), b=np.array([-1], dtype))
    assert run(worker, **sound) == expected
    worker.close()


def test_all_the_memory_that_a_process_may_have_is_one_tasks() -> None:
    worker = Worker(expanding(), {}, threads=1)
    before = pid_of(worker)
    for elements in (1 << 28, 1 << 40):  # a GiB, and more than there is
        with pytest.raises(InferenceFailed):
            run(worker, shape=[elements, 1])
    assert run(worker, shape=[2, 3])["y"].shape == [2, 3]
    assert pid_of(worker) == before


def test_a_process_that_the_kernel_ends_while_it_waits_costs_no_task() -> None:
    worker = Worker(identity("int8", ["n"]), {}, threads=1)
    end_process(worker)
    assert run(worker, x=np.array([5], np.int8))["y"].data == b"\x05"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_process_that_ends_while_it_runs_costs_that_task(number: signal.Signals) -> None:
    worker = Worker(spinning(), {}, threads=1)
    timer = threading.Timer(0.1, os.kill, [pid_of(worker), number])
    timer.start()
    with pytest.raises(InferenceFailed, match="got its end"):
        worker.run(ENDLESS, Cancellation())
    timer.join()
    assert worker.run(BRIEF, Cancellation())["y"].data == np.float32(8).tobytes()


def test_external_data_goes_along_and_again_to_the_next_process() -> None:
    weights = np.arange(4, dtype=np.float32)
    inputs, outputs = [port("x", "float32", [4])], [port("y", "float32", [4])]
    graph = model([node("Add", ["x", "w"], ["y"])], inputs, outputs, [external("w", "weights.bin")])
    worker = Worker(graph, {"weights.bin": weights.tobytes()}, threads=1)
    for _ in range(2):
        assert run(worker, x=np.zeros(4, np.float32))["y"].data == weights.tobytes()
        end_process(worker)


def test_values_at_fault_end_no_process() -> None:
    x, y, z = (port(name, "float32", [None, None]) for name in "xyz")
    worker = Worker(model([node("Concat", ["x", "y"], ["z"], axis=1)], [x, y], [z]), {}, threads=1)
    before = pid_of(worker)
    with pytest.raises(InvalidTensor, match="operators take together"):
        run(worker, x=np.zeros((2, 3), np.float32), y=np.zeros((3, 3), np.float32))
    assert run(worker, x=np.zeros((1, 1), np.float32), y=np.zeros((1, 1), np.float32))["z"].shape == [1, 2]
    assert pid_of(worker) == before


@pytest.mark.parametrize("size", [0, 1, 65_536, (1 << 20) - 7, 4 << 20])
def test_tensors_of_every_size_pass(size: int) -> None:
    data = np.random.default_rng(size).bytes(size)
    worker = Worker(identity("uint8", ["n"]), {}, threads=1)
    assert worker.run({"x": Tensor("uint8", [size], data)}, Cancellation())["y"].data == data


# Cancelling.


def test_a_cancelled_run_ends_within_its_loop_and_its_process_stays() -> None:
    worker = Worker(spinning(), {}, threads=1)
    before = pid_of(worker)
    for _ in range(3):
        with cancelled_once_it_runs(worker) as cancellation, pytest.raises(Cancelled):
            worker.run(ENDLESS, cancellation)
        assert worker.run(BRIEF, Cancellation())["y"].data == np.float32(8).tobytes()
    assert pid_of(worker) == before


def test_a_process_that_does_not_hear_is_ended_after_its_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(talk_module, "GRACE_S", 0.2)
    worker = Worker(spinning(), {}, threads=1)
    before = pid_of(worker)
    begun_s = time.monotonic()
    with cancelled_once_it_runs(worker, stopped=True) as cancellation, pytest.raises(Cancelled):
        worker.run(ENDLESS, cancellation)
    assert time.monotonic() - begun_s < 3
    assert not is_running(before)
    assert worker.run(BRIEF, Cancellation())["y"].data == np.float32(8).tobytes()


def test_nothing_is_said_of_a_run_that_was_cancelled_before() -> None:
    worker, cancellation = Worker(spinning(), {}, threads=1), Cancellation()
    before = pid_of(worker)
    cancellation.cancel()
    with pytest.raises(Cancelled):
        worker.run(ENDLESS, cancellation)
    assert worker.run(BRIEF, Cancellation())["y"].data == np.float32(8).tobytes()
    assert pid_of(worker) == before


# Processes of other kinds.

HONEST = """
import os, sys, time
from enclave.engine.tensors.child import _LOAD, _ORDERS, _read, _say
from enclave.engine.tensors.messages import *
from enclave.engine.sessions import Port
load, _ = _read(sys.stdin.buffer, _LOAD)
ports = Ports([Port("x", "tensor(int8)", ("n",))], [Port("y", "tensor(int8)", ("n",))])
def answer(number, *tensors):
    found = [TensorHead(name, dtype, [len(data)]) for name, dtype, data in tensors]
    _say(Answer(number, found), [data for _, _, data in tensors])
"""
SERVING = (
    HONEST
    + """
_say(ports)
while True:
    run, parts = _read(sys.stdin.buffer, _ORDERS)
    number, sound = run.number, ("y", "int8", parts[0])
    if os.environ.get("SOUND"):
        answer(number, sound)
    else:
        os.environ["SOUND"] = "1"
        LIE
"""
)
X = {"x": Tensor("int8", [2], b"\x01\x02")}


def instead(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    monkeypatch.setattr(module, "_COMMAND", ("-c", program))


@pytest.mark.parametrize(
    "lie",
    [
        "answer(number)",
        "answer(number, ('z', 'int8', parts[0]))",
        "answer(number, ('y', 'uint8', parts[0]))",
        "answer(number, sound, sound)",
        "answer(number, sound, ('z', 'int8', b''))",
        "answer(number + 1, sound)",
        "os.write(1, 2 * (Answer(number, [TensorHead('y', 'int8', [2])]).to_bytes() + parts[0]))",
        "_say(ports)",
        "_say(Refused())",
        "_say(Outgrown(number - 1, 1))",
        "_say(Answer(number, [TensorHead('y', 'int8', [9])]), [b'12345678']); os._exit(0)",
        "_say(Answer(number, [TensorHead('y', 'int8', [5 << 20])]), [bytes(5 << 20)])",
        "os.write(1, b'Warning: something'); time.sleep(60)",
        "os.close(1); time.sleep(60)",
        "os._exit(0)",
    ],
)
def test_a_lie_fails_its_task_and_ends_the_process(lie: str, monkeypatch: pytest.MonkeyPatch) -> None:
    instead(monkeypatch, SERVING.replace("LIE", lie))
    worker = Worker(b"", {}, threads=1)
    liar = pid_of(worker)
    with pytest.raises(InferenceFailed):
        worker.run(X, Cancellation())
    assert not is_running(liar)
    instead(monkeypatch, SERVING.replace("LIE", "answer(number, sound)"))
    assert worker.run(X, Cancellation())["y"].data == b"\x01\x02"


def test_what_was_not_asked_for_is_no_answer_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second answer that comes late is found before anything is said; the task has a new process, and its own."""
    late = "answer(number, sound); time.sleep(0.1); answer(number + 1, ('y', 'int8', b'no')); time.sleep(60)"
    instead(monkeypatch, SERVING.replace("LIE", late))
    worker = Worker(b"", {}, threads=1)
    assert worker.run(X, Cancellation())["y"].data == b"\x01\x02"
    time.sleep(0.5)
    instead(monkeypatch, SERVING.replace("LIE", "answer(number, sound)"))
    assert worker.run(X, Cancellation())["y"].data == b"\x01\x02"


@pytest.mark.parametrize(
    "program",
    [
        "raise SystemExit(0)",
        "import os; os.abort()",
        "print('hello')",
        HONEST + "_say(Refused())",
        HONEST + "answer(1)",
    ],
)
def test_a_graph_that_no_process_loads_is_rejected_and_later_the_task_fails(
    program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        instead(patched, program)
        with pytest.raises(ModelRejected):
            Worker(bytes(4 << 20), {}, threads=1)
    worker = Worker(identity("int8", ["n"]), {}, threads=1)
    end_process(worker)
    with monkeypatch.context() as patched:
        instead(patched, program)
        for _ in range(2):
            with pytest.raises(InferenceFailed):
                worker.run(X, Cancellation())
    assert worker.run(X, Cancellation())["y"].data == b"\x01\x02"


def test_a_process_that_never_says_its_ports_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "load_s", lambda _: 0.3)
    for program in ("import time; time.sleep(60)", HONEST + "time.sleep(60)"):
        instead(monkeypatch, program)
        begun_s = time.monotonic()
        with pytest.raises(ModelRejected):
            Worker(bytes(4 << 20), {}, threads=1)
        assert time.monotonic() - begun_s < 5


def test_a_process_that_says_a_byte_now_and_then_gains_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(talk_module, "GRACE_S", 0.3)
    dribble = "os.write(1, b'\\x00\\x0f\\x00\\x00')\n        while True: os.write(1, b'[')"
    instead(monkeypatch, SERVING.replace("LIE", dribble + "; time.sleep(0.01)"))
    worker, cancellation = Worker(b"", {}, threads=1), Cancellation()
    timer = threading.Timer(0.1, cancellation.cancel)
    timer.start()
    begun_s = time.monotonic()
    with pytest.raises(Cancelled):
        worker.run(X, cancellation)
    assert time.monotonic() - begun_s < 3
    timer.join()


def test_a_cancellation_rings_no_bell_of_a_process_that_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its number may be another's by then."""
    worker, cancellation, rung = Worker(identity("int8", ["n"]), {}, threads=1), Cancellation(), list[bool]()
    talk = worker._talk
    end = talk.end

    def end_and_cancel() -> None:
        end()
        cancellation.cancel()

    def lost(*_: object) -> None:
        monkeypatch.setattr(talk, "end", end_and_cancel)
        raise Lost

    monkeypatch.setattr(talk, "_exchange", lost)
    monkeypatch.setattr(talk, "_ring", lambda: rung.append(True))
    with pytest.raises(Cancelled):
        worker.run(X, cancellation)
    assert cancellation.cancelled
    assert not rung


def test_a_next_process_with_other_ports_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker(identity("int8", ["n"]), {}, threads=1)
    end_process(worker)
    honest = SERVING.replace("LIE", "answer(number, sound)")
    instead(monkeypatch, honest.replace('Port("x", "tensor(int8)", ("n",))', 'Port("x", "tensor(int8)", ("m",))'))
    with pytest.raises(InferenceFailed):
        worker.run(X, Cancellation())


def test_a_system_without_processes_fails_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker(identity("int8", ["n"]), {}, threads=1)
    end_process(worker)
    with monkeypatch.context() as patched:
        patched.setattr("sys.executable", "/nonexistent")
        with pytest.raises(InferenceFailed):
            worker.run(X, Cancellation())
    assert worker.run(X, Cancellation())["y"].data == b"\x01\x02"


@pytest.mark.parametrize("graph", [b"", b"no graph", bombs.custom_operator()], ids=["empty", "text", "custom"])
def test_what_onnxruntime_refuses_is_rejected(graph: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ModelRejected, match="onnxruntime loads, got one that it refuses"):
        Worker(graph, {}, threads=1)
    assert capfd.readouterr() == ("", "")


# The end.


def test_its_process_ends_with_the_worker() -> None:
    closed, dropped = (Worker(identity("int8", ["n"]), {}, threads=1) for _ in range(2))
    pids = [pid_of(closed), pid_of(dropped)]
    assert all(map(is_running, pids))
    closed.close()
    closed.close()
    del dropped
    gc.collect()
    assert not any(map(is_running, pids))
    for pid in pids:
        with pytest.raises(ProcessLookupError):  # no zombie either
            os.kill(pid, 0)


def test_a_rejected_graph_leaves_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []

    def noted(command: tuple[str, ...]) -> subprocess.Popen[bytes]:
        child = start(command)
        started.append(child.pid)
        return child

    monkeypatch.setattr("enclave.engine.tensors.worker.start", noted)
    for graph in (b"no graph", identity("string", ["n"])):
        with pytest.raises(ModelRejected):
            Worker(graph, {}, threads=1)
    assert len(started) == 2
    assert not any(map(is_running, started))


LIMITED = """
import json, os, resource, socket, sys
from enclave.engine.tensors import child
descriptors = sorted(int(name) for name in os.listdir("/proc/self/fd"))
descriptors = [number for number in descriptors if os.path.exists(f"/proc/self/fd/{number}")]
adjusted = os.open("/proc/self/oom_score_adj", os.O_RDONLY)
def opens(attempt):
    try:
        attempt()
    except OSError:
        return False
    return True
def result(session, asked):
    limits = [resource.getrlimit(getattr(resource, "RLIMIT_" + name)) for name in ("AS", "CORE", "FSIZE", "NOFILE")]
    environment = {"ORT_DISABLE_TELEMETRY", "PYTHONPATH", "OPENBLAS_NUM_THREADS", "MALLOC_ARENA_MAX", "LC_CTYPE"}
    nowhere = os.fstat(2).st_rdev == os.makedev(1, 3)
    sound = (
        limits == [(asked_bytes, asked_bytes), (0, 0), (0, 0), (0, 0)], descriptors == [0, 1, 2],
        not opens(lambda: open("/proc/self/status")), not opens(lambda: socket.socket().close()),
        set(os.environ) <= environment, os.getcwd() == "/", os.read(adjusted, 9) == b"1000\\n", nowhere,
    )
    return honest(session, asked) if all(sound) else os._exit(1)
def limit(memory_bytes):
    global asked_bytes
    asked_bytes = memory_bytes
    applied(memory_bytes)
honest, child._result = child._result, result
applied, child.limit = child.limit, limit
child.main()
"""


def test_the_process_has_limits_and_three_descriptors_and_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    instead(monkeypatch, LIMITED)
    reading, writing = os.pipe()
    os.set_inheritable(reading, True)
    graph = identity("int8", ["n"])
    worker = Worker(graph, {"more": bytes(1 << 20)}, threads=1)
    assert worker._load.memory_bytes == (512 << 20) + 4 * (len(graph) + (1 << 20))
    assert worker.run(X, Cancellation())["y"].data == b"\x01\x02"
    os.close(reading)
    os.close(writing)
