"""What a graph does to a process, it does to a child."""

import os
import time
from typing import Any

import numpy as np
import pytest

from enclave.engine.capacity import Capacity
from enclave.engine.children.start import start
from enclave.engine.engine import Engine
from enclave.engine.errors import ModelRejected
from enclave.engine.graph_scan.scan import scan
from enclave.engine.probe import probe as module
from enclave.engine.probe.child import zeros
from enclave.engine.probe.order import Outcome
from enclave.engine.probe.probe import Limits, probe
from enclave.engine.sessions import Port
from tests.enclave.engine import bombs
from tests.enclave.engine.graphs import external, identity, model, node, port, weight
from tests.enclave.engine.packages import Package
from tests.real_models import real_model

LIMITS = Limits(400 << 20, kept_bytes=400 << 20, cpu_s=2, wall_s=20)
MIB = 1 << 20


def outcome(graph: bytes, limits: Limits = LIMITS, threads: int = 1) -> Outcome:
    return probe(graph, {}, threads, limits)


@pytest.mark.parametrize("name", ["decoder_package", "encoder_package", "tensor_package"])
def test_the_tiny_models_run(name: str, request: pytest.FixtureRequest) -> None:
    package: Package = request.getfixturevalue(name)
    assert outcome(package.graph, Limits.of(len(package.graph)), threads=2) is Outcome.RAN


