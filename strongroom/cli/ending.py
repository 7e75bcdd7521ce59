"""Ending commands that have started processes of their own."""

import signal
import sys


def end_in_order() -> None:
    """Also when the terminal closes or a supervisor ends us, what was started is stopped, and its folder goes."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # `nohup` ignores one of them
            signal.signal(number, lambda received, _: sys.exit(128 + received))
