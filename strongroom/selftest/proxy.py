"""The evil parent's egress proxy: it carries the enclave's TLS to the dev KMS, or lets a forger answer instead."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from strongroom.transport.egress import ACCEPTED, MAX_DESTINATION_BYTES

Forger = Callable[[asyncio.StreamReader, asyncio.StreamWriter, int], Awaitable[None]]
"""Speaks with the enclave in KMS's place, on an accepted connection; gets the port of the dev KMS."""
_PIECE_BYTES = 64 << 10


class EvilProxy:
    """Serves at a UNIX socket; with a `forger` no byte of KMS's reaches the enclave unless the forger lets it."""

    def __init__(self, path: Path, kms_port: int) -> None:
        self._path, self._kms_port = path, kms_port
        self._forger: Forger = carry
        self._open: set[asyncio.StreamWriter] = set()
        self.forged = 0
        """Connections that a forger has answered."""

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_unix_server(self._serve, self._path, limit=MAX_DESTINATION_BYTES)

    async def stop(self) -> None:
        """Close everything."""
        self._server.close()
        self._hang_up()

    def turn(self, forger: Forger) -> None:
        """From now on `forger` (or `carry`, the honest one) serves; connections that are open are closed."""
        self._forger = forger
        self._hang_up()

    def _hang_up(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        self.forged += self._forger is not carry
        try:
            with suppress(OSError, EOFError, ValueError):  # either end hangs up, as forgeries provoke
                await reader.readline()
                writer.write(ACCEPTED)
                await self._forger(reader, writer, self._kms_port)
        finally:
            self._open.discard(writer)
            writer.transport.abort()


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kms_port: int) -> None:
    """The honest way: bytes to KMS and back until one side ends."""
    await relay(reader, writer, kms_port, lambda piece: piece)


async def relay(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kms_port: int, alter: Callable[[bytes], bytes]
) -> None:
    """Bytes to KMS as they are, and back through `alter`."""
    kms_reader, kms_writer = await asyncio.open_connection("127.0.0.1", kms_port)
    try:
        copies = (_copy(reader, kms_writer, lambda piece: piece), _copy(kms_reader, writer, alter))
        tasks = [asyncio.create_task(copy) for copy in copies]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        kms_writer.transport.abort()


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter, alter: Callable[[bytes], bytes]) -> None:
    while piece := await source.read(_PIECE_BYTES):
        sink.write(alter(piece))
        await sink.drain()
