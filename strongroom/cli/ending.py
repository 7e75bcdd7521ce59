"""Ending in order: what every command does when it is told to end, and those whose work is better finished do."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import click


def end_in_order() -> None:
    """When the terminal closes or a supervisor ends us, as at Ctrl-C: what was started is stopped, and drafts go."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # `nohup` ignores one of them
            signal.signal(number, lambda received, _: sys.exit(128 + received))


@contextmanager
def interrupted_gently(stop: Callable[[], None]) -> Iterator[None]:
    """In the running loop, let the first Ctrl-C (or SIGTERM) call `stop` and no more; the second ends us as ever."""
    import asyncio  # a third of the time in which the command line starts; most commands have no loop

    loop = asyncio.get_running_loop()
    # Whoever was started in a shell's background ignores Ctrl-C, and goes on doing so.
    numbers = [each for each in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(each) is not signal.SIG_IGN]
    terminating = signal.getsignal(signal.SIGTERM)

    def restore() -> None:
        for number in numbers:
            loop.remove_signal_handler(number)
        # The loop leaves the system's own, which would end us without a `finally`.
        signal.signal(signal.SIGTERM, terminating)

    def first() -> None:
        restore()
        stop()
        with suppress(OSError):  # it may be a closed terminal that ends us
            click.echo("interrupted: waiting for what is under way; again to give it up", err=True)

    for number in numbers:
        loop.add_signal_handler(number, first)
    try:
        yield
    finally:
        restore()
