"""What a model says of itself: versions, operator sets, metadata."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from enclave.engine.graph_scan.message import Message
from enclave.engine.graph_scan.rules import GraphRejected, Rule

IR_VERSIONS: Final = range(3, 14)
"""IR versions that onnxruntime 1.31 takes; before 3 there were no operator sets."""

DOMAINS: Final[Mapping[bytes, range]] = MappingProxyType(
    {b"": range(7, 27), b"ai.onnx": range(7, 27), b"ai.onnx.ml": range(1, 6), b"com.microsoft": range(1, 2)}
)
"""The domains whose operators we run, each with the versions of its operator set that onnxruntime 1.31 takes.

It takes `ai.onnx` before 7 too, but has no implementation of many of its operators.
"""

_CONFIGURATION = (b"ort_config", b"session.", b"ep.", b"optimization.")


def check_header(model: Message) -> None:
    """Raise GraphRejected unless onnxruntime knows the versions, and the metadata leave its configuration alone."""
    if model.number("ir_version") not in IR_VERSIONS:
        raise GraphRejected(Rule.VERSION, f"expected an IR version from 3 to 13, got {model.number('ir_version')}")
    _check_operator_sets(model.children("opset_import"))
    for entry in model.children("metadata_props"):
        if entry.text("key").startswith(_CONFIGURATION):
            raise GraphRejected(Rule.METADATA, "expected none that configure onnxruntime, got some")


def _check_operator_sets(imports: list[Message]) -> None:
    """A domain that no node uses may be imported, and many writers do so: onnxruntime's own optimizer does."""
    seen = set()
    for operators in imports:
        domain = operators.text("domain") or b"ai.onnx"
        if domain in seen:
            raise GraphRejected(Rule.VERSION, "expected each operator set once, got one again")
        seen.add(domain)
        taken = DOMAINS.get(domain)
        if taken is not None and operators.number("version") not in taken:
            raise GraphRejected(
                Rule.VERSION,
                f"{domain.decode()}: expected {taken[0]} to {taken[-1]}, got {operators.number('version')}",
            )
