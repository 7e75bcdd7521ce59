"""The enclave's log: allow-listed events and fields, nothing else, kept in memory and streamed on a port of its own.

A production enclave has no console, and a log is a way out for plaintext. So a line can hold only an event of the
list, integers, and identifiers that the measured configuration or the code itself provides.
"""

import asyncio
import json
import re
from collections import deque
from enum import StrEnum
from typing import Final

_KEPT_LINES: Final = 512
_QUEUED_LINES: Final = 1024
_IDENTIFIER: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_FIELDS: Final = frozenset({"state", "code", "status", "key"})


class LogEvent(StrEnum):
    """Everything that can be logged."""

    STATE = "state"
    STEP_FAILED = "step-failed"
    REQUEST = "request"
    DOCUMENT = "document"
    CREDENTIALS = "credentials"
    KEY_REFUSED = "key-refused"
    DATA_KEY_REFUSED = "data-key-refused"
    ENDED = "ended"


class EnclaveLog:
    """Keeps the last lines and hands new ones to every connected reader; a reader that lags loses lines, not us."""

    def __init__(self) -> None:
        self._lines: deque[bytes] = deque(maxlen=_KEPT_LINES)
        self._readers: set[asyncio.Queue[bytes]] = set()

    def write(self, event: LogEvent, **fields: int | str) -> None:
        """Add a line; raise ValueError for a field that is not of the list or a text that is no identifier."""
        for name, value in fields.items():
            if name not in _FIELDS:
                raise ValueError(f"log field: expected one of {sorted(_FIELDS)}, got {name!r}")
            if isinstance(value, str) and not _IDENTIFIER.fullmatch(value):
                raise ValueError(f"log field {name}: expected an identifier or an integer")
        line = json.dumps({"event": event, **fields}, separators=(",", ":")).encode() + b"\n"
        self._lines.append(line)
        for queue in self._readers:
            if not queue.full():
                queue.put_nowait(line)

    async def stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection of the log port: the kept lines, then new ones until the peer goes away or speaks."""
        queue: asyncio.Queue[bytes] = asyncio.Queue(_QUEUED_LINES)
        self._readers.add(queue)
        closed = asyncio.ensure_future(reader.read(1))  # read() would keep whatever the host sends
        try:
            writer.writelines(list(self._lines))
            while not closed.done():
                await writer.drain()
                await _line_or_end(queue, closed, writer)
        except ConnectionError:
            pass
        finally:
            self._readers.discard(queue)
            closed.cancel()
            writer.close()


async def _line_or_end(
    queue: asyncio.Queue[bytes], closed: asyncio.Future[bytes], writer: asyncio.StreamWriter
) -> None:
    line = asyncio.ensure_future(queue.get())
    await asyncio.wait({line, closed}, return_when=asyncio.FIRST_COMPLETED)
    if line.done():
        writer.write(line.result())
    else:
        line.cancel()
