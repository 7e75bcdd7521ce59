"""Models on their way in: a head, segments side by side, then one load for all of them.

The same at boot and whenever a model that has made room for others comes again.
"""

import asyncio
from collections.abc import AsyncIterator, Callable

from enclave.boot.receive import WeightsReceiver
from enclave.engine.engine import Engine
from enclave.errors import BootRefused
from strongroom.protocol.catalogue import CatalogueEntry
from strongroom.protocol.messages import SealedWeightsHead
from strongroom.protocol.weights import WeightsCipher


class Arrival:
    """One attempt to load a model whose data key KMS has released."""

    def __init__(self, entry: CatalogueEntry, cipher: WeightsCipher, engine: Engine, loading: asyncio.Lock) -> None:
        """`loading` is held while a model is loaded: one at a time."""
        self._entry, self._engine, self._loading = entry, engine, loading
        self._receiver = WeightsReceiver(entry, cipher, engine.make_room)
        self._segments = 0
        self._loaded = False

    @property
    def under_way(self) -> bool:
        """Whether a segment of it is being taken: so long it holds what it reserved."""
        return self._segments > 0

    async def take(self, first: int, step: int, body: AsyncIterator[bytes]) -> None:
        """Take a segment and return when the model is loaded; what goes wrong with one is the end of all of them.

        Raises BootRefused, ProtocolError, EngineError, and what the body raises.
        """
        self._segments += 1
        try:
            await self._receiver.receive(first, step, body)
            await self._load()
        except BaseException:
            self._receiver.fail()
            raise
        finally:
            self._segments -= 1
            if not self._segments and not self._loaded:
                self._engine.abandon(self._entry.id)

    async def _load(self) -> None:
        async with self._loading:
            if not self._loaded:
                manifest, files = self._receiver.finish()
                self._engine.add(manifest, await asyncio.to_thread(self._engine.prepare, manifest, files))
                self._loaded = True


Unwrap = Callable[[CatalogueEntry, SealedWeightsHead], WeightsCipher]
"""Asks KMS for the data key of a model; blocks."""


class Arrivals:
    """All models on their way in, by id. What is out of order is BootRefused."""

    def __init__(self, engine: Engine, unwrap: Unwrap) -> None:
        self._engine, self._unwrap = engine, unwrap
        self._loading = asyncio.Lock()
        self._arrivals: dict[str, Arrival] = {}

    def __len__(self) -> int:
        return len(self._arrivals)

    async def release(self, entry: CatalogueEntry, head: bytes, *, again: bool) -> None:
        """Take the head of a model that is not loaded: once, or `again` while no segment is being taken."""
        sealed, former = SealedWeightsHead.from_bytes(head), self._arrivals.get(entry.id)
        if entry.id in self._engine.loaded() or (former is not None and (former.under_way or not again)):
            raise BootRefused("out-of-order", f"model {entry.id}: expected one head")
        if (sealed.model, sealed.version) != (entry.id, entry.version):
            raise BootRefused("out-of-order", f"model {entry.id}: expected its own head, got another's")
        self._arrivals.pop(entry.id, None)  # its weights could come before KMS answers, and there would be two of it
        cipher = await asyncio.to_thread(self._unwrap, entry, sealed)
        self._arrivals[entry.id] = Arrival(entry, cipher, self._engine, self._loading)

    async def load(self, entry: CatalogueEntry, first: int, step: int, body: AsyncIterator[bytes]) -> None:
        """Take a segment of a model whose head came; return when the model is loaded."""
        arrival = self._arrivals.get(entry.id)
        if arrival is None:
            raise BootRefused("out-of-order", f"model {entry.id}: expected its head, and its weights once")
        try:
            await arrival.take(first, step, body)
        finally:
            if not arrival.under_way:  # until then no other head is taken, so this is the one
                self._arrivals.pop(entry.id, None)
