"""`strongroom demo`, ended from outside, and what it tells other users of the machine."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from strongroom.cli import demo
from strongroom.models.tiny import build_tiny_tensor
from strongroom.simulator.appliance import Endpoint


def of_folder(folder: Path) -> list[str]:
    """The processes that run in `folder` or below."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if entry.readlink().is_relative_to(folder):
                found.append(entry.parent.name)
        except OSError:
            continue  # it has ended
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_it_leaves_nothing_behind_when_ended(number: signal.Signals, tmp_path: Path) -> None:
    build_tiny_tensor(tmp_path / ".models" / "tiny")
    command = [sys.executable, "-m", "strongroom", "demo", "--model", "tiny", "--prompt", "x"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as running:
        assert running.stdout is not None
        next(line for line in running.stdout if b"egress" in line)
        running.send_signal(number)
        running.stdout.read()
    assert running.returncode == 128 + number
    assert not list((tmp_path / ".state").iterdir())
    deadline = time.monotonic() + 5
    while (left := of_folder(tmp_path)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left


def test_an_impatient_second_interrupt_leaves_nothing_behind_either(tmp_path: Path) -> None:
    build_tiny_tensor(tmp_path / ".models" / "tiny")
    command = [sys.executable, "-m", "strongroom", "demo", "--model", "tiny", "--prompt", "x"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as running:
        assert running.stdout is not None
        next(line for line in running.stdout if b"gateway" in line)
        running.send_signal(signal.SIGINT)
        time.sleep(0.1)  # into the middle of the shutdown, which takes longer
        running.send_signal(signal.SIGINT)
        running.stdout.read()
    assert running.returncode == 130
    assert not of_folder(tmp_path)


@pytest.mark.parametrize("prompt", ["-", "--help", "canary"])
def test_the_prompt_is_no_argument_of_a_process(prompt: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[list[str], bytes]] = []

    def run(command: list[str], *, input: bytes, **_: Any) -> subprocess.CompletedProcess[bytes]:
        calls.append((command, input))
        return subprocess.CompletedProcess(command, 7)

    monkeypatch.setattr(subprocess, "run", run)
    endpoint = Endpoint("http://x", Path("anchor"), Path("policy"), measurements=None)  # type: ignore[arg-type]  # unused
    assert demo._ask(endpoint, prompt) == 7
    [(command, text)] = calls
    assert command[-1] == "-"
    assert text == prompt.encode()
    assert prompt not in command[:-1]
