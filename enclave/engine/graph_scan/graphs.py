"""All graphs of a model, and what stands in them."""

from collections.abc import Iterator
from typing import NamedTuple

from enclave.engine.graph_scan.header import DOMAINS
from enclave.engine.graph_scan.message import Message
from enclave.engine.graph_scan.rules import GraphRejected, Rule

_VALUES = {"f", "i", "s", "t", "g", "floats", "ints", "strings", "tensors", "graphs", "tp", "type_protos"}


class Placed(NamedTuple):
    """A graph, and the index of the one around it: None for the model's own."""

    graph: Message
    outer: int | None


def all_graphs(model: Message) -> list[Placed]:
    """The model's graph and those in attributes of nodes, each after the one around it; raise GraphRejected."""
    found = [Placed(graph, None) for graph in model.children("graph")]
    if not found:
        raise GraphRejected(Rule.FIELD, "expected a graph in the model, got none")
    for index, placed in enumerate(found):  # which grows: a walk in breadth
        for attribute in attributes(placed.graph):
            inner = attribute.children("g") + attribute.children("graphs")
            found.extend(Placed(graph, index) for graph in inner)
    return found


def attributes(graph: Message) -> Iterator[Message]:
    """Every attribute of every node of this graph."""
    for node in graph.children("node"):
        yield from node.children("attribute")


def check_nodes(graph: Message) -> None:
    """Raise GraphRejected for an operator outside onnxruntime's own domains, or an attribute of several values.

    The first would be a custom one; of the values onnxruntime takes the one that the attribute's type names.
    """
    for node in graph.children("node"):
        if node.text("domain") not in DOMAINS:
            names = ", ".join(repr(domain.decode()) for domain in DOMAINS)
            raise GraphRejected(Rule.DOMAIN, f"expected one of {names}, got another")
    if any(len(attribute.counts.keys() & _VALUES) > 1 for attribute in attributes(graph)):
        raise GraphRejected(Rule.FIELD, "expected one value in an attribute, got several")
