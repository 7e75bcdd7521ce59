"""A program to its end, within bounds: no more is read of what it says, and no longer waited for it, than allowed."""

import os
import selectors
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

_PIECE_BYTES = 64 << 10


class OutOfBounds(Exception):
    """It was ended: it took longer, or said more; the message says which, as `expected X, got Y`."""


@dataclass(frozen=True)
class Ended:
    """How it ended, and what it wrote to standard output and to standard error."""

    exit_code: int
    output: bytes
    errors: bytes


def run_bounded(command: Sequence[str], *, timeout_s: float, max_bytes: int) -> Ended:
    """Run it without input, at most `max_bytes` on each output. Raises OutOfBounds, OSError.

    In a process group of its own: Ctrl-C is for the supervisor, which waits for the start and ends it in order.
    """
    deadline_s, pipe = time.monotonic() + timeout_s, subprocess.PIPE
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, bufsize=0, process_group=0
    ) as process:
        try:
            output, errors = _read(_pipes(process), deadline_s, max_bytes)
            exit_code = process.wait(_left_s(deadline_s))
        except (TimeoutError, subprocess.TimeoutExpired):
            raise OutOfBounds(f"expected an end within {timeout_s:.0f} s, got none") from None
        finally:
            process.kill()  # which does nothing once it has been waited for
        return Ended(exit_code, output, errors)


def _pipes(process: subprocess.Popen[bytes]) -> list[IO[bytes]]:
    return [pipe for pipe in (process.stdout, process.stderr) if pipe is not None]


def _read(pipes: Sequence[IO[bytes]], deadline_s: float, max_bytes: int) -> list[bytes]:
    kept = {pipe.fileno(): bytearray() for pipe in pipes}
    with selectors.DefaultSelector() as selector:
        for descriptor in kept:
            selector.register(descriptor, selectors.EVENT_READ)
        while selector.get_map():
            readable = selector.select(_left_s(deadline_s))
            if not readable:
                raise TimeoutError
            for key, _ in readable:
                piece = os.read(key.fd, _PIECE_BYTES)
                if not piece:
                    selector.unregister(key.fd)
                kept[key.fd] += piece
                if len(kept[key.fd]) > max_bytes:
                    raise OutOfBounds(f"expected at most {max_bytes} bytes of answer, got more")
    return [bytes(each) for each in kept.values()]


def _left_s(deadline_s: float) -> float:
    return max(deadline_s - time.monotonic(), 0.0)
