"""Other people's programs: one that hangs is none, and what is no answer is refused."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from strongroom.foreign import started as processes
from strongroom.image import tools
from strongroom.image.errors import ProgramFailed, ProgramMissing
from tests.image.gone import wait_gone

PYTHON = sys.executable


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(ProgramMissing, match=r"^no strongroom-none; install it$"):
        tools.require("strongroom-none", "install it", ["info"])


def test_one_that_hangs_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "_PROBE_S", 0.2)
    with pytest.raises(ProgramMissing, match="no usable"):
        tools.require(PYTHON, "install it", ["-c", "import time; time.sleep(60)"])


def test_one_that_works() -> None:
    tools.require(PYTHON, "install it", ["-c", ""])
    tools.run([PYTHON, "-c", ""])
    assert tools.answer_of([PYTHON, "-c", "print('yes')"]) == b"yes\n"


def test_the_longest_answer_and_one_that_never_ends() -> None:
    longest = f"import sys; sys.stdout.write('x' * {tools.MAX_ANSWER_BYTES})"
    assert len(tools.answer_of([PYTHON, "-c", longest])) == tools.MAX_ANSWER_BYTES
    with pytest.raises(ProgramFailed, match="at most 65536 bytes of answer, got more"):
        tools.answer_of([PYTHON, "-c", "import os\nwhile True: os.write(1, b'x' * 65536)"])


def _hanging(folder: Path, words: str = "") -> list[str]:
    """A program with a child that has closed what it could tell by; both write their pids to FOLDER/pids, and hang."""
    pids = folder / "pids"
    return ["sh", "-c", f"{words} sh -c 'echo $$ >> {pids}; exec sleep 60 >&- 2>&-' & echo $$ >> {pids}; wait"]


def _wait_pids(folder: Path) -> list[int]:
    deadline = time.monotonic() + 30
    while True:
        pids = (folder / "pids").read_text().split() if (folder / "pids").exists() else []
        if len(pids) == 2:
            return [int(pid) for pid in pids]
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("call", "words"),
    [(tools.run, ""), (tools.answer_of, "trap '' TERM;"), (tools.answer_of, "exec >&-;")],
    ids=["plainly", "deaf", "silent"],
)
def test_one_that_never_ends_is_told_and_ended_with_its_children(
    call: Callable[[list[str]], object], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools, "_LIMIT_S", 0.6)
    monkeypatch.setattr(processes, "_GRACE_S", 0.3)
    with pytest.raises(ProgramFailed, match=r"^sh -c: expected an end within 0\.6 s, got none; it and its"):
        call(_hanging(tmp_path, words))
    wait_gone(_wait_pids(tmp_path))


def test_nothing_is_left_running_when_we_are_ended(tmp_path: Path) -> None:
    def end(*_: object) -> None:
        raise SystemExit(143)

    def wait_and_end() -> None:
        _wait_pids(tmp_path)
        os.kill(os.getpid(), signal.SIGUSR1)

    before, waiting = signal.signal(signal.SIGUSR1, end), threading.Thread(target=wait_and_end)
    waiting.start()
    began = time.monotonic()
    try:
        with pytest.raises(SystemExit):
            tools.answer_of(_hanging(tmp_path))
    finally:
        waiting.join()
        signal.signal(signal.SIGUSR1, before)
    assert time.monotonic() - began < 30
    wait_gone(_wait_pids(tmp_path))


def test_an_impatient_second_interruption_leaves_nothing_running_either(tmp_path: Path) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def run_interrupted_twice() -> None:
        with processes.started(_hanging(tmp_path, "trap '' TERM;"), stdout=None):
            _wait_pids(tmp_path)
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            run_interrupted_twice()
    finally:
        signal.signal(signal.SIGALRM, before)
    wait_gone(_wait_pids(tmp_path))


@pytest.mark.parametrize("ending", ["sys.exit(7)", "os.kill(os.getpid(), 9)"])
def test_a_bad_end(ending: str) -> None:
    for call in (tools.run, tools.answer_of):
        with pytest.raises(ProgramFailed, match=r"expected exit code 0, got (7|-9); it says why above"):
            call([PYTHON, "-c", f"import os, sys; {ending}"])
