"""The end of an enclave's log, kept while it lives: once it ended, nobody can ask it why."""

import asyncio
import json
from collections import deque
from contextlib import suppress

from strongroom.transport.addresses import Address
from strongroom.transport.sockets import connect

KEPT_LINES = 20
_MAX_LINE_BYTES = 1 << 10
_CONNECT_S = 3.0
_PAUSE_S = 0.5
_LAST_S = 1.0


class LogTail:
    """Reads the log port from its first line on. `ended` is set when the port, once reached, has closed."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._lines: deque[bytes] = deque(maxlen=KEPT_LINES)
        self.ended = asyncio.Event()

    @property
    def lines(self) -> list[str]:
        """The last ones, oldest first."""
        return [line.decode(errors="replace") for line in self._lines]

    async def wait_ended(self, timeout_s: float) -> None:
        """Until the port has closed, or so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self.ended.wait()

    async def last_code(self) -> str | None:
        """The code of the line `ended`, which an enclave writes last; waited for, since the launcher knows it first."""
        await self.wait_ended(_LAST_S)
        with suppress(ValueError, AttributeError):
            last = json.loads(self._lines[-1] if self._lines else b"")
            if last.get("event") == "ended":
                return str(last.get("code"))
        return None

    async def run(self) -> None:
        """Read until the port closes."""
        reader, writer = await self._opened()
        try:
            await self._read(reader)
        finally:
            writer.close()
            self.ended.set()

    async def _opened(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while True:
            with suppress(OSError):
                connection = await connect(self._address, _CONNECT_S)
                return await asyncio.open_connection(sock=connection, limit=_MAX_LINE_BYTES)
            await asyncio.sleep(_PAUSE_S)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with suppress(OSError, ValueError):  # a line that is too long is no line of an enclave's
            while line := await reader.readline():
                self._lines.append(line.rstrip())
