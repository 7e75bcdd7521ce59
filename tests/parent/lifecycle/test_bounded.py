"""A program to its end, within bounds."""

import os
import sys
import time

import pytest

from parent.lifecycle.bounded import Ended, OutOfBounds, run_bounded


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


def test_one_without_end_is_ended() -> None:
    began_s = time.monotonic()
    with pytest.raises(OutOfBounds, match="bytes of answer"):
        run("import sys\nwhile True: sys.stderr.write('x' * 65536)")
    assert time.monotonic() - began_s < 10


@pytest.mark.parametrize("closed", ["", "os.close(1); os.close(2); "], ids=["silent", "with its outputs closed"])
def test_one_that_takes_too_long_is_ended(closed: str) -> None:
    began_s = time.monotonic()
    with pytest.raises(OutOfBounds, match="expected an end within 1 s"):
        run(f"import os, time; {closed}time.sleep(60)", timeout_s=1)
    assert time.monotonic() - began_s < 10


def test_what_it_started_and_left_is_not_waited_for_beyond_that() -> None:
    with pytest.raises(OutOfBounds, match="expected an end within 1 s"):
        run("import subprocess; subprocess.Popen(['sleep', '3'])", timeout_s=1)
