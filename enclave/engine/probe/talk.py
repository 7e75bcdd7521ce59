"""What is said to the probe's child and what it says, over its three pipes, in the thread of whoever asks.

No thread is started for it: where memory is short Python fails to start one, or waits for ever for one that failed.
"""

import os
import subprocess
import time
from collections import deque
from collections.abc import Iterable
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from typing import IO, cast

from enclave.engine.probe.order import OUT_OF_MEMORY

_MAX_LINE_BYTES = 64
_PIECE_BYTES = 1 << 16


class Talk:
    """Says all pieces, unless the child ends before, and hears the child to its end."""

    def __init__(self, child: subprocess.Popen[bytes], pieces: Iterable[bytes]) -> None:
        """The child has three pipes without buffers of ours; the pieces are not copied."""
        self._child = child
        self._left = deque(memoryview(piece) for piece in pieces if piece)
        self._before = b""
        self.line = b""
        """The beginning of what it said on standard output."""
        self.of_memory = False
        """Whether onnxruntime said on standard error that memory was short; nothing else of that is kept.

        Where it cannot fold a constant for want of memory it warns and goes on: the child then got through its limits,
        and the enclave, which has no limits, would not.
        """

    def until_end(self, wall_s: float) -> int:
        """The child's exit status; raise TimeoutExpired if it has none after so many seconds."""
        until_s = time.monotonic() + wall_s
        with DefaultSelector() as selector:
            self._register(selector)
            while selector.get_map() and (left_s := until_s - time.monotonic()) > 0:
                for key, _ in selector.select(left_s):
                    if not key.data(key.fd):
                        selector.unregister(key.fileobj)
                        cast(IO[bytes], key.fileobj).close()
        return self._child.wait(max(0.0, until_s - time.monotonic()))

    def _register(self, selector: DefaultSelector) -> None:
        """Each pipe with what is to be done when it is ready, which says whether there is more to do."""
        child = self._child
        for pipe, event, work in (
            (child.stdin, EVENT_WRITE, self._say),
            (child.stdout, EVENT_READ, self._hear_line),
            (child.stderr, EVENT_READ, self._hear_warnings),
        ):
            os.set_blocking(cast(IO[bytes], pipe).fileno(), False)
            selector.register(cast(IO[bytes], pipe), event, work)

    def _say(self, pipe: int) -> bool:
        if not self._left:
            return False
        try:
            said_bytes = os.write(pipe, self._left[0])
        except BrokenPipeError:
            return False
        self._left[0] = self._left[0][said_bytes:]
        if not self._left[0]:
            self._left.popleft()
        return True

    def _hear_line(self, pipe: int) -> bool:
        piece = os.read(pipe, _MAX_LINE_BYTES - len(self.line))
        self.line += piece
        return bool(piece) and len(self.line) < _MAX_LINE_BYTES

    def _hear_warnings(self, pipe: int) -> bool:
        piece = os.read(pipe, _PIECE_BYTES)
        said = self._before + piece
        self.of_memory |= OUT_OF_MEMORY in said
        self._before = said[-len(OUT_OF_MEMORY) :]
        return bool(piece)
