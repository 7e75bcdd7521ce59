"""onnxruntime's uploader stays off, or the process does not go on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from enclave.engine.telemetry import TelemetryNotDisabled, import_onnxruntime
from tests.enclave.engine.packages import Package

ROOT = Path(__file__).parents[3]

IMPORTED_WITHOUT = """
import sys, types
sys.modules["onnxruntime"] = types.ModuleType("onnxruntime")
from enclave.engine.telemetry import TelemetryNotDisabled, forbid_telemetry, import_onnxruntime
for attempt in (forbid_telemetry, import_onnxruntime):
    try:
        attempt()
    except TelemetryNotDisabled:
        print("refused")
"""

RUN_A_SESSION = """
import sys
from enclave.engine.telemetry import forbid_telemetry
forbid_telemetry()
import numpy
from enclave.engine.errors import EngineError
from enclave.engine.sessions import open_session, run_session
session = open_session(open(sys.argv[1], "rb").read(), threads=1)
run_session(session, {"x": numpy.zeros((1, 4), numpy.float32)})
try:
    open_session(b"no graph", threads=1)
except EngineError:
    print("ran")
"""


def run(program: str, home: Path, *arguments: str) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-B", "-c", program, *arguments]
    done = subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, timeout=60, check=True)
    assert not done.stderr
    return done.stdout


def test_without_the_switch_there_is_no_onnxruntime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY")
    with pytest.raises(TelemetryNotDisabled, match=r"expected ORT_DISABLE_TELEMETRY=1 .* got None"):
        import_onnxruntime()


def test_a_switch_that_is_not_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    with pytest.raises(TelemetryNotDisabled):
        import_onnxruntime()


def test_an_import_before_the_switch_is_refused_and_not_papered_over(tmp_path: Path) -> None:
    assert run(IMPORTED_WITHOUT, tmp_path).split() == ["refused", "refused"]


def test_a_session_leaves_no_file_behind(tmp_path: Path, tensor_package: Package) -> None:
    graph = tmp_path / "graph.onnx"
    graph.write_bytes(tensor_package.graph)
    home = tmp_path / "home"
    home.mkdir()
    assert run(RUN_A_SESSION, home, str(graph)) == "ran\n"
    assert list(home.rglob("*")) == []


def test_the_engine_imports_no_onnxruntime_of_its_own() -> None:
    for path in (ROOT / "enclave").rglob("*.py"):
        lines = path.read_text().splitlines()
        imports = [line for line in lines if line.startswith(("import onnxruntime", "from onnxruntime"))]
        assert not imports, path


def test_importing_the_engine_loads_no_onnxruntime(tmp_path: Path) -> None:
    program = "import enclave.engine.engine, sys; print('onnxruntime' in sys.modules, 'onnx' in sys.modules)"
    assert run(program, tmp_path) == "False False\n"
