"""A program to its end, within bounds: no more is read of what it says, and no longer waited for it, than allowed."""

import os
import selectors
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

from strongroom.foreign.started import Stream, started

_PIECE_BYTES = 64 << 10


class OutOfBounds(Exception):
    """It was ended: it took longer, or said more; the message says which, as `expected X, got Y`."""


@dataclass(frozen=True)
class Ended:
    """How it ended, and what it wrote to those of its outputs that are read."""

    exit_code: int
    output: bytes
    errors: bytes


def run_bounded(
    command: Sequence[str],
    *,
    timeout_s: float,
    max_bytes: int,
    stdout: Stream = subprocess.PIPE,
    stderr: Stream = subprocess.PIPE,
) -> Ended:
    """Run it without input; of each output that is a pipe at most `max_bytes` are read. Raises OutOfBounds, OSError.

    What it leaves running when it ends is not waited for. Ctrl-C does not reach it: that is for whoever waits.
    """
    with started(command, stdout=stdout, stderr=stderr) as process:
        try:
            output, errors = _read(process, time.monotonic() + timeout_s, max_bytes)
        except TimeoutError:
            raise OutOfBounds(f"expected an end within {timeout_s:g} s, got none") from None
        finally:
            _close(process)  # whoever goes on writing ends there, and nothing is read while it is ended
        return Ended(process.wait(), output, errors)


def _read(process: "subprocess.Popen[bytes]", deadline_s: float, max_bytes: int) -> tuple[bytes, bytes]:
    """What it writes until it has ended. Its last words are in the pipes by then, though others may hold them open."""
    output, errors = bytearray(), bytearray()
    pipes = [(pipe, kept) for pipe, kept in ((process.stdout, output), (process.stderr, errors)) if pipe]
    with selectors.DefaultSelector() as selector, os.fdopen(os.pidfd_open(process.pid), "rb") as ending:
        for pipe, kept in pipes:
            selector.register(pipe, selectors.EVENT_READ, kept)
        selector.register(ending, selectors.EVENT_READ)
        ended = False
        while ready := selector.select(0 if ended else max(deadline_s - time.monotonic(), 0)):
            for key, _ in ready:
                if key.fileobj is ending:
                    ended = True
                    selector.unregister(ending)
                elif not _take(key.fd, key.data, max_bytes):
                    selector.unregister(key.fileobj)
    if not ended:
        raise TimeoutError
    return bytes(output), bytes(errors)


def _take(descriptor: int, kept: bytearray, max_bytes: int) -> bool:
    """Whether there may be more. Raises OutOfBounds."""
    piece = os.read(descriptor, _PIECE_BYTES)
    kept += piece
    if len(kept) > max_bytes:
        raise OutOfBounds(f"expected at most {max_bytes} bytes of answer, got more")
    return bool(piece)


def _close(process: "subprocess.Popen[bytes]") -> None:
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