@pytest.mark.real_model
@pytest.mark.parametrize("name", ["minilm-l6", "smollm2-135m"])
def test_the_real_models_run_in_three_quarters_of_their_limits(name: str) -> None:
    graph = Package.from_directory(real_model(name)).graph
    limits = Limits.of(len(graph))
    assert outcome(graph, limits._replace(memory_bytes=limits.memory_bytes * 3 // 4), threads=2) is Outcome.RAN


def test_external_data_is_handed_to_the_child() -> None:
    graph = model(
        [node("Add", ["x", "w"], ["y"])],
        [port("x", "float32", [4])],
        [port("y", "float32", [4])],
        [external("w", "weights.bin")],
    )
    assert probe(graph, {"weights.bin": bytes(16)}, 1, LIMITS) is Outcome.RAN
    with pytest.raises(ModelRejected, match="refuses"):
        outcome(graph)


def test_a_graph_that_takes_no_zeros_is_loaded_and_not_refused() -> None:
    nodes = [node("Sub", ["x", "five"], ["i"]), node("Gather", ["five", "i"], ["y"])]  # item -5 of one
    x, y = port("x", "int64", [1]), port("y", "int64", [1])
    assert outcome(model(nodes, [x], [y], [bombs.constant("five", [5])])) is Outcome.LOADED
    assert outcome(identity("string", [1])) is Outcome.LOADED


@pytest.mark.parametrize("graph", [b"", b"no graph", identity("float32", [4])[:-3], bombs.custom_operator()])
def test_what_onnxruntime_refuses_is_refused(graph: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ModelRejected, match="refuses"):
        outcome(graph)
    assert capfd.readouterr() == ("", "")


def test_names_that_are_no_text_are_refused() -> None:
    """Of an input that the child has no zeros for, so that nothing is run and nothing else reads them."""
    for name in (b"x", b"y"):
        broken = identity("string", [1]).replace(b"\x01" + name, b"\x01\xff")
        assert scan(broken, {}) == frozenset()
        with pytest.raises(ModelRejected, match="refuses"):
            outcome(broken)


@pytest.mark.parametrize(
    ("bomb", "complaint"),
    [
        (bombs.memory_at_run, "memory: expected at most 400 MiB"),
        (bombs.doubling, "memory"),
        (bombs.expanding_constants, "memory"),
        (bombs.endless_loop, "CPU time: expected at most 2 s"),
        (bombs.endless_at_load, "CPU time"),
    ],
)
def test_bombs_go_off_in_the_child(bomb: Any, complaint: str, capfd: pytest.CaptureFixture[str]) -> None:
    graph = bomb()
    begun = time.monotonic()
    with pytest.raises(ModelRejected, match=complaint):
        outcome(graph)
    assert time.monotonic() - begun < LIMITS.wall_s
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("bomb", [bombs.memory_at_run, bombs.doubling, bombs.endless_loop, bombs.endless_at_load])
def test_of_which_the_scan_says_nothing(bomb: Any) -> None:
    assert scan(bomb(), {}) == frozenset()


def test_the_same_graph_within_the_limits_is_taken() -> None:
    assert outcome(bombs.memory_at_run(1 << 20)) is Outcome.RAN
    assert outcome(bombs.doubling(10)) is Outcome.RAN


def idle_constants(count: int, items: int) -> bytes:
    """Large outputs that no run makes: an input of strings is not run."""
    nodes, outputs = [node("Identity", ["x"], ["y"])], [port("y", "string", [1])]
    for index in range(count):
        nodes.append(node("ConstantOfShape", [f"n{index}"], [f"large{index}"]))
        outputs.append(bombs.unshaped(f"large{index}", "float32"))
    sizes = [bombs.constant(f"n{index}", [items + index]) for index in range(count)]
    return model(nodes, [port("x", "string", [1])], outputs, sizes)


def idle_concatenation(times: int) -> bytes:
    """The same by an operator of which the scan does not know how much it makes."""
    nodes = [node("Identity", ["x"], ["y"])]
    nodes += [node("Concat", [f"v{index}"] * 2, [f"v{index + 1}"], axis=0) for index in range(times)]
    outputs = [port("y", "string", [1]), bombs.unshaped(f"v{times}", "int64")]
    return model(nodes, [port("x", "string", [1])], outputs, [bombs.constant("v0", [1])])


def test_constants_that_onnxruntime_could_not_fold_are_refused() -> None:
    """It swallows the lack of memory and leaves them for the run: in the enclave they would all be made and kept."""
    graph = idle_constants(4, 60 << 18)
    assert scan(graph, {}) == frozenset()
    with pytest.raises(ModelRejected, match="memory"):
        outcome(graph, LIMITS._replace(memory_bytes=300 * MIB))
    assert outcome(graph, LIMITS._replace(memory_bytes=2000 * MIB)) is Outcome.LOADED


@pytest.mark.parametrize("made", [lambda: idle_constants(1, 60 << 20), lambda: idle_concatenation(24)])
def test_what_a_session_keeps_beyond_its_files_was_not_reserved(made: Any) -> None:
    """A few hundred bytes of graph, and for as long as it is loaded 128 MiB and more of constants."""
    graph = made()
    assert scan(graph, {}) == frozenset()
    assert outcome(graph, Limits.of(len(graph))._replace(kept_bytes=400 * MIB)) is Outcome.LOADED
    with pytest.raises(ModelRejected, match="memory: expected a session that keeps at most 16 MiB"):
        outcome(graph, Limits.of(len(graph)))


@pytest.mark.parametrize("mib", [180, 220, 260, 300])
def test_weights_that_do_not_fit_are_a_matter_of_memory(mib: int) -> None:
    """Wherever on the way it ends: received, parsed, copied."""
    weights = [weight("w", np.zeros(16 << 20, np.float32))]
    graph = model(
        [node("Add", ["x", "w"], ["y"])], [port("x", "float32", [1])], [port("y", "float32", [16 << 20])], weights
    )
    with pytest.raises(ModelRejected, match="memory"):
        outcome(graph, LIMITS._replace(memory_bytes=mib * MIB))


def test_a_very_large_constant_is_not_folded_at_all() -> None:
    graph = idle_constants(1, 1 << 27)
    assert scan(graph, {}) == frozenset()
    assert outcome(graph) is Outcome.LOADED


@pytest.mark.parametrize("before", [0, 65_530, 200_000])
def test_a_warning_of_memory_is_heard_in_any_flood(before: int, monkeypatch: pytest.MonkeyPatch) -> None:
    said = f"sys.stderr.write('x' * {before} + 'bad_alloc')"
    instead(monkeypatch, f"import sys; {said}; print('RAN'); raise SystemExit(100)")
    with pytest.raises(ModelRejected, match="memory"):
        outcome(b"graph")


def test_a_warning_of_memory_is_heard_in_any_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "for piece in ('bad', '_al', 'loc'): os.write(2, piece.encode()); time.sleep(0.05)"
    instead(monkeypatch, f"import os, time\n{said}\nprint('RAN'); raise SystemExit(100)")
    with pytest.raises(ModelRejected, match="memory"):
        outcome(b"graph")


def test_an_interpreter_without_memory_is_no_outcome() -> None:
    with pytest.raises(ModelRejected, match=r"crash|memory"):
        outcome(identity("float32", [4]), LIMITS._replace(memory_bytes=60 * MIB))


# Children of other kinds.


def instead(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    monkeypatch.setattr(module, "_COMMAND", ("-c", program))


@pytest.mark.parametrize(
    ("number", "name"), [(11, "SIGSEGV"), (6, "SIGABRT"), (9, "SIGKILL"), (7, "SIGBUS"), (40, "signal 40")]
)
def test_a_crash_is_named_by_its_signal(number: int, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    instead(monkeypatch, f"import os; os.kill(os.getpid(), {number})")
    with pytest.raises(ModelRejected, match=f"crash: expected an exit, got {name}$"):
        outcome(bytes(4 * MIB))


@pytest.mark.parametrize(
    "program",
    [
        "raise SystemExit(0)",
        "raise SystemExit(100)",
        "print('RAN')",
        "print('LOADED'); raise SystemExit(100)",
        "print('RAN' * 10); raise SystemExit(100)",
        "import sys; sys.stdout.buffer.write(bytes(1 << 24))",
        "raise ValueError",
    ],
)
def test_status_and_line_have_to_agree(
    program: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    instead(monkeypatch, program)
    with pytest.raises(ModelRejected, match="crash"):
        outcome(b"graph")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "program", ["import time; time.sleep(60)", "import sys; sys.stdin.read(); sys.stdin.read()\nwhile 1: pass"]
)
def test_a_child_that_does_not_end_is_killed(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    instead(monkeypatch, program)
    begun = time.monotonic()
    with pytest.raises(ModelRejected, match=r"time: expected an end within 0.3 s"):
        outcome(bytes(4 * MIB), LIMITS._replace(wall_s=0.3))  # more than the pipe holds
    assert time.monotonic() - begun < 10


def test_no_child_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []

    def noted(command: tuple[str, ...], stderr: int) -> Any:
        child = start(command, stderr)
        started.append(child.pid)
        return child

    monkeypatch.setattr("enclave.engine.probe.probe.start", noted)
    outcome(identity("float32", [4]))
    instead(monkeypatch, "import time; time.sleep(60)")
    with pytest.raises(ModelRejected):
        outcome(b"", LIMITS._replace(wall_s=0.2))
    for pid in started:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_no_thread_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a request has all memory none comes up: that is no end of the enclave, and no wait without end."""

    def fail(*arguments: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("threading.Thread.start", fail)
    assert outcome(identity("float32", [4])) is Outcome.RAN


def test_who_keeps_the_childs_pipes_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    instead(monkeypatch, "import os, time\nif os.fork() == 0: time.sleep(3)")
    begun = time.monotonic()
    with pytest.raises(ModelRejected, match="crash"):
        outcome(b"", LIMITS._replace(wall_s=0.3))
    assert time.monotonic() - begun < 2


def test_a_system_without_processes_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nonexistent")
    with pytest.raises(ModelRejected, match="expected a process to start"):
        outcome(b"")


INSPECTED = """
import json, os, resource, sys
from enclave.engine.probe import child as probe_child
seen = {}
def inspect(order):
    from pathlib import Path
    import socket
    def opens(attempt):
        try:
            attempt()
        except OSError:
            return False
        return True
    names = ("AS", "CPU", "CORE", "FSIZE", "NOFILE")
    seen["limits"] = {name: resource.getrlimit(getattr(resource, "RLIMIT_" + name))[0] for name in names}
    seen["file"] = opens(lambda: open("/proc/self/status"))
    seen["socket"] = opens(lambda: socket.socket().close())
    return probe_child.Outcome.RAN
descriptors = sorted(int(name) for name in os.listdir("/proc/self/fd"))
descriptors = [number for number in descriptors if os.path.exists(f"/proc/self/fd/{number}")]
probe_child._try = inspect
import socket, pathlib
status = probe_child.main()
sys.stdout = None
expected = {
    "limits": {"AS": 400 << 20, "CPU": 2, "CORE": 0, "FSIZE": 0, "NOFILE": 0}, "file": False, "socket": False
}
environment = {"ORT_DISABLE_TELEMETRY", "PYTHONPATH", "OPENBLAS_NUM_THREADS", "MALLOC_ARENA_MAX", "LC_CTYPE"}
sound = seen == expected and descriptors == [0, 1, 2] and set(os.environ) <= environment and os.getcwd() == "/"
os._exit(status if sound else 1)
"""


def test_the_child_has_limits_and_three_descriptors_and_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    reading, writing = os.pipe()
    os.set_inheritable(reading, True)
    instead(monkeypatch, INSPECTED)
    try:
        assert outcome(b"") is Outcome.RAN
    finally:
        os.close(reading)
        os.close(writing)


def test_zeros_of_the_smallest_shapes() -> None:
    ports = {
        "x": Port("x", "tensor(float16)", ("n", 3, None)),
        "attention_mask": Port("attention_mask", "tensor(int64)", ("n", "t")),
        "flag": Port("flag", "tensor(bool)", ()),
    }
    feeds = zeros(ports)
    assert feeds is not None
    assert {name: (str(array.dtype), array.shape) for name, array in feeds.items()} == {
        "x": ("float16", (1, 3, 1)),
        "attention_mask": ("int64", (1, 1)),
        "flag": ("bool", ()),
    }
    assert feeds["attention_mask"].all()
    assert not feeds["x"].any()
    assert zeros({"s": Port("s", "tensor(string)", (1,))}) is None


def test_an_input_as_large_as_memory_is_a_matter_of_memory() -> None:
    with pytest.raises(ModelRejected, match="memory"):
        outcome(identity("float32", [1 << 40]))


# The engine.


@pytest.mark.parametrize(
    ("bomb", "complaint"), [(bombs.giant_dims, "graph: tensors"), (bombs.memory_at_run, "probe: memory")]
)
def test_the_engine_survives_and_serves_the_others(tensor_package: Package, bomb: Any, complaint: str) -> None:
    engine = Engine(Capacity(threads=1))
    hostile = tensor_package.with_file(tensor_package.manifest.graph, bomb())
    with pytest.raises(ModelRejected, match=complaint):
        engine.load(hostile.manifest, hostile.files)
    engine.load(tensor_package.manifest, tensor_package.files)
    assert [manifest.id for manifest in engine.models()] == [tensor_package.manifest.id]
    engine.close()


def test_limits_follow_from_the_size_of_the_model() -> None:
    assert Limits.of(0) == (512 * MIB, 16 * MIB, 20, 40.0)
    assert Limits.of(1 << 20).cpu_s == 20
    assert Limits.of(1 << 30) == (512 * MIB + (4 << 30), 16 * MIB + (2 << 30), 40, 80.0)
