"""The inference engine: loaded models by id, tasks in, events out."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing

from enclave.engine.decoder import Decoder
from enclave.engine.encoder import Encoder
from enclave.engine.errors import ModelRejected, UnknownModel
from enclave.engine.runner import Runner
from enclave.engine.solo import SoloRunner
from enclave.engine.tensor_model import TensorModel
from strongroom.protocol.catalogue import ModelManifest
from strongroom.protocol.payloads import Event, Task

_Load = Callable[[ModelManifest, Mapping[str, bytes], int, int], Runner]


def _chat(manifest: ModelManifest, files: Mapping[str, bytes], threads: int, max_queued: int) -> Runner:
    return SoloRunner(Decoder.load(manifest, files, threads), max_queued)


def _embed(manifest: ModelManifest, files: Mapping[str, bytes], threads: int, max_queued: int) -> Runner:
    return SoloRunner(Encoder.load(manifest, files, threads), max_queued)


def _infer(manifest: ModelManifest, files: Mapping[str, bytes], threads: int, max_queued: int) -> Runner:
    return SoloRunner(TensorModel.load(manifest, files, threads), max_queued)


_LOADERS: Mapping[str, _Load] = {"chat": _chat, "embed": _embed, "infer": _infer}


class Engine:
    """Runs each model by a runner of its own.

    `threads` is the number of threads that onnxruntime may use for one operator of one model; `max_queued` requests may
    wait for each model behind the one that runs.
    """

    def __init__(self, threads: int = 2, max_queued: int = 16) -> None:
        self._threads = threads
        self._max_queued = max_queued
        self._manifests: dict[str, ModelManifest] = {}
        self._runners: dict[str, Runner] = {}

    def load(self, manifest: ModelManifest, files: Mapping[str, bytes]) -> None:
        """Load a model from the bytes of its files, which the caller checked against the manifest's digests.

        Blocks for as long as onnxruntime takes. Raises ModelRejected, also for an id that is loaded already.
        """
        if manifest.id in self._runners:
            raise ModelRejected(f"expected each model once, got {manifest.id} twice")
        for file in manifest.files:
            if file.name not in files:
                raise ModelRejected(f"expected all files of {manifest.id}, got no {file.name}")
        self._runners[manifest.id] = _LOADERS[manifest.task](manifest, files, self._threads, self._max_queued)
        self._manifests[manifest.id] = manifest

    def models(self) -> list[ModelManifest]:
        """The manifests of the loaded models, in the order of loading."""
        return list(self._manifests.values())

    def has_room(self, model_id: str) -> bool:
        """Whether `run` would take a task for it now; True for a model that is not loaded, which `run` refuses."""
        runner = self._runners.get(model_id)
        return runner is None or runner.has_room

    async def run(self, model_id: str, task: Task) -> AsyncGenerator[Event, None]:
        """Run a task: chat yields TextDelta and at last ChatEnd, embed one Embeddings, infer one Outputs.

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
