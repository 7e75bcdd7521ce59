"""The messages of onnx.proto (onnx 1.23, up to IR version 13): their fields, and what the scan does with each.

A field that is not here is refused, as are those that mean something we do not run.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final, NamedTuple

from enclave.engine.graph_scan.rules import Rule
from enclave.engine.graph_scan.wire import FIXED32, FIXED64, LENGTH, VARINT


class Kind(Enum):
    """What stands in a field that holds no message."""

    INTEGER = "integer"
    FLOAT = "float"
    DOUBLE = "double"
    TEXT = "text"
    """A name, copied."""
    BYTES = "bytes"
    """Weights and long texts, kept as a view."""


WIRES: Final[Mapping[Kind, int]] = MappingProxyType(
    {Kind.INTEGER: VARINT, Kind.FLOAT: FIXED32, Kind.DOUBLE: FIXED64, Kind.TEXT: LENGTH, Kind.BYTES: LENGTH}
)


class Field(NamedTuple):
    """A field of a message: of a scalar `kind`, or of a message (`child`), or refused by a rule.

    What is not `kept` is walked through and, if it is a scalar, counted.
    """

    name: str
    kind: Kind = Kind.BYTES
    child: str | None = None
    many: bool = False
    kept: bool = True
    refused: Rule | None = None


def _one(name: str, kind: Kind) -> Field:
    return Field(name, kind)


def _many(name: str, kind: Kind) -> Field:
    return Field(name, kind, many=True)


def _skipped(name: str, kind: Kind = Kind.BYTES, *, many: bool = False) -> Field:
    return Field(name, kind, many=many, kept=False)


def _child(name: str, child: str, *, many: bool = False) -> Field:
    return Field(name, child=child, many=many)


def _walked(name: str, child: str, *, many: bool = False) -> Field:
    return Field(name, child=child, many=many, kept=False)


def _refused(name: str, rule: Rule) -> Field:
    return Field(name, refused=rule)


_METADATA = _walked("metadata_props", "entry", many=True)
_DOC = _skipped("doc_string")

_MESSAGES: dict[str, dict[int, Field]] = {
    "model": {
        1: _one("ir_version", Kind.INTEGER),
        2: _skipped("producer_name"),
        3: _skipped("producer_version"),
        4: _skipped("domain"),
        5: _skipped("model_version", Kind.INTEGER),
        6: _DOC,
        7: _child("graph", "graph"),
        8: _child("opset_import", "opset", many=True),
        14: _child("metadata_props", "entry", many=True),
        20: _refused("training_info", Rule.TRAINING),
        25: _refused("functions", Rule.FUNCTION),
        26: _refused("configuration", Rule.DEVICE),
    },
    "opset": {1: _one("domain", Kind.TEXT), 2: _one("version", Kind.INTEGER)},
    "entry": {1: _one("key", Kind.TEXT), 2: _one("value", Kind.BYTES)},
    "graph": {
        1: _child("node", "node", many=True),
        2: _skipped("name"),
        5: _child("initializer", "tensor", many=True),
        10: _DOC,
        11: _walked("input", "value", many=True),
        12: _walked("output", "value", many=True),
        13: _walked("value_info", "value", many=True),
        14: _walked("quantization_annotation", "annotation", many=True),
        15: _refused("sparse_initializer", Rule.SPARSE),
        16: _METADATA,
    },
    "node": {
        1: _many("input", Kind.TEXT),
        2: _many("output", Kind.TEXT),
        3: _skipped("name"),
        4: _one("op_type", Kind.TEXT),
        5: _child("attribute", "attribute", many=True),
        6: _DOC,
        7: _one("domain", Kind.TEXT),
        8: _refused("overload", Rule.FUNCTION),
        9: _METADATA,
        10: _refused("device_configurations", Rule.DEVICE),
    },
    "attribute": {
        1: _one("name", Kind.TEXT),
        2: _one("f", Kind.FLOAT),
        3: _one("i", Kind.INTEGER),
        4: _skipped("s"),
        5: _child("t", "tensor"),
        6: _child("g", "graph"),
        7: _many("floats", Kind.FLOAT),
        8: _many("ints", Kind.INTEGER),
        9: _skipped("strings", many=True),
        10: _child("tensors", "tensor", many=True),
        11: _child("graphs", "graph", many=True),
        13: _DOC,
        14: _walked("tp", "type"),
        15: _walked("type_protos", "type", many=True),
        20: _skipped("type", Kind.INTEGER),
        21: _refused("ref_attr_name", Rule.FUNCTION),
        22: _refused("sparse_tensor", Rule.SPARSE),
        23: _refused("sparse_tensors", Rule.SPARSE),
    },
    "tensor": {
        1: _many("dims", Kind.INTEGER),
        2: _one("data_type", Kind.INTEGER),
        3: _refused("segment", Rule.TENSOR),
        4: _many("float_data", Kind.FLOAT),
        5: _many("int32_data", Kind.INTEGER),
        6: _skipped("string_data", many=True),
        7: _many("int64_data", Kind.INTEGER),
        8: _one("name", Kind.TEXT),
        9: _one("raw_data", Kind.BYTES),
        10: _many("double_data", Kind.DOUBLE),
        11: _many("uint64_data", Kind.INTEGER),
        12: _DOC,
        13: _child("external_data", "entry", many=True),
        14: _one("data_location", Kind.INTEGER),
        16: _METADATA,
    },
    "value": {1: _skipped("name"), 2: _walked("type", "type"), 3: _DOC, 4: _METADATA},
    "type": {
        1: _walked("tensor_type", "tensor type"),
        4: _walked("sequence_type", "sequence type"),
        5: _walked("map_type", "map type"),
        6: _skipped("denotation"),
        7: _refused("opaque_type", Rule.DOMAIN),
        8: _refused("sparse_tensor_type", Rule.SPARSE),
        9: _walked("optional_type", "sequence type"),
    },
    "tensor type": {1: _skipped("elem_type", Kind.INTEGER), 2: _walked("shape", "shape")},
    "shape": {1: _walked("dim", "dimension", many=True)},
    "dimension": {
        1: _skipped("dim_value", Kind.INTEGER),
        2: _skipped("dim_param"),
        3: _skipped("denotation"),
    },
    "sequence type": {1: _walked("elem_type", "type")},
    "map type": {1: _skipped("key_type", Kind.INTEGER), 2: _walked("value_type", "type")},
    "annotation": {
        1: _skipped("tensor_name"),
        2: _walked("quant_parameter_tensor_names", "entry", many=True),
    },
}

MESSAGES: Final[Mapping[str, Mapping[int, Field]]] = MappingProxyType(_MESSAGES)
"""Message → number of a field → field."""
