"""/v2, /v2/health/… and /v2/models/{model}: what is here.

Which models there are is the gateway's word; what one of them is, the enclave's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

from strongroom.protocol.payloads import DescribeTask, Description, Event
from strongroom.protocol.tensors import Port
from strongroom.surfaces.calls import Call, Stamp, WholeCall
from strongroom.surfaces.http import HTTPRequest, Reply, json_reply
from strongroom.surfaces.listing import Listed, find
from strongroom.surfaces.oip.numbers import DATATYPES
from strongroom.surfaces.refusals import out_of_place
from strongroom.surfaces.tasks import model_id

_OPEN: Final = -1
"""A size that may be any."""


def server() -> Reply:
    """What serves."""
    return json_reply({"name": "strongroom", "version": version("strongroom"), "extensions": ["binary_tensor_data"]})


def live() -> Reply:
    """The process runs."""
    return json_reply({"live": True})


def ready() -> Reply:
    """The enclave has attested."""
    return json_reply({"ready": True})


def translate(model: str, request: HTTPRequest, stamp: Stamp) -> Call:
    """The question what that model is. Raises Refused."""
    return WholeCall(f"model-{stamp.id}", model_id(model), DescribeTask(), Writer(model))


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes what the model is; one whose tasks bring texts has neither inputs nor outputs."""

    model: str

    def __call__(self, events: Sequence[Event]) -> Reply:
        """The metadata. Raises Refused for other events."""
        if len(events) != 1 or not isinstance(described := events[0], Description):
            raise out_of_place()
        return json_reply(
            {
                "name": self.model,
                "versions": [described.version],
                "platform": "onnxruntime_onnx",
                "inputs": list(map(_told, described.inputs)),
                "outputs": list(map(_told, described.outputs)),
            }
        )


def model_ready(models: Sequence[Listed], model: str) -> Reply:
    """A model that is listed is loaded when it is asked for. Raises Refused for any other."""
    return json_reply({"name": find(models, model).id, "ready": True})


def _told(port: Port) -> dict[str, object]:
    shape = [size if isinstance(size, int) else _OPEN for size in port.shape]
    return {"name": port.name, "datatype": DATATYPES[port.dtype], "shape": shape}
