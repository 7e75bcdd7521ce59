"""Any bytes are accepted or refused by the scan, in bounds."""

import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto

from tests.enclave.engine import bombs
from tests.enclave.engine.graphs import node
from tests.enclave.engine.test_graph_expansion import expanded, expanding, literal, sized_by
from tests.enclave.engine.test_graph_scan import SOUND, refusal, with_tensor


def altered(graph: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    """Each edit replaces some bytes at a position by others."""
    for position, length, new in edits:
        at = position % (len(graph) + 1)
        graph = graph[:at] + new + graph[at + length :]
    return graph


SEEDS = [
    SOUND,
    bombs.endless_loop(),
    bombs.doubling(3),
    bombs.memory_at_run(),
    expanded([2, 3, -1]),
    expanding("Range", 0, 1024, 1),
    expanding("Pad", None, [0, 1, 0, 1]),
    with_tensor(TensorProto(name="w", data_type=8, dims=[2], string_data=[b"a", b"b"])),
    sized_by(literal("a", value_ints=[1, 2]), literal("z", value_ints=[0]), node("Gather", ["a", "z"], ["n"])),
]
EDITS = st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 8), st.binary(max_size=8)), min_size=1, max_size=4)


@settings(deadline=1000)
@given(graph=st.sampled_from(SEEDS), edits=EDITS)
def test_altered_graphs_are_accepted_or_refused_in_bounds(graph: bytes, edits: list[tuple[int, int, bytes]]) -> None:
    tracemalloc.start()
    try:
        refusal(altered(graph, edits))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20


@given(st.binary(max_size=64))
def test_any_bytes_are_accepted_or_refused(graph: bytes) -> None:
    refusal(graph)


def test_every_seed_is_sound() -> None:
    assert [refusal(seed) for seed in SEEDS] == [None] * len(SEEDS)
