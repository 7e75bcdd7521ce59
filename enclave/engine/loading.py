"""From the bytes of a model to its runner: scanned, tried by a child, loaded here or, for tensors, by a child again."""

import os
from collections.abc import Callable, Mapping

from enclave.engine.batching.encoder import Encoder
from enclave.engine.batching.runner import BatchRunner
from enclave.engine.capacity import Capacity
from enclave.engine.errors import ModelRejected
from enclave.engine.generation.model import LanguageModel
from enclave.engine.generation.runner import SlotRunner
from enclave.engine.graph_scan.scan import scan
from enclave.engine.heap import trim
from enclave.engine.observation import ModelObserver
from enclave.engine.probe.probe import Limits, probe
from enclave.engine.runner import Runner
from enclave.engine.solo import SoloRunner
from enclave.engine.tensors.model import TensorModel
from strongroom.protocol.catalogue import ModelManifest

_Load = Callable[[ModelManifest, Mapping[str, bytes], Capacity, ModelObserver], Runner]


def _chat(manifest: ModelManifest, files: Mapping[str, bytes], capacity: Capacity, observer: ModelObserver) -> Runner:
    model = LanguageModel.load(manifest, files, capacity.threads, slots=capacity.slots, kv_bytes=capacity.kv_bytes)
    return SlotRunner(model, capacity.max_queued, observer)


def _encode(manifest: ModelManifest, files: Mapping[str, bytes], capacity: Capacity, observer: ModelObserver) -> Runner:
    workers = min(capacity.threads, os.cpu_count() or 1)
    return BatchRunner(Encoder.load(manifest, files, capacity.threads), workers=workers, observer=observer)


def _infer(manifest: ModelManifest, files: Mapping[str, bytes], capacity: Capacity, observer: ModelObserver) -> Runner:
    model = TensorModel.load(manifest, files, capacity.threads)
    try:
        return SoloRunner(model, capacity.max_queued, observer)
    except MemoryError:
        model.close()
        raise


_LOADERS: Mapping[str, _Load] = {
    "chat": _chat, "embed": _encode, "classify": _encode, "tag": _encode, "infer": _infer,
}  # fmt: skip


def load_runner(
    manifest: ModelManifest, files: Mapping[str, bytes], capacity: Capacity, observer: ModelObserver
) -> Runner:
    """A runner from the bytes of the model's files, which the caller checked against the manifest's digests.

    The graph is scanned, and tried by a child, before it is loaded to serve. Raises ModelRejected, MemoryError.
    """
    for file in manifest.files:
        if file.name not in files:
            raise ModelRejected(f"expected all files of {manifest.id}, got no {file.name}")
    others = {file.name: files[file.name] for file in manifest.files if file.name != manifest.graph}
    _try(files[manifest.graph], others, capacity.threads)
    runner = _LOADERS[manifest.task](manifest, files, capacity, observer)
    trim()
    return runner


def _try(graph: bytes, files: Mapping[str, bytes], threads: int) -> None:
    """Raise ModelRejected unless the graph passes the scan, and a child survives it."""
    external = {name: files[name] for name in scan(graph, files)}
    probe(graph, external, threads, Limits.of(len(graph) + sum(map(len, external.values()))))
