"""A gateway on a loopback port that answers one request with the reply it was given, byte for byte."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from strongroom.client.gateway import Gateway


@dataclass(frozen=True)
class Reply:
    """Without a media type there is no such header."""

    status: int
    media_type: str | None
    body: bytes

    def to_bytes(self) -> bytes:
        """As it travels."""
        kind = f"Content-Type: {self.media_type}\r\n" if self.media_type else ""
        head = f"HTTP/1.1 {self.status} As-Given\r\n{kind}Content-Length: {len(self.body)}\r\n\r\n"
        return head.encode() + self.body


@asynccontextmanager
async def replaying(reply: Reply, path: str) -> AsyncIterator[Gateway]:
    """The client's own gateway in front of it; nothing else than `path` is answered."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        [length] = re.findall(r"(?i)^content-length: (\d+)", head, re.MULTILINE) or ["0"]
        await reader.readexactly(int(length))
        if head.split(" ")[1] == path:
            writer.write(reply.to_bytes())
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        gateway = Gateway(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        try:
            yield gateway
        finally:
            await gateway.close()
