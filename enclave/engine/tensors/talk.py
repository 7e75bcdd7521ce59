"""Saying and hearing over the pipes of one process, in the thread of whoever asks; no other is started for it."""

import fcntl
import os
import subprocess
import time
import weakref
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from select import POLLIN, POLLOUT, poll
from typing import IO, Final, TypeVar, cast

from enclave.engine.cancellation import Cancellation, Cancelled
from enclave.engine.tensors.incoming import Incoming, Lost
from enclave.engine.tensors.messages import Message

GRACE_S: Final = 3.0
"""For a cancelled run to reach the end of its operator. Most take milliseconds; a process that is killed has to be
started and its graph loaded anew, which takes as long for most models.
"""
_PIPE_BYTES: Final = 1 << 20
"""What Linux gives anybody, in place of 64 KiB: tensors pass with less to and fro."""
_PIECE_BYTES: Final = 1 << 16
_PIECES: Final = 128

_Reply = TypeVar("_Reply", bound=Message)


class Talk:
    """A process that is in step with us, or at its end: whatever goes wrong between two messages ends it."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        """The child has two pipes without buffers of ours, for us alone; it ends with this object."""
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.end = weakref.finalize(self, _end, child, self._bell)
        """Kill the process, if it runs, and wait for its end. Twice is once."""
        self._ears, self._mouth = (cast(IO[bytes], pipe).fileno() for pipe in (child.stdout, child.stdin))
        for pipe in (self._ears, self._mouth):
            os.set_blocking(pipe, False)
            with suppress(PermissionError):  # who has many of them gets no more
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._poll = poll()
        for source in (self._ears, self._bell):
            self._poll.register(source, POLLIN)

    @property
    def is_over(self) -> bool:
        """Whether the process ended, or says something that it was not asked for."""
        return not self.end.alive or any(source == self._ears for source, _ in self._poll.poll(0))

    def ask(
        self,
        pieces: Iterable[bytes],
        reply: Incoming[_Reply],
        *,
        wall_s: float | None = None,
        cancellation: Cancellation | None = None,
        farewell: bytes = b"",
    ) -> tuple[_Reply, list[bytes]]:
        """Say all pieces and hear the reply, within so many seconds.

        A cancellation, by any thread, has `farewell` said and leaves GRACE_S for the reply, whatever that is then.
        Raises Lost, and Cancelled where nothing was said.
        """
        _drain(self._bell)
        left = deque(memoryview(piece) for piece in pieces if piece)
        try:
            with (cancellation or Cancellation()).stopping(self._ring):
                return self._exchange(left, reply, memoryview(farewell), wall_s)
        except Cancelled:
            raise
        except BaseException:
            self.end()  # only now, when nobody rings the bell any more
            raise

    def _ring(self) -> None:
        os.eventfd_write(self._bell, 1)

    def _exchange(
        self, left: deque[memoryview], reply: Incoming[_Reply], farewell: memoryview, wall_s: float | None
    ) -> tuple[_Reply, list[bytes]]:
        until_s = None if wall_s is None else time.monotonic() + wall_s
        self._say(left)
        while left or not reply.is_whole:
            ready = self._ready(bool(left), until_s)
            if self._bell in ready:
                _drain(self._bell)
                left.append(farewell)
                until_s = until_s or time.monotonic() + GRACE_S  # of the first cancellation
            if self._ears in ready:
                self._hear(reply)
            if self._mouth in ready:
                self._say(left)
        return reply.message()

    def _ready(self, to_say: bool, until_s: float | None) -> set[int]:
        """Which descriptors there is something to do for; raise Lost when the time is up."""
        left_s = None if until_s is None else until_s - time.monotonic()
        if left_s is not None and left_s <= 0:  # even if there is something to hear: bytes may come for ever
            raise Lost("expected an answer in time, got none")
        if to_say:
            self._poll.register(self._mouth, POLLOUT)
        ready = {each for each, _ in self._poll.poll(None if left_s is None else left_s * 1000)}
        if to_say:
            self._poll.unregister(self._mouth)
        return ready

    def _say(self, left: deque[memoryview]) -> None:
        try:
            said_bytes = os.writev(self._mouth, list(islice(left, _PIECES)))
        except BlockingIOError:
            return
        except BrokenPipeError:
            raise Lost("expected a process that listens, got its end") from None
        while said_bytes:
            piece = left.popleft()
            if said_bytes < len(piece):
                left.appendleft(piece[said_bytes:])
            said_bytes -= min(said_bytes, len(piece))

    def _hear(self, reply: Incoming[_Reply]) -> None:
        if not (piece := os.read(self._ears, _PIECE_BYTES)):
            raise Lost("expected an answer, got the end of the process")
        reply.take(piece)


def _drain(bell: int) -> None:
    with suppress(BlockingIOError):
        os.eventfd_read(bell)


def _end(child: subprocess.Popen[bytes], bell: int) -> None:
    child.kill()  # nothing, if it has ended
    with child:
        os.close(bell)
