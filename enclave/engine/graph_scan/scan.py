"""The scan: all rules over one file."""

from collections.abc import Mapping

from enclave.engine.graph_scan.expansion import check_expansion
from enclave.engine.graph_scan.external import check_external, is_external
from enclave.engine.graph_scan.graphs import Placed, all_graphs, attributes, check_nodes
from enclave.engine.graph_scan.header import check_header
from enclave.engine.graph_scan.limits import MAX_WEIGHT_FACTOR, SPARE_WEIGHT_BYTES
from enclave.engine.graph_scan.message import Message
from enclave.engine.graph_scan.reader import read_model
from enclave.engine.graph_scan.rules import GraphRejected, Rule
from enclave.engine.graph_scan.tensors import check_data


def scan(graph: bytes, files: Mapping[str, bytes]) -> frozenset[str]:
    """The names of the files in which the serialised ModelProto has external data.

    `files` are the other files of the manifest, checked by their digests, by name. Raises GraphRejected, which names
    the rule. Nothing is computed, and nothing but onnxruntime itself says whether the graph makes sense.
    """
    model = read_model(graph)
    check_header(model)
    graphs = all_graphs(model)
    for placed in graphs:
        check_nodes(placed.graph)
    used = _check_tensors(graphs, len(graph), files)
    check_expansion(graphs)
    return used


def _check_tensors(graphs: list[Placed], graph_bytes: int, files: Mapping[str, bytes]) -> frozenset[str]:
    """Raise GraphRejected for a tensor whose data is wrong or elsewhere, or when all together are too much."""
    weight_bytes, used = 0, set()
    for graph, outer in graphs:
        for tensor in graph.children("initializer"):
            if outer is None and is_external(tensor):
                name, size = check_external(tensor, files)
                used.add(name)
            else:
                size = _check_inside(tensor)
            weight_bytes += size
        for attribute in attributes(graph):
            weight_bytes += sum(map(_check_inside, attribute.children("t") + attribute.children("tensors")))
    most = MAX_WEIGHT_FACTOR * (graph_bytes + sum(len(files[name]) for name in used)) + SPARE_WEIGHT_BYTES
    if weight_bytes > most:
        raise GraphRejected(Rule.WEIGHTS, f"expected at most {most} bytes in the memory of all tensors, got more")
    return frozenset(used)


def _check_inside(tensor: Message) -> int:
    if is_external(tensor):
        raise GraphRejected(Rule.EXTERNAL, "expected it for initializers of the model's graph, got it elsewhere")
    return check_data(tensor)
