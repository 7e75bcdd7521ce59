"""The tensors of a request: numbers in JSON, or bytes behind it (the binary data extension)."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta, Struct

from strongroom.surfaces.http import HTTPRequest
from strongroom.surfaces.oip.numbers import DTYPES, pack
from strongroom.surfaces.refusals import Refused, invalid
from strongroom.surfaces.tasks import json_object

JSON_BYTES: Final = "inference-header-content-length"
"""The header that says where the JSON ends; without it, JSON is all."""

T = TypeVar("T", bound=Struct)


class _Input(Struct, forbid_unknown_fields=True):
    name: str
    shape: list[int]
    datatype: str
    data: object = None
    parameters: dict[str, object] = {}


class Output(Struct, forbid_unknown_fields=True):
    """An output that is asked for."""

    name: str
    parameters: dict[str, object] = {}


class Inference(Struct, forbid_unknown_fields=True):
    """A request, read; `inputs` are its tensors as a task has them."""

    inputs: Annotated[list[dict[str, object]], Meta(min_length=1)]
    outputs: list[Output] = []
    id: str | None = None
    parameters: dict[str, object] = {}


def read_inference(request: HTTPRequest) -> tuple[Inference, dict[str, object]]:
    """The request, and its tensors by name. Raises Refused."""
    end = _json_bytes(request)
    rest = memoryview(request.body)[end:]
    asked = _read(json_object(request.body[:end]), Inference, "request")
    tensors: dict[str, object] = {}
    for fields in asked.inputs:
        given = _read(fields, _Input, "inputs")
        size = _binary_size(given)
        if given.name in tensors or size > len(rest):
            raise invalid("inputs: expected each name once, and as many bytes as announced, got others", "inputs")
        tensors[given.name] = _tensor(given, rest[:size])
        rest = rest[size:]
    if rest:
        raise invalid("inputs: expected as many bytes as announced, got more", "inputs")
    return asked, tensors


def parameter(parameters: Mapping[str, object], name: str) -> bool:
    """The only parameter that may be there: true or false. Raises Refused for another."""
    value = parameters.get(name, False)
    if not isinstance(value, bool) or parameters.keys() - {name}:
        raise invalid(f"parameters: expected {name} as true or false and no other, got others", "parameters")
    return value


def _json_bytes(request: HTTPRequest) -> int:
    given = request.headers.get(JSON_BYTES)
    if given is None:
        return len(request.body)
    if not (given.isascii() and given.isdigit() and len(given) < 10 and int(given) <= len(request.body)):
        raise invalid(f"{JSON_BYTES}: expected a number of bytes within the body, got another")
    return int(given)


def _tensor(given: _Input, binary: memoryview) -> Mapping[str, object]:
    dtype = DTYPES.get(given.datatype)
    if dtype is None:
        raise invalid(f"inputs: expected a datatype among {', '.join(DTYPES)}, got another", "inputs")
    data = pack(dtype, given.data, given.shape) if given.data is not None else bytes(binary)
    return {"dtype": dtype, "shape": given.shape, "data": data}


def _binary_size(given: _Input) -> int:
    """How many bytes behind the JSON are this input's."""
    size = given.parameters.get("binary_data_size", 0)
    if given.parameters.keys() - {"binary_data_size"} or type(size) is not int or size < 0:
        raise invalid("inputs: expected binary_data_size as a parameter and no other, got others", "inputs")
    if (given.data is None) != ("binary_data_size" in given.parameters):
        raise invalid("inputs: expected either data or binary_data_size, got both or neither", "inputs")
    return size


def _read(fields: Mapping[str, object], kind: type[T], where: str) -> T:
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError:
        raise _malformed(kind, where) from None


def _malformed(kind: type[Struct], where: str) -> Refused:
    known: Sequence[str] = kind.__struct_fields__
    return invalid(f"{where}: expected the fields {', '.join(known)} of the protocol's types, got others", where)
