"""What /v1/models says of several enclaves: the models that each of them serves.

A client does not choose its enclave: the keys that it is given do. So a model that only some serve is not promised.
"""

import asyncio
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from parent.answer import EnclaveProblem
from parent.enclave import Enclave
from parent.errors import EnclaveBroken, EnclaveError
from strongroom.protocol.constants import PATH_MODELS

MEDIA_JSON = "application/json"
_MAX_BYTES = 64 << 10


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry, of the enclave's catalogue."""

    id: str
    version: str
    task: str
    manifest_sha384: str
    loaded: bool = True
    """Else it is loaded when somebody asks for it."""


class Models(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The answer to GET /v1/models."""

    models: list[Model]


async def common_models(enclaves: Sequence[Enclave]) -> bytes:
    """The models that every one of `enclaves` that answers serves, as the first of them describes each; loaded if all
    of them have it so.

    Raises EnclaveError or EnclaveProblem when none answers.
    """
    outcomes = await asyncio.gather(*map(_models_of, enclaves))
    answered = [outcome for outcome in outcomes if isinstance(outcome, Models)]
    failures = [outcome for outcome in outcomes if not isinstance(outcome, Models)]
    if not answered:
        raise failures[0]
    common = set.intersection(*({model.id for model in each.models} for each in answered))
    loaded = set.intersection(*({model.id for model in each.models if model.loaded} for each in answered))
    models = [replace(model, loaded=model.id in loaded) for model in answered[0].models if model.id in common]
    return msgspec.json.encode(Models(models))


async def _models_of(enclave: Enclave) -> Models | EnclaveError | EnclaveProblem:
    try:
        data = await enclave.questions.fetch(PATH_MODELS, media_type=MEDIA_JSON, max_bytes=_MAX_BYTES)
        return msgspec.json.decode(data, type=Models)
    except (EnclaveError, EnclaveProblem) as failure:
        return failure
    except (msgspec.DecodeError, UnicodeDecodeError):
        return EnclaveBroken("expected a list of models, got something else")
