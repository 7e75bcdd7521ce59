"""OrtValues do not copy: what is bound must belong to the graph, or a request reads another one's memory."""

import gc
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from enclave.engine.generation import graph as graph_module
from enclave.engine.generation import kv_cache as kv_cache_module
from enclave.engine.generation.batch import Batch
from enclave.engine.generation.graph import DecoderGraph
from enclave.engine.generation.model import LanguageModel
from enclave.engine.sessions import ort_value
from strongroom.protocol.payloads import ChatTask
from tests.enclave.engine.generation.harness import HELLO, LONG, Heard, answer, load, run
from tests.enclave.engine.packages import Package


@pytest.fixture
def bound(monkeypatch: pytest.MonkeyPatch) -> list[NDArray[Any]]:
    """Every array that an OrtValue was made of since."""
    arrays: list[NDArray[Any]] = []

    def recorded(array: NDArray[Any]) -> Any:
        arrays.append(array)
        return ort_value(array)

    monkeypatch.setattr(graph_module, "ort_value", recorded)
    monkeypatch.setattr(kv_cache_module, "ort_value", recorded)
    return arrays


def buffers(graph: DecoderGraph) -> list[NDArray[Any]]:
    return [graph.tokens, graph.mask, graph.logits, *graph.cache.buffers.values()]


def owner(array: NDArray[Any]) -> object:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def test_every_bound_array_is_a_view_on_a_buffer_of_the_graph(
    decoder_package: Package, bound: list[NDArray[Any]]
) -> None:
    model = load(decoder_package)
    tasks = [ChatTask(messages, max_tokens=count) for messages in (HELLO, LONG) for count in (3, 9)]
    run(Batch(model.graph), [model.start(task, Heard()) for task in tasks])
    assert {id(owner(array)) for array in bound} == {id(buffer) for buffer in buffers(model.graph)}
    assert all(array.flags.c_contiguous for array in bound)


def test_the_buffers_are_never_replaced(model: LanguageModel) -> None:
    addresses = [array.ctypes.data for array in buffers(model.graph)]
    answer(model, ChatTask(LONG, max_tokens=9))
    assert [array.ctypes.data for array in buffers(model.graph)] == addresses


def test_memory_that_was_freed_is_in_no_answer(model: LanguageModel) -> None:
    """Whatever a step let go of is overwritten by others at once: the answer stays."""
    task = ChatTask(HELLO, max_tokens=12)
    expected = answer(model, task)
    heard = Heard()
    batch = Batch(model.graph)
    batch.join(model.start(task, heard))
    sizes = [buffer.size for buffer in buffers(model.graph)]
    while len(batch):
        batch.step()
        gc.collect()
        poison = [np.full(size, np.nan, dtype=np.float32) for size in [*sizes, 1, 2, 8, 16, 32, 64]]
        del poison
    assert heard.events == expected
