"""The list of models that the gateway serves: untrusted, good for choosing and for nothing else.

A model's id is bound by the seal, and what that id means by the catalogue in PCR16.
"""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, MsgspecError, Struct, json

from strongroom.client.errors import GatewayProblem, InvalidArgument
from strongroom.protocol.catalogue import Task
from strongroom.protocol.names import Identifier, SHA384Hex

MAX_MODELS_BYTES = 64 << 10
MEDIA_MODELS = "application/json"


class ModelInfo(Struct, frozen=True, forbid_unknown_fields=True):
    """One model as listed: id, version, task, SHA-384 of its manifest in hex, and whether it is loaded.

    One that is not is loaded when somebody asks for it, who is told that the enclave is busy until then.
    """

    id: Identifier
    version: Identifier
    task: Task
    manifest_sha384: SHA384Hex
    loaded: bool = True


class _Listing(Struct, forbid_unknown_fields=True):
    models: Annotated[list[ModelInfo], Meta(max_length=64)]


def parse_models(body: bytes) -> tuple[ModelInfo, ...]:
    """Parse the answer of /v1/models. Raises GatewayProblem."""
    try:
        return tuple(json.decode(body, type=_Listing).models)
    except (MsgspecError, UnicodeDecodeError, RecursionError):
        raise GatewayProblem(200) from None


def choose_model(models: Sequence[ModelInfo], task: Task) -> str:
    """The id of the only model of that task. Raises InvalidArgument, listing the candidates, for none or several."""
    candidates = [model.id for model in models if model.task == task]
    if len(candidates) != 1:
        listed = ", ".join(sorted(candidates)) or "none"
        raise InvalidArgument(f"model: expected the only model for {task}, got {listed}: name one with model=")
    return candidates[0]
