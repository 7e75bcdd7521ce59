"""The inference engine: loaded models by id, tasks in, events out."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing

from enclave.engine.decoder import Decoder
from enclave.engine.encoder import Encoder
from enclave.engine.errors import ModelRejected, UnknownModel
from enclave.engine.tensor_model import TensorModel
from enclave.engine.worker import Model, Worker
from strongroom.protocol.catalogue import ModelManifest
from strongroom.protocol.payloads import Event, Task

_LOADERS: dict[str, Callable[[ModelManifest, Mapping[str, bytes], int], Model]] = {
    "chat": Decoder.load,
    "embed": Encoder.load,
    "infer": TensorModel.load,
}


class Engine:
    """Runs each model in a thread of its own.

    `threads` is the number of threads that onnxruntime may use for one operator of one model; `max_queued` requests may
    wait for each model behind the one that runs.
    """

    def __init__(self, threads: int = 2, max_queued: int = 16) -> None:
        self._threads = threads
        self._max_queued = max_queued
        self._manifests: dict[str, ModelManifest] = {}
        self._workers: dict[str, Worker] = {}

    def load(self, manifest: ModelManifest, files: Mapping[str, bytes]) -> None:
        """Load a model from the bytes of its files, which the caller checked against the manifest's digests.

        Blocks for as long as onnxruntime takes. Raises ModelRejected, also for an id that is loaded already.
        """
        if manifest.id in self._workers:
            raise ModelRejected(f"expected each model once, got {manifest.id} twice")
        for file in manifest.files:
            if file.name not in files:
                raise ModelRejected(f"expected all files of {manifest.id}, got no {file.name}")
        model = _LOADERS[manifest.task](manifest, files, self._threads)
        self._workers[manifest.id] = Worker(model, self._max_queued)
        self._manifests[manifest.id] = manifest

    def models(self) -> list[ModelManifest]:
        """The manifests of the loaded models, in the order of loading."""
        return list(self._manifests.values())

    def has_room(self, model_id: str) -> bool:
        """Whether `run` would take a task for it now; True for a model that is not loaded, which `run` refuses."""
        worker = self._workers.get(model_id)
        return worker is None or worker.has_room

    async def run(self, model_id: str, task: Task) -> AsyncGenerator[Event, None]:
        """Run a task: chat yields TextDelta and at last ChatEnd, embed one Embeddings, infer one Outputs.

        Closing the generator (`aclose`) cancels the work at its next step. Raises EngineError.
        """
        if (worker := self._workers.get(model_id)) is None:
            raise UnknownModel("expected the id of a loaded model, got another; see the list of models")
        async with aclosing(worker.run(task)) as events:
            async for event in events:
                yield event

    def close(self) -> None:
        """Cancel all work and end the threads; requests that wait get EngineBusy."""
        for worker in self._workers.values():
            worker.close()
