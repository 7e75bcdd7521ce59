"""A stock client of the Open Inference Protocol, in a process of its own, for gevent stays out of this one."""

import asyncio
import json
import subprocess
import sys

from strongroom.protocol.payloads import DescribeTask, InferTask
from tests.client.endpoint.conftest import NewSession
from tests.client.endpoint.serving import KEY, serving
from tests.client.fake_gateway import FakeGateway

PROGRAM = """
import json, sys
import numpy as np
from tritonclient.http import InferenceServerClient, InferenceServerException, InferInput, InferRequestedOutput
from tritonclient.utils import triton_to_np_dtype

address, key = sys.argv[1:]
headers = {"Authorization": f"Bearer {key}"}
client = InferenceServerClient(address)

def fed(binary):
    array = np.arange(8, dtype=np.float32).reshape(2, 4)
    given = InferInput("x", [2, 4], "FP32")
    given.set_data_from_numpy(array, binary_data=binary)
    flags = InferInput("flags", [2], "BOOL")
    flags.set_data_from_numpy(np.array([True, False]), binary_data=not binary)
    wanted = [InferRequestedOutput("x", binary_data=binary), InferRequestedOutput("flags", binary_data=not binary)]
    for outputs in (wanted, None):
        answer = client.infer("tiny-infer", [given, flags], outputs=outputs, request_id="mine", headers=headers)
        assert np.array_equal(answer.as_numpy("x"), array)
        assert answer.as_numpy("flags").tolist() == [True, False]
        assert answer.get_response()["id"] == "mine"

def described():
    model = client.get_model_metadata("tiny-infer", headers=headers)
    for port in model["inputs"]:
        shape = [2 if size == -1 else size for size in port["shape"]]
        given = InferInput(port["name"], shape, port["datatype"])
        given.set_data_from_numpy(np.zeros(shape, triton_to_np_dtype(port["datatype"])))
    return model

def refused():
    empty = InferInput("x", [0], "FP32").set_data_from_numpy(np.zeros(0, np.float32))
    try:
        client.infer("Tiny!", [empty], headers=headers)
    except InferenceServerException as error:
        return error.status(), error.message()

fed(True)
fed(False)
print(json.dumps({
    "live": client.is_server_live(headers=headers),
    "ready": client.is_server_ready(headers=headers),
    "model_ready": client.is_model_ready("tiny-infer", headers=headers),
    "no_model": client.is_model_ready("other", headers=headers),
    "without_key": client.is_server_live(),
    "server": client.get_server_metadata(headers=headers)["extensions"],
    "model": described(),
    "refused": refused(),
}))
"""


async def test_the_stock_client(new_session: NewSession, gateway: FakeGateway) -> None:
    async with serving(new_session()) as listener:
        command = [sys.executable, "-c", PROGRAM, listener.url.removeprefix("http://"), KEY]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "live": True,
        "ready": True,
        "model_ready": True,
        "no_model": False,
        "without_key": False,
        "server": ["binary_tensor_data"],
        "model": {
            "name": "tiny-infer",
            "versions": ["1.2"],
            "platform": "onnxruntime_onnx",
            "inputs": [
                {"name": "x", "datatype": "FP32", "shape": [-1, 4]},
                {"name": "flags", "datatype": "BOOL", "shape": [-1]},
            ],
            "outputs": [{"name": "y", "datatype": "FP64", "shape": []}],
        },
        "refused": ["404", "unknown-model: expected a listed model, got another"],
    }
    *tasks, last = [request.task for _, request in gateway.enclave.opened]
    assert last == DescribeTask()
    assert [isinstance(task, InferTask) for task in tasks] == [True] * 4
    assert len({json.dumps(str(task)) for task in tasks}) == 1
