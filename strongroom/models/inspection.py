"""What a model package holds, and what the enclave will say of it; its graph is not loaded."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from enclave.engine.errors import ModelRejected
from enclave.engine.graph_scan.graphs import all_graphs
from enclave.engine.graph_scan.message import Message
from enclave.engine.graph_scan.reader import read_model
from enclave.engine.graph_scan.rules import GraphRejected
from enclave.engine.graph_scan.scan import scan
from enclave.engine.probe.probe import Limits, probe
from strongroom.models import signature
from strongroom.models.signature import GraphPort
from strongroom.protocol.catalogue import ModelManifest

PROBE_THREADS = 2


@dataclass(frozen=True)
class GraphReport:
    """A graph as the enclave's scan sees it; everything but `rule` and `refusal` is empty where it was refused."""

    rule: str | None = None
    """The rule that it breaks."""
    refusal: str | None = None
    operators: Mapping[str, int] = field(default_factory=dict)
    """How many nodes have each operator, those of all subgraphs together; the most frequent first."""
    operator_sets: Mapping[str, int] = field(default_factory=dict)
    """Domain → version."""
    inputs: list[GraphPort] = field(default_factory=list)
    outputs: list[GraphPort] = field(default_factory=list)
    external: list[str] = field(default_factory=list)
    """The files of the package in which weights of the graph lie."""


def inspect_graph(manifest: ModelManifest, files: Mapping[str, bytes]) -> GraphReport:
    """Scan the graph among the files of a package, which the caller checked against the manifest."""
    graph = files[manifest.graph]
    try:
        external = scan(graph, _others(manifest, files))
    except GraphRejected as error:
        return GraphReport(rule=str(error.rule), refusal=str(error))
    model = read_model(graph)
    nodes = [node for placed in all_graphs(model) for node in placed.graph.children("node")]
    return GraphReport(
        operators=dict(Counter(map(_operator, nodes)).most_common()),
        operator_sets={_domain(each): each.number("version") for each in model.children("opset_import")},
        inputs=signature.inputs(graph),
        outputs=signature.outputs(graph),
        external=sorted(external),
    )


def try_graph(manifest: ModelManifest, files: Mapping[str, bytes]) -> tuple[bool, str]:
    """Whether a child under limits survives the graph of an accepted scan, and how: `ran`, `loaded`, or what happened.

    The model is run once, on zeros. Needs onnxruntime.
    """
    graph = files[manifest.graph]
    others = _others(manifest, files)
    external = {name: others[name] for name in scan(graph, others)}
    limits = Limits.of(len(graph) + sum(map(len, external.values())))
    try:
        return True, probe(graph, external, PROBE_THREADS, limits).name.lower()
    except ModelRejected as error:
        return False, str(error)


def _others(manifest: ModelManifest, files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if name != manifest.graph}


def _domain(message: Message) -> str:
    return message.text("domain").decode(errors="backslashreplace") or "ai.onnx"


def _operator(node: Message) -> str:
    name = node.text("op_type").decode(errors="backslashreplace")
    return name if _domain(node) == "ai.onnx" else f"{_domain(node)}.{name}"
