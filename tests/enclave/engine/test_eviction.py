"""The engine under a budget: models make room for others, never one that has work."""

import asyncio
from dataclasses import dataclass, field

import pytest
from msgspec import structs

from enclave.engine.capacity import Capacity
from enclave.engine.engine import Engine
from enclave.engine.errors import EngineBusy, ModelRejected, UnknownModel
from enclave.engine.footprint import footprint
from strongroom.protocol.payloads import ChatTask, InferTask, Message, Task, TextDelta
from strongroom.protocol.tensors import Tensor
from tests.enclave.engine.packages import Package, collect
from tests.enclave.engine.runners import Idle

CAPACITY = Capacity()
CHAT = ChatTask([Message("user", "hello")], max_tokens=3)
INFER = InferTask({"x": Tensor("float32", [1, 4], bytes(16))})


@dataclass
class World:
    """An engine with room for one of two models of one size, and a clock that the test moves."""

    manifest: Package
    residence_s: float = 60
    room_s: float = 60
    at_s: float = 0
    runners: dict[str, Idle] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.engine = Engine(Capacity(threads=1), clock=lambda: self.at_s)
        needed = footprint(self.manifest.manifest, CAPACITY).loading_bytes
        self.engine.limit(memory_bytes=needed, residence_s=self.residence_s, room_s=self.room_s)

    async def load(self, model_id: str) -> None:
        manifest = structs.replace(self.manifest.manifest, id=model_id)
        await self.engine.make_room(manifest)
        self.runners[model_id] = Idle()
        self.engine.add(manifest, self.runners[model_id])

    async def load_within(self, room_s: float, model_id: str) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self.engine, "_room_s", room_s)
            await self.load(model_id)


@pytest.fixture
async def world(tensor_package: Package) -> World:
    """Both were loaded once, the second is; then a second went by."""
    world = World(tensor_package)
    for model_id in ("one", "two"):
        await world.load(model_id)
    world.at_s = 1
    return world


async def test_a_model_makes_room_for_the_next(world: World) -> None:
    assert world.engine.loaded() == ["two"]
    assert [manifest.id for manifest in world.engine.models()] == ["two"]
    assert world.runners["one"].closed
    assert not world.runners["two"].closed
    with pytest.raises(UnknownModel):
        await collect(world.engine.run("one", CHAT))


async def test_an_evicted_model_that_is_asked_for_is_wanted(world: World) -> None:
    assert world.engine.wanted() == []
    assert world.engine.has_room("no-such-model")
    assert not world.engine.has_room("one")
    assert world.engine.wanted() == ["one"]
    await world.load("one")
    assert world.engine.wanted() == []
    assert world.engine.has_room("one")


async def test_one_that_was_asked_for_stays_its_time(world: World) -> None:
    world.engine.has_room("one")
    await world.load("one")
    world.engine.has_room("two")
    assert world.engine.wanted() == []
    with pytest.raises(EngineBusy, match="room for it"):
        await world.load_within(0, "two")
    assert world.engine.loaded() == ["one"]
    world.at_s += 60
    world.engine.has_room("two")
    assert world.engine.wanted() == ["two"]
    await world.load("two")
    assert world.engine.loaded() == ["two"]


async def test_one_that_has_work_takes_no_more_and_leaves_when_it_is_done(world: World) -> None:
    events = world.engine.run("two", CHAT)
    assert await anext(events) == TextDelta("first")
    arriving = asyncio.create_task(world.load("one"))
    await asyncio.sleep(0.1)
    assert world.engine.loaded() == ["two"]
    assert not world.engine.has_room("two")
    with pytest.raises(EngineBusy, match="without work"):
        await world.engine.evict("two")
    world.runners["two"].gate.set()
    assert await collect(events) == [TextDelta("second")]
    await arriving
    assert world.engine.loaded() == ["one"]


async def test_a_kept_place_is_work(world: World) -> None:
    place = world.engine.keep_place("two")
    arriving = asyncio.create_task(world.load("one"))
    await asyncio.sleep(0.1)
    assert world.engine.loaded() == ["two"]
    place.give_back()
    await arriving
    assert world.engine.loaded() == ["one"]


async def test_work_that_does_not_end_keeps_its_model(world: World) -> None:
    events = world.engine.run("two", CHAT)
    await anext(events)
    arriving = asyncio.create_task(world.load("one"))
    await asyncio.sleep(0.1)
    world.at_s += world.room_s
    with pytest.raises(EngineBusy, match="within 60 s"):
        await arriving
    assert world.engine.has_room("two")
    await events.aclose()


async def test_an_eviction_that_fails_does_not_lose_its_room(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr("enclave.engine.engine.trim", fail)
        with pytest.raises(MemoryError):
            await world.load("one")
    await world.load_within(0, "two")
    assert world.engine.loaded() == ["two"]


async def test_the_same_answers_before_and_after(decoder_package: Package, tensor_package: Package) -> None:
    engine = Engine(Capacity(threads=1))
    needed = [footprint(each.manifest, CAPACITY) for each in (decoder_package, tensor_package)]
    engine.limit(memory_bytes=max(each.loading_bytes for each in needed), residence_s=0, room_s=0.1)
    answers = []
    asked: list[tuple[Package, Task]] = [(decoder_package, CHAT), (tensor_package, INFER)]
    for package, task in asked * 2:
        await engine.make_room(package.manifest)
        engine.add(package.manifest, await asyncio.to_thread(engine.prepare, package.manifest, package.files))
        assert engine.loaded() == [package.manifest.id]
        answers.append(await collect(engine.run(package.manifest.id, task)))
    engine.close()
    assert answers[:2] == answers[2:]


async def test_a_model_that_was_given_up_leaves_its_room(world: World) -> None:
    manifest = structs.replace(world.manifest.manifest, id="three")
    await world.engine.make_room(manifest)
    world.engine.abandon("three")
    await world.load("one")
    world.engine.abandon("one")  # a loaded one keeps its memory
    assert world.engine.has_room("one")
    with pytest.raises(EngineBusy, match="memory that is free"):
        world.engine.load(manifest, world.manifest.files)


async def test_what_does_not_fit_even_alone_is_rejected(decoder_package: Package) -> None:
    engine = Engine(Capacity(threads=1))
    engine.limit(memory_bytes=32 << 20, residence_s=0, room_s=0)
    with pytest.raises(ModelRejected, match="loads within 32 MiB"):
        await engine.make_room(decoder_package.manifest)
    with pytest.raises(ModelRejected, match="loads within 32 MiB"):
        engine.load(decoder_package.manifest, decoder_package.files)
