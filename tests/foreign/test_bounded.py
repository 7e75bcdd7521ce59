"""A program to its end, within bounds."""

import os
import signal
import sys
import time

import pytest

from strongroom.foreign import bounded
from strongroom.foreign.bounded import Ended, OutOfBounds, run_bounded


def run(program: str, *, timeout_s: float = 20, max_bytes: int = 1 << 20) -> Ended:
    return run_bounded((sys.executable, "-c", program), timeout_s=timeout_s, max_bytes=max_bytes)


def test_both_outputs_and_the_exit_code() -> None:
    assert run("import sys; print('a'); sys.exit('b')") == Ended(1, b"a\n", b"b\n")


def test_it_gets_no_input() -> None:
    assert run("print(input())").errors.endswith(b"EOFError: EOF when reading a line\n")


def test_ctrl_c_does_not_reach_it() -> None:
    assert int(run("import os; print(os.getpgrp())").output) != os.getpgrp()


def test_as_much_as_allowed_and_no_more() -> None:
    assert len(run("print(end='x' * 1000)", max_bytes=1000).output) == 1000
    with pytest.raises(OutOfBounds, match="expected at most 999 bytes of answer, got more"):
        run("print(end='x' * 1000)", max_bytes=999)


def test_one_without_end_is_ended_though_it_is_deaf() -> None:
    deaf, began_s = "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN)", time.monotonic()
    with pytest.raises(OutOfBounds, match="bytes of answer"):
        run(f"{deaf}\nwhile True: sys.stderr.write('x' * 65536)")
    assert time.monotonic() - began_s < 8  # it writes into nothing: nobody waits until its grace is over


def test_the_last_words_of_one_that_has_ended_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "_PIECE_BYTES", 1)
    assert len(run("print(end='x' * 20_000)").output) == 20_000


@pytest.mark.parametrize("closed", ["", "os.close(1); os.close(2); "], ids=["silent", "with its outputs closed"])
def test_one_that_takes_too_long_is_ended(closed: str) -> None:
    began_s = time.monotonic()
    with pytest.raises(OutOfBounds, match="expected an end within 1 s"):
        run(f"import os, time; {closed}time.sleep(60)", timeout_s=1)
    assert time.monotonic() - began_s < 10


def test_what_it_started_and_left_is_not_waited_for() -> None:
    ended = run("import subprocess; print('x' * 100000); print(subprocess.Popen(['sleep', '60']).pid)", timeout_s=20)
    *said, pid = ended.output.split()
    assert (ended.exit_code, said) == (0, [b"x" * 100000])
    os.kill(int(pid), signal.SIGKILL)  # it runs on, as an enclave of nitro-cli does
