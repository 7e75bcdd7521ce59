"""`strongroom simulator start`, ended from outside or by a part of it; tests/docs/test_simulator_page.py uses it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from strongroom.models.tiny import build_tiny_tensor
from strongroom.simulator.state import held
from tests.cli.running import failed, strongroom
from tests.cli.test_demo import of_folder


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_tensor(tmp_path_factory.mktemp("packages") / "tiny-tensor")


@contextmanager
def started(folder: Path, package: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """It, once it has said that it is ready; asked to end, unless it has."""
    command = [sys.executable, "-m", "strongroom", "simulator", "start", str(package), "--state=state", *options]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        try:
            running.stdout.readline()
            yield running
        finally:
            running.terminate()
            running.communicate()


def all_ended(folder: Path) -> bool:
    deadline = time.monotonic() + 5
    while of_folder(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not of_folder(folder)


def test_it_says_where_its_variables_are_and_leaves_no_process(package: Path, tmp_path: Path) -> None:
    with started(tmp_path, package) as running:
        written = tmp_path / "state" / "environment"
        lines = written.read_text().splitlines()
        assert written.stat().st_mode & 0o077 == 0
        assert len(of_folder(tmp_path / "state")) == 4
    assert running.returncode == 128 + signal.SIGTERM
    assert all_ended(tmp_path)
    variables = dict(line.removeprefix("export ").split("=", 1) for line in lines)
    for name in ("STRONGROOM_POLICY", "STRONGROOM_TRUST_ANCHOR", "AWS_CA_BUNDLE"):
        assert Path(variables[name]).is_file()
    assert urlsplit(variables["STRONGROOM_URL"]).port
    assert urlsplit(variables["AWS_ENDPOINT_URL_KMS"]).port


def test_a_folder_in_use_is_refused_before_anything_is_written_there(package: Path, tmp_path: Path) -> None:
    with held(tmp_path / "state"):
        assert "in use" in failed(strongroom("simulator", "start", package, "--state", tmp_path / "state"), 1)
        assert list((tmp_path / "state").iterdir()) == []
        assert strongroom("simulator", "root", "--state", tmp_path / "state").returncode == 0  # it starts nothing


def test_a_part_that_ends_ends_it_and_is_named(package: Path, tmp_path: Path) -> None:
    with started(tmp_path, package, "--enclaves=2") as running:
        [second] = [pid for pid in of_folder(tmp_path) if b"--number=2" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        os.kill(int(second), signal.SIGKILL)
        _, said = running.communicate(timeout=20)
    assert running.returncode == 1
    assert "error: enclave-2 ended (exit code -9)" in said.decode()
    assert all_ended(tmp_path)


def test_what_is_no_package_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    failed(strongroom("simulator", "start", "--state", tmp_path / "state"))
    failed(strongroom("simulator", "start", tmp_path / "package", "--state", ""))
    for count in ("0", "17"):
        failed(strongroom("simulator", "start", tmp_path / "package", "--state", tmp_path, "--enclaves", count))
