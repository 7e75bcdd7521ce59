"""What models on their way hold and reserve, whatever comes of their segments, and when."""

import asyncio
import threading
import weakref
from collections.abc import AsyncIterator, Mapping

import pytest

from enclave.boot.arrivals import Arrivals
from enclave.engine.capacity import Capacity
from enclave.engine.engine import Engine
from enclave.engine.errors import ModelRejected
from enclave.engine.footprint import footprint
from enclave.engine.runner import Runner
from enclave.errors import BootRefused
from strongroom.protocol.catalogue import CatalogueEntry, ModelManifest
from strongroom.protocol.errors import OpenFailed
from strongroom.protocol.messages import SealedWeightsHead
from strongroom.protocol.weights import WeightsCipher
from tests.enclave.engine.runners import Idle
from tests.enclave.weights import MIB, Model, in_pieces

CAPACITY = Capacity()

ONE, TWO = Model(sizes=(2 * MIB,), id="one"), Model(sizes=(2 * MIB + 1,), id="two")


class World:
    """Arrivals at an engine with memory for one of two models; KMS answers while `kms` is set."""

    def __init__(self) -> None:
        self.engine, self.prepared, self.rejects = Engine(), 0, False
        self.kms = threading.Event()
        self.kms.set()
        needed = footprint(ModelManifest.from_bytes(TWO.manifest), CAPACITY).loading_bytes
        self.engine.limit(memory_bytes=needed, residence_s=0, room_s=0.1)
        self.arrivals = Arrivals(self.engine, self._unwrap)

    def _unwrap(self, entry: CatalogueEntry, head: SealedWeightsHead) -> WeightsCipher:
        self.kms.wait(10)
        return {"one": ONE, "two": TWO}[entry.id].cipher

    def prepare(self, manifest: ModelManifest, files: Mapping[str, bytes]) -> Runner:
        """In place of the engine's."""
        self.prepared += 1
        if self.rejects:
            raise ModelRejected("probe: memory")
        return Idle()

    async def head(self, model: Model) -> None:
        await self.arrivals.release(model.entry, model.cipher.head.to_bytes(), again=True)

    async def weights(self, model: Model, first: int, end: int) -> None:
        await self.arrivals.load(model.entry, first, 1, in_pieces(model.segment(first, end)))

    async def bring(self, model: Model) -> None:
        await self.head(model)
        await self.weights(model, 0, 3)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr(world.engine, "prepare", world.prepare)
    return world


async def endless(body: bytes, over: asyncio.Event) -> AsyncIterator[bytes]:
    """A body whose end comes only when it is `over`."""
    yield body
    await over.wait()


async def test_of_what_failed_nothing_is_held(world: World) -> None:
    await world.head(ONE)
    receiver = weakref.ref(world.arrivals._arrivals["one"]._receiver)
    with pytest.raises(BootRefused, match="cut one"):
        await world.arrivals.load(ONE.entry, 0, 1, in_pieces(ONE.segment(0, 3)[:-1]))
    assert receiver() is None
    assert len(world.arrivals) == 0


async def test_a_failed_model_makes_nobody_leave(world: World) -> None:
    await world.bring(TWO)
    await world.head(ONE)
    gate = asyncio.Event()

    async def late() -> AsyncIterator[bytes]:
        await gate.wait()
        yield ONE.segment(0, 1)

    first = asyncio.create_task(world.arrivals.load(ONE.entry, 0, 1, late()))
    await asyncio.sleep(0)
    with pytest.raises(BootRefused):
        await world.arrivals.load(ONE.entry, 1, 1, in_pieces(b""))
    gate.set()
    with pytest.raises(BootRefused, match="one that failed"):
        await first
    assert world.engine.loaded() == ["two"]


async def test_a_rejected_model_is_tried_once(world: World) -> None:
    world.rejects = True
    await world.head(ONE)
    segments = (world.weights(ONE, first, first + 1) for first in range(3))
    raised = await asyncio.gather(*segments, return_exceptions=True)
    assert sorted(type(each).__name__ for each in raised) == ["BootRefused", "BootRefused", "ModelRejected"]
    assert world.prepared == 1


async def test_weights_that_come_while_kms_is_asked_again_are_none(world: World) -> None:
    """Or two of one model would be on their way, and reserved once."""
    await world.head(ONE)
    world.kms.clear()
    again = asyncio.create_task(world.head(ONE))
    await asyncio.sleep(0.05)
    with pytest.raises(BootRefused, match="expected its head"):
        await world.weights(ONE, 0, 3)
    world.kms.set()
    await again
    await world.weights(ONE, 0, 3)
    assert world.engine.loaded() == ["one"]


async def test_a_segment_without_end_takes_nothing_from_the_model_when_it_comes_again(world: World) -> None:
    over = asyncio.Event()
    await world.head(ONE)
    lingering = asyncio.create_task(world.arrivals.load(ONE.entry, 1, 1, endless(ONE.segment(1, 3), over)))
    await world.weights(ONE, 0, 1)
    assert world.engine.loaded() == ["one"]
    await world.bring(TWO)
    with pytest.raises(BootRefused, match="expected one head"):
        await world.head(ONE)
    over.set()
    await lingering
    await world.bring(ONE)
    assert world.engine.loaded() == ["one"]


async def test_the_files_of_a_loaded_model_are_not_held_for_a_segment_without_end(world: World) -> None:
    over = asyncio.Event()
    await world.head(ONE)
    lingering = asyncio.create_task(world.arrivals.load(ONE.entry, 1, 1, endless(ONE.segment(1, 3), over)))
    receiver = world.arrivals._arrivals["one"]._receiver
    await world.weights(ONE, 0, 1)
    assert receiver._assembly._files == {}
    over.set()
    await lingering


async def test_the_last_segment_gives_back_nothing_of_a_model_that_is_being_closed(world: World) -> None:
    over, closed = asyncio.Event(), threading.Event()
    await world.head(ONE)
    lingering = asyncio.create_task(world.arrivals.load(ONE.entry, 1, 1, endless(ONE.segment(1, 3), over)))
    await world.weights(ONE, 0, 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Idle, "close", lambda runner: closed.wait(10))
        evicting = asyncio.create_task(world.engine.evict("one"))
        over.set()
        await lingering
        assert world.engine._memory.share("one")
        closed.set()
        await evicting
    assert world.engine._memory.share("one") is None


async def test_an_altered_chunk_is_no_ones_room(world: World) -> None:
    await world.bring(TWO)
    await world.head(ONE)
    with pytest.raises(OpenFailed):
        await world.arrivals.load(ONE.entry, 0, 1, in_pieces(TWO.segment(0, 3)))
    assert world.engine.loaded() == ["two"]
