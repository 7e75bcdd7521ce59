"""onnxruntime phones home unless told not to before its import: here it is told, and this is the proof."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from strongroom.models.tiny import build_tiny_decoder, build_tiny_tensor

RUN = """
import sys
from pathlib import Path
from enclave.engine.telemetry import forbid_telemetry
forbid_telemetry()
import asyncio
from enclave.engine.engine import Engine
from enclave.engine.capacity import Capacity
from strongroom.models.package import load_package
from strongroom.protocol.payloads import InferTask
from strongroom.protocol.tensors import Tensor

async def main():
    engine = Engine(Capacity(threads=1))
    _, manifest, paths = load_package(Path(sys.argv[1]))
    engine.load(manifest, {name: path.read_bytes() for name, path in paths.items()})
    task = InferTask(tensors={"x": Tensor("float32", [1, 4], bytes(16))})
    print([type(event).__name__ async for event in engine.run("tiny-tensor", task)])
    engine.close()

asyncio.run(main())
"""


def require_strace() -> None:
    """Skip without strace, but never in CI."""
    if shutil.which("strace") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI must have strace: make ci-deps")
        pytest.skip("needs strace: make ci-deps")


def test_an_inference_leaves_no_file_at_home_and_opens_no_internet_socket(tmp_path: Path) -> None:
    require_strace()
    package = build_tiny_tensor(tmp_path / "tiny-tensor")
    home, trace = tmp_path / "home", tmp_path / "trace"
    home.mkdir()
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "XDG_CACHE_HOME": str(home / "cache")}
    command = ["strace", "-f", "-qq", "-e", "trace=socket,connect", "-o", str(trace)]
    result = subprocess.run(
        [*command, sys.executable, "-c", RUN, str(package)], env=environment, capture_output=True, timeout=120
    )
    assert result.returncode == 0, result.stderr
    assert b"Outputs" in result.stdout
    assert "AF_INET" not in trace.read_text()
    assert [path for path in home.rglob("*") if path.is_file()] == []


def test_the_whole_appliance_speaks_to_this_machine_alone(tmp_path: Path) -> None:
    require_strace()
    build_tiny_decoder(tmp_path / ".models" / "tiny")
    home, trace = tmp_path / "home", tmp_path / "trace"
    home.mkdir()
    command = [
        "strace",
        "-f",
        "-qq",
        "-e",
        "trace=connect,sendto",
        "-o",
        str(trace),
        sys.executable,
        "-m",
        "strongroom",
    ]
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    result = subprocess.run(
        [*command, "demo", "--model", "tiny", "--prompt", "x"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        timeout=180,
    )
    assert result.returncode == 0, result.stderr
    addresses = re.findall(r'(?:inet_addr|inet_pton)\((?:AF_INET6?, )?"([^"]+)"', trace.read_text())
    assert set(addresses) == {"127.0.0.1"}
    assert [path for path in home.rglob("*") if path.is_file()] == []


def test_the_trace_would_have_seen_a_socket(tmp_path: Path) -> None:
    require_strace()
    trace = tmp_path / "trace"
    code = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()"
    subprocess.run(
        ["strace", "-f", "-qq", "-e", "trace=socket", "-o", str(trace), sys.executable, "-c", code], check=True
    )
    assert "AF_INET" in trace.read_text()
