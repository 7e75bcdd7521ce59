"""/v2/models/{model}/infer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from strongroom.protocol.errors import Malformed
from strongroom.protocol.payloads import Event, InferTask, Outputs
from strongroom.protocol.tensors import Tensor
from strongroom.surfaces.calls import Call, Stamp, WholeCall
from strongroom.surfaces.http import HTTPRequest, Reply, json_reply
from strongroom.surfaces.oip.inputs import JSON_BYTES, Output, parameter, read_inference
from strongroom.surfaces.oip.numbers import DATATYPES, unpack
from strongroom.surfaces.refusals import invalid, out_of_place
from strongroom.surfaces.tasks import checked, model_id


def translate(model: str, request: HTTPRequest, stamp: Stamp) -> Call:
    """The inference that a request asks for. Raises Refused."""
    asked, tensors = read_inference(request)
    task = checked(InferTask, "infer", {"tensors": tensors}, names={"tensors": "inputs"})
    try:
        for tensor in task.tensors.values():
            tensor.check()
    except Malformed:
        raise invalid("inputs: expected as much data as datatype and shape say, got another length", "inputs") from None
    all_binary = parameter(asked.parameters, "binary_data_output")
    wanted = {output.name: _is_binary(output, all_binary) for output in asked.outputs} or None
    call_id = f"infer-{stamp.id}"
    return WholeCall(call_id, model_id(model), task, Writer(model, asked.id or call_id, wanted, all_binary))


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes the outputs: those `wanted` by name (and whether as bytes), or all of them."""

    model: str
    request_id: str = field(repr=False)
    wanted: Mapping[str, bool] | None
    all_binary: bool

    def __call__(self, events: Sequence[Event]) -> Reply:
        """JSON, with bytes behind it where bytes are wanted. Raises Refused."""
        if len(events) != 1 or not isinstance(outputs := events[0], Outputs):
            raise out_of_place()
        told: list[dict[str, object]] = []
        binary: list[bytes] = []
        for name, is_binary in (self.wanted or dict.fromkeys(outputs.tensors, self.all_binary)).items():
            tensor = _find(outputs, name)
            head: dict[str, object] = {"name": name, "datatype": DATATYPES[tensor.dtype], "shape": tensor.shape}
            if is_binary:
                told.append(head | {"parameters": {"binary_data_size": len(tensor.data)}})
                binary.append(tensor.data)
            else:
                told.append(head | {"data": unpack(tensor)})
        body = {"model_name": self.model, "id": self.request_id, "outputs": told}
        return _with_bytes(body, binary) if binary else json_reply(body)


def _with_bytes(body: Mapping[str, object], binary: Sequence[bytes]) -> Reply:
    head = msgspec.json.encode(body)
    headers = {"content-type": "application/octet-stream", JSON_BYTES: str(len(head))}
    return Reply(200, headers, head + b"".join(binary))


def _is_binary(output: Output, otherwise: bool) -> bool:
    return parameter(output.parameters, "binary_data") if output.parameters else otherwise


def _find(outputs: Outputs, name: str) -> Tensor:
    tensor = outputs.tensors.get(name)
    if tensor is None:
        raise invalid("outputs: expected names among the model's own, got another", "outputs")
    try:
        tensor.check()
    except Malformed:
        raise out_of_place() from None
    return tensor
