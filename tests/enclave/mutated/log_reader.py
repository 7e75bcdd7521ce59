"""The enclave's log, read while it is written: the enclave itself keeps a few hundred lines."""

import socket
from collections import Counter
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Self


class LogReader:
    """Reads the log port beside the block; keeps each different line once, with its count, since most say the same."""

    def __init__(self, path: Path) -> None:
        self._lines: Counter[bytes] = Counter()
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(1)  # of silence: after the block nothing more comes
        self._socket.connect(str(path))
        self._ending = False
        self._thread = Thread(target=self._read)

    def found(self, part: bytes) -> int:
        """How many lines hold these bytes."""
        return sum(count for line, count in self._lines.items() if part in line)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ending = True
        self._thread.join()
        self._socket.close()

    def _read(self) -> None:
        rest = b""
        while True:
            try:
                received = self._socket.recv(1 << 16)
            except TimeoutError:
                if self._ending:
                    return
                continue
            if not received:
                return
            *lines, rest = (rest + received).split(b"\n")
            self._lines.update(lines)
