"""A signal that comes while a process is being started waits until somebody knows of that process."""

import os
import signal
import subprocess
import sys
from types import FrameType

import pytest

from strongroom.simulator.signals import signals_deferred


class Ended(Exception):
    """Raised by the handler."""


def end(number: int, _: FrameType | None) -> None:
    raise Ended


def deferred(number: signal.Signals, steps: list[str]) -> None:
    with signals_deferred():
        os.kill(os.getpid(), number)
        steps += ["signalled", "went on"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_arrives_after_the_block(number: signal.Signals) -> None:
    before = signal.signal(number, end)
    steps: list[str] = []
    try:
        with pytest.raises(Ended):
            deferred(number, steps)
        assert steps == ["signalled", "went on"]
        with pytest.raises(Ended):
            os.kill(os.getpid(), number)
    finally:
        signal.signal(number, before)


def test_a_process_started_in_the_block_can_be_ended() -> None:
    with signals_deferred():
        child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    child.terminate()
    assert child.wait(10) == -signal.SIGTERM


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals_deferred():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
