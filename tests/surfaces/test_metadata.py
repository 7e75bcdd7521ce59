"""/v2/models/{model}: what the enclave says of the model, as the Open Inference Protocol words it."""

from collections.abc import Sequence
from typing import get_args

import pytest

from strongroom.protocol.payloads import DescribeTask, Description, Event, GenerationEnd
from strongroom.protocol.tensors import DType, Port
from strongroom.surfaces.calls import WholeCall
from strongroom.surfaces.http import HTTPRequest
from strongroom.surfaces.refusals import Refused
from strongroom.surfaces.routes import Asking, route
from tests.surfaces.translating import STAMP, told

DESCRIPTION = Description("2", "infer", [Port("x", "float32", ["n", None, 4])], [Port("y", "int64", [])])


def asked(model: str) -> WholeCall:
    request = HTTPRequest("GET", f"/v2/models/{model}")
    meant = route(request)
    assert isinstance(meant, Asking)
    call = meant.translate(request, STAMP)
    assert isinstance(call, WholeCall)
    return call


def test_the_enclave_is_asked_what_the_model_is() -> None:
    call = asked("m")
    assert (call.model, call.task, call.id) == ("m", DescribeTask(), f"model-{STAMP.id}")


def test_its_inputs_and_outputs() -> None:
    assert told(asked("m").write([DESCRIPTION])) == {
        "name": "m",
        "versions": ["2"],
        "platform": "onnxruntime_onnx",
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, -1, 4]}],
        "outputs": [{"name": "y", "datatype": "INT64", "shape": []}],
    }


def test_a_model_of_another_task_has_none() -> None:
    metadata = told(asked("m").write([Description("1", "chat", [], [])]))
    assert (metadata["inputs"], metadata["outputs"]) == ([], [])


@pytest.mark.parametrize("dtype", get_args(DType))
def test_every_dtype_has_a_name(dtype: DType) -> None:
    [port] = told(asked("m").write([Description("1", "infer", [Port("x", dtype, [])], [])]))["inputs"]
    assert port["datatype"]


@pytest.mark.parametrize(
    "events", [[], [GenerationEnd("stop", 1, 1)], [DESCRIPTION, DESCRIPTION]], ids=["none", "another", "two"]
)
def test_what_is_no_description_is_refused(events: Sequence[Event]) -> None:
    with pytest.raises(Refused) as caught:
        asked("m").write(events)
    assert caught.value.status == 403


def test_what_is_no_id_is_no_models() -> None:
    with pytest.raises(Refused) as caught:
        asked("No%20model")
    assert caught.value.status == 404
