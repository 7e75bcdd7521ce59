"""`strongroom selftest --adversarial`, as it is typed: 5,000 attacks, none of which may succeed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from strongroom.selftest.catalogue import least_trials

COMMAND = [sys.executable, "-m", "strongroom", "selftest"]


def test_an_evil_parent_wins_none_of_5000_attacks() -> None:
    result = subprocess.run([*COMMAND, "--adversarial", "--trials=5000", "--json"], capture_output=True, timeout=170)
    [line] = result.stdout.splitlines()
    said = json.loads(line)
    assert said["faults"] == []
    assert (said["accepted"], said["trials"], said["honest_ok"], said["control_caught"]) == (0, 5000, True, True)
    assert said["honest"] >= 400
    assert all(attack["trials"] > 0 for attack in said["attacks"])
    assert result.returncode == 0
    assert b"5000 of 5000 trials" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--trials=5000"],
        ["--adversarial", "--seed=-1"],
        *(["--adversarial", f"--trials={wrong}"] for wrong in ("0", "1", "10", "-5", "abc", f"{10**6 + 1}", "9" * 30)),
    ],
    ids=" ".join,
)
def test_wrong_use_starts_nothing(arguments: list[str]) -> None:
    result = subprocess.run([*COMMAND, *arguments], capture_output=True, timeout=20)
    assert result.returncode == 2
    assert result.stderr.startswith(b"error: ")


def test_the_least_number_of_trials_is_told_and_is_one_of_each_attack() -> None:
    shown = subprocess.run([*COMMAND, "--help"], capture_output=True, timeout=20).stdout
    assert f"at least one of each. [default: 5000; {least_trials()}<=x<=1000000]" in " ".join(shown.decode().split())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_leaves_nothing_behind_when_ended(number: signal.Signals, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("x")  # a UNIX socket's path is short
    environment = {**os.environ, "TMPDIR": str(folder)}
    command = [*COMMAND, "--adversarial", "--trials=5000"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment) as running:
        assert running.stderr is not None
        next(line for line in running.stderr if b"deployments" in line)
        time.sleep(0.5)  # into the middle of four boots
        running.send_signal(number)
        assert b"Traceback" not in running.stderr.read()
    assert running.returncode == 128 + number
    assert not list(folder.iterdir())
    assert not [found for found in Path("/proc").glob("[0-9]*/cmdline") if str(folder) in _read(found)]


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""  # it has ended
