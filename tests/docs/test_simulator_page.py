"""docs/simulator.md from its first command to its last, in one shell, with a tiny model in the large one's place."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from strongroom.models.tiny import build_tiny_decoder
from tests.cli.supervised import until
from tests.docs.test_examples import ROOT, blocks

START, ASK, REST, AUDIT, WATCH = (
    block.replace("smollm2-135m", "tiny-decoder") for block in blocks(ROOT / "docs" / "simulator.md", "console")
)


def script(block: str) -> str:
    return "\n".join(line.removeprefix("$ ") for line in block.splitlines())


@contextmanager
def shell(folder: Path) -> Iterator[dict[str, str]]:
    """The environment of a shell in which the page's first command runs, until the block ends."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = ["bash", "-c", f"exec {script(START)} --json"]
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        try:
            yield environment | until(running, "ready")["environment"]
        finally:
            running.terminate()
            running.communicate(timeout=30)


def run(block: str, folder: Path, environment: dict[str, str]) -> str:
    """What a block prints; every line of it must succeed."""
    command = ["bash", "-e", "-c", script(block)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def wait_logged(url: str, answers: int) -> None:
    """Until the gateway has that many leaves on disk."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:
            enclaves = json.load(answer)["enclaves"]
        if sum(enclave["audit_log"]["leaves"] for enclave in enclaves) == answers:
            return
        time.sleep(0.1)
    raise AssertionError(f"expected {answers} leaves, got {enclaves}")


def test_every_command_of_the_page_does_what_it_says(tmp_path: Path) -> None:
    build_tiny_decoder(tmp_path / ".models" / "tiny-decoder")
    with shell(tmp_path) as environment:
        assert "accepted (receipt; SIMULATED" in run(ASK, tmp_path, environment)
        run(REST, tmp_path, environment)
        assert len(list((tmp_path / "plain").iterdir())) == 1
        wait_logged(environment["STRONGROOM_URL"], answers=3)
        printed = run(AUDIT, tmp_path, environment)
        assert "enclave 2  ready" in run(WATCH, tmp_path, environment)
    assert "log        passed" in printed
    _, *boots = printed.partition("it does not prove")[0].split("accepted  boot ")
    assert sorted(re.findall(r"held +(\w+\.proof)", boot) for boot in boots) == [["another.proof"], ["answer.proof"]]
    boots_leaves = (tmp_path / "simulated" / "audit").glob("*/leaves")
    spoiled = max(boots_leaves, key=lambda leaves: leaves.stat().st_size)  # an enclave started again may have none yet
    *kept, last = spoiled.read_bytes()
    spoiled.write_bytes(bytes([*kept, last ^ 1]))
    verify, *_ = script(AUDIT).splitlines()
    assert subprocess.run(["bash", "-c", verify], cwd=tmp_path, env=environment, capture_output=True).returncode == 1
