"""The inference engine: loaded models by id, tasks in, events out."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing

from enclave.engine.capacity import Capacity
from enclave.engine.errors import EngineBusy, ModelRejected, UnknownModel
from enclave.engine.footprint import footprint
from enclave.engine.heap import trim
from enclave.engine.loading import load_runner
from enclave.engine.memory import Memory
from enclave.engine.observation import Observer
from enclave.engine.places import Place, Places
from enclave.engine.runner import Runner
from strongroom.protocol.catalogue import ModelManifest
from strongroom.protocol.payloads import DescribeTask, Description, Event, Task

_LOOK_S = 0.02


class Engine:
    """Runs each model by a runner of its own."""

    def __init__(self, capacity: Capacity | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._capacity, self._clock = capacity or Capacity(), clock
        self._memory, self._room_s = Memory(), 0.0
        self._manifests: dict[str, ModelManifest] = {}
        self._runners: dict[str, Runner] = {}
        self._places = Places()
        self.observer = Observer()

    def limit(self, *, memory_bytes: int, residence_s: float, room_s: float) -> None:
        """Bound the memory of all models together, before the first is loaded: see Memory.

        A model on its way waits up to `room_s` seconds for those that have work: longer than any work takes.
        """
        self._memory, self._room_s = Memory(memory_bytes, residence_s), room_s

    def load(self, manifest: ModelManifest, files: Mapping[str, bytes]) -> None:
        """Load a model into memory that is free: `prepare` and `add`, at once.

        Raises ModelRejected, EngineBusy, MemoryError.
        """
        self._expect(manifest)
        if not self._memory.reserve(manifest.id):
            raise EngineBusy(f"{manifest.id}: expected memory that is free, got other models in it")
        try:
            self.add(manifest, self.prepare(manifest, files))
        finally:
            self.abandon(manifest.id)

    async def make_room(self, manifest: ModelManifest) -> None:
        """Reserve the memory for a model that is on its way: then `add` it or `abandon` it.

        Others are evicted for it, none that has work: such a one takes no more, for as long as this waits. Raises
        ModelRejected when it would not fit even alone, EngineBusy when no room came in time.
        """
        self._expect(manifest)
        until_s = self._clock() + self._room_s
        try:
            while not self._memory.reserve(manifest.id):
                if self._clock() >= until_s:
                    raise EngineBusy(f"{manifest.id}: expected room for it within {self._room_s:g} s, got none")
                await self._evict_for(manifest.id)
        finally:
            self._memory.stay()

    def abandon(self, model_id: str) -> None:
        """Give back what is reserved for a model that is not loaded after all; nothing, if it was."""
        if model_id not in self._runners:
            self._memory.release(model_id)

    def prepare(self, manifest: ModelManifest, files: Mapping[str, bytes]) -> Runner:
        """A runner from the bytes of the model's files, which the caller checked against the manifest's digests.

        Blocks for as long as onnxruntime takes, twice, and may do so in a thread. Raises ModelRejected, MemoryError.
        """
        return load_runner(manifest, files, self._capacity, self.observer.add(manifest.id))

    def add(self, manifest: ModelManifest, runner: Runner) -> None:
        """Serve a model, for which memory is reserved, by its runner."""
        self._memory.settle(manifest.id, self._clock())
        self._runners[manifest.id] = runner
        self._manifests[manifest.id] = manifest

    async def evict(self, model_id: str) -> None:
        """Close a loaded model and free its memory. Raises EngineBusy when it has work."""
        if self._is_busy(model_id):
            raise EngineBusy(f"{model_id}: expected a model without work, got one with some")
        del self._manifests[model_id]
        try:
            await asyncio.to_thread(_end, [self._runners.pop(model_id)])
        finally:
            self._memory.release(model_id)

    def _expect(self, manifest: ModelManifest) -> None:
        if manifest.id in self._runners:
            raise ModelRejected(f"expected each model once, got {manifest.id} twice")
        self._memory.expect(manifest.id, footprint(manifest, self._capacity))

    async def _evict_for(self, model_id: str) -> None:
        leavers = self._memory.make_leave(model_id, self._clock(), self._is_busy)
        idle = [each for each in leavers if each in self._runners and not self._is_busy(each)]
        await (self.evict(idle[0]) if idle else asyncio.sleep(_LOOK_S))

    def _is_busy(self, model_id: str) -> bool:
        share = self._memory.share(model_id)
        return (share is not None and share.tasks > 0) or self._places.kept(model_id) > 0

    def models(self) -> list[ModelManifest]:
        """The manifests of the loaded models, in the order of loading."""
        return list(self._manifests.values())

    def loaded(self) -> list[str]:
        """The ids of the loaded models, in the order of loading."""
        return list(self._runners)

    def wanted(self) -> list[str]:
        """The ids of models that `has_room` was asked for while they were evicted, and that would get room now."""
        return self._memory.wanted(self._clock())

    def has_room(self, model_id: str) -> bool:
        """Whether `run` would take one more task for it than there are places kept.

        False for an evicted model, which is wanted from now on, and for one that has to leave. True for a model that
        was never loaded, which `run` refuses.
        """
        if (runner := self._runners.get(model_id)) is None:
            return not self._memory.want(model_id, self._clock())
        share = self._memory.share(model_id)
        return not (share and share.leaving) and runner.room > self._places.kept(model_id)

    def keep_place(self, model_id: str) -> Place:
        """Keep the place that `has_room` found, for a task that is run later: give it back right before `run`."""
        return self._places.keep(model_id)

    async def run(self, model_id: str, task: Task) -> AsyncGenerator[Event, None]:
        """Run a task: chat yields TextDelta and at last GenerationEnd, embed one Embeddings, classify Scores, tag Tags,
        infer Outputs; and describe a Description of any model, for which nothing has to run.

        Closing the generator (`aclose`) cancels the work at its next step. Raises EngineError.
        """
        if (runner := self._runners.get(model_id)) is None:
            raise UnknownModel("expected the id of a loaded model, got another; see the list of models")
        if isinstance(task, DescribeTask):
            manifest = self._manifests[model_id]
            yield Description(manifest.version, manifest.task, *runner.ports)
            return
        with self._memory.used(model_id, self._clock):
            async with aclosing(runner.run(task)) as events:
                async for event in events:
                    yield event

    def close(self) -> None:
        """Cancel all work and end the threads; requests that wait get EngineBusy."""
        for runner in self._runners.values():
            runner.close()


def _end(runners: list[Runner]) -> None:
    """Close the only one, and give back its memory: the list has the last reference to it."""
    runners.pop().close()
    trim()
