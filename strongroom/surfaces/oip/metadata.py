"""/v2, /v2/health/… and /v2/models/{model}: what is here, as far as this side knows it.

A model's inputs and outputs are in its graph, which stays in the enclave: their lists are empty.
"""

from collections.abc import Sequence
from importlib.metadata import version

from strongroom.surfaces.http import Reply, json_reply
from strongroom.surfaces.listing import Listed, find


def server() -> Reply:
    """What serves."""
    return json_reply({"name": "strongroom", "version": version("strongroom"), "extensions": ["binary_tensor_data"]})


def live() -> Reply:
    """The process runs."""
    return json_reply({"live": True})


def ready() -> Reply:
    """The enclave has attested."""
    return json_reply({"ready": True})


def model(models: Sequence[Listed], model: str) -> Reply:
    """One model, on the gateway's word. Raises Refused when it is not listed."""
    listed = find(models, model)
    return json_reply(
        {"name": listed.id, "versions": [listed.version], "platform": "onnxruntime_onnx", "inputs": [], "outputs": []}
    )


def model_ready(models: Sequence[Listed], model: str) -> Reply:
    """A model that is listed is loaded when it is asked for. Raises Refused for any other."""
    return json_reply({"name": find(models, model).id, "ready": True})
