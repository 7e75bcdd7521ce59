"""The inference engine: loaded models by id, tasks in, events out."""

import os
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass

from enclave.engine.batching.encoder import Encoder
from enclave.engine.batching.runner import BatchRunner
from enclave.engine.errors import ModelRejected, UnknownModel
from enclave.engine.generation.model import LanguageModel
from enclave.engine.generation.runner import SlotRunner
from enclave.engine.graph_scan.scan import scan
from enclave.engine.probe import Limits, probe
from enclave.engine.runner import Runner
from enclave.engine.solo import SoloRunner
from enclave.engine.tensor_model import TensorModel
from strongroom.protocol.catalogue import ModelManifest
from strongroom.protocol.payloads import Event, Task


@dataclass(frozen=True)
class Capacity:
    """What the engine may use for each of its models."""

    threads: int = 2
    """Threads for one operator of onnxruntime, and micro-batches of one encoder at a time."""
    max_queued: int = 16
    """Requests that may wait behind those that run; those of an encoder are bounded by their texts instead."""
    slots: int = 8
    """Conversations of one language model at a time."""
    kv_bytes: int = 1 << 30
    """Bytes of K/V that a language model's slots hold together; it has fewer slots where these are too few."""


_Load = Callable[[ModelManifest, Mapping[str, bytes], Capacity], Runner]


def _chat(manifest: ModelManifest, files: Mapping[str, bytes], capacity: Capacity) -> Runner:
    model = LanguageModel.load(manifest, files, capacity.threads, slots=capacity.slots, kv_bytes=capacity.kv_bytes)
    return SlotRunner(model, capacity.max_queued)


def _embed(manifest: ModelManifest, files: Mapping[str, bytes], capacity: Capacity) -> Runner:
    workers = min(capacity.threads, os.cpu_count() or 1)
    return BatchRunner(Encoder.load(manifest, files, capacity.threads), workers=workers)


def _infer(manifest: ModelManifest, files: Mapping[str, bytes], capacity: Capacity) -> Runner:
    return SoloRunner(TensorModel.load(manifest, files, capacity.threads), capacity.max_queued)


_LOADERS: Mapping[str, _Load] = {"chat": _chat, "embed": _embed, "infer": _infer}


class Engine:
    """Runs each model by a runner of its own."""

    def __init__(self, capacity: Capacity = Capacity()) -> None:
        self._capacity = capacity
        self._manifests: dict[str, ModelManifest] = {}
        self._runners: dict[str, Runner] = {}

    def load(self, manifest: ModelManifest, files: Mapping[str, bytes]) -> None:
        """Load a model from the bytes of its files, which the caller checked against the manifest's digests.

        The graph is scanned and then loaded by a child, before it is loaded here. Blocks for as long as onnxruntime
        takes, twice. Raises ModelRejected, also for an id that is loaded already.
        """
        if manifest.id in self._runners:
            raise ModelRejected(f"expected each model once, got {manifest.id} twice")
        for file in manifest.files:
            if file.name not in files:
                raise ModelRejected(f"expected all files of {manifest.id}, got no {file.name}")
        graph = files[manifest.graph]
        self._try(graph, {file.name: files[file.name] for file in manifest.files if file.name != manifest.graph})
        self._runners[manifest.id] = _LOADERS[manifest.task](manifest, files, self._capacity)
        self._manifests[manifest.id] = manifest

    def _try(self, graph: bytes, files: Mapping[str, bytes]) -> None:
        """Raise ModelRejected unless the graph passes the scan, and a child survives it."""
        external = {name: files[name] for name in scan(graph, files)}
        probe(graph, external, self._capacity.threads, Limits.of(len(graph) + sum(map(len, external.values()))))

    def models(self) -> list[ModelManifest]:
        """The manifests of the loaded models, in the order of loading."""
        return list(self._manifests.values())

    def has_room(self, model_id: str) -> bool:
        """Whether `run` would take a task for it now; True for a model that is not loaded, which `run` refuses."""
        runner = self._runners.get(model_id)
        return runner is None or runner.has_room

    async def run(self, model_id: str, task: Task) -> AsyncGenerator[Event, None]:
        """Run a task: chat yields TextDelta and at last GenerationEnd, embed one Embeddings, infer one Outputs.

        Closing the generator (`aclose`) cancels the work at its next step. Raises EngineError.
        """
        if (runner := self._runners.get(model_id)) is None:
            raise UnknownModel("expected the id of a loaded model, got another; see the list of models")
        async with aclosing(runner.run(task)) as events:
            async for event in events:
                yield event

    def close(self) -> None:
        """Cancel all work and end the threads; requests that wait get EngineBusy."""
        for runner in self._runners.values():
            runner.close()
