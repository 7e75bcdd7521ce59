"""The rules of the scan, and the error that names the one that was broken."""

from enum import StrEnum

from enclave.engine.errors import ModelRejected


class Rule(StrEnum):
    """What an ONNX file has to keep to; the value is the name in an error."""

    WIRE = "wire format"
    FIELD = "fields"
    COUNT = "counts"
    NESTING = "nesting"
    VERSION = "versions"
    METADATA = "metadata"
    DOMAIN = "operator domains"
    FUNCTION = "functions"
    TRAINING = "training"
    DEVICE = "devices"
    SPARSE = "sparse tensors"
    TENSOR = "tensors"
    WEIGHTS = "weights"
    EXTERNAL = "external data"
    EXPANSION = "expansion"


class GraphRejected(ModelRejected):
    """An ONNX file breaks `rule`; the text holds numbers and our own words, nothing of the file."""

    def __init__(self, rule: Rule, text: str) -> None:
        super().__init__(f"graph: {rule}: {text}")
        self.rule = rule
