"""Receiving sealed weights over several connections: each chunk is opened as it comes and put in its place."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from enclave.boot.assemble import ModelAssembly
from enclave.boot.incoming import IncomingFile
from enclave.boot.segments import ChunkLedger, Segment
from enclave.errors import BootRefused
from strongroom.protocol.catalogue import CatalogueEntry, ModelManifest
from strongroom.protocol.weights import WeightsCipher

STALL_S: Final = 60.0
"""A segment waits this long for the others while no chunk of theirs comes: then what is missing will not come."""


MakeRoom = Callable[[ModelManifest], Awaitable[None]]
"""Called with the catalogue's manifest, before the first byte of its files is allocated."""


async def _nobody_else(manifest: ModelManifest) -> None:
    """All memory is the model's."""


class WeightsReceiver:
    """The weights of one model. Every deviation is BootRefused or a ProtocolError; then no segment of it is taken.

    It holds the manifest's files and, for each connection, no more than the chunk that is on its way.
    """

    def __init__(self, entry: CatalogueEntry, cipher: WeightsCipher, make_room: MakeRoom = _nobody_else) -> None:
        self._cipher, self._make_room = cipher, make_room
        self._ledger = ChunkLedger(cipher.head.chunks)
        self._assembly = ModelAssembly(entry, cipher.head.plaintext_bytes)
        self._begun, self._complete = asyncio.Event(), asyncio.Event()
        self._failed = False

    async def receive(self, first: int, step: int, body: AsyncIterator[bytes]) -> None:
        """Take the segment of every `step`-th chunk from `first` on; return when those of all segments are in place."""
        segment = Segment(self._cipher.head, first, step)
        async for piece in body:
            for index, sealed in segment.feed(piece):
                await self._take(index, sealed)
        segment.finish()
        await self._wait_for(self._complete)

    def finish(self) -> tuple[ModelManifest, dict[str, bytes]]:
        """The manifest and the contents of its files by name, all digests checked: once, they are the caller's then."""
        self._require_success()
        return self._assembly.finish()

    def fail(self) -> None:
        """Take no more: the segments that wait for others are refused."""
        self._failed = True
        self._begun.set()
        self._complete.set()

    async def _take(self, index: int, sealed: memoryview) -> None:
        if index:
            await self._wait_for(self._begun)
        self._ledger.claim(index)
        chunk = self._cipher.open(index, sealed)
        for file in self._assembly.place(index, chunk) if index else await self._begin(chunk):
            while file.claim():  # what comes meanwhile, over other connections, is hashed here too
                await asyncio.to_thread(file.hash)
        self._ledger.settle()
        if self._ledger.complete:
            self._complete.set()

    async def _begin(self, chunk: bytes) -> list[IncomingFile]:
        manifest = self._assembly.read_manifest(chunk)
        self._require_success()
        await self._make_room(manifest)
        files = self._assembly.begin(manifest, chunk)
        self._begun.set()
        return files

    async def _wait_for(self, event: asyncio.Event) -> None:
        while not event.is_set():
            before = self._ledger.settled
            try:
                async with asyncio.timeout(STALL_S):
                    await event.wait()
            except TimeoutError:
                if before == self._ledger.settled == self._ledger.claimed:
                    raise BootRefused("input-incomplete", "weights: expected every chunk, got some") from None
        self._require_success()

    def _require_success(self) -> None:
        if self._failed:
            raise BootRefused("input-incomplete", "weights: expected every segment, got one that failed")
