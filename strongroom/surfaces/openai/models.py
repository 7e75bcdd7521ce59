"""/v1/models: the gateway's list, which is untrusted: good for choosing and for nothing else."""

from collections.abc import Sequence

from strongroom.surfaces.http import Reply, json_reply
from strongroom.surfaces.listing import Listed, find


def listing(models: Sequence[Listed]) -> Reply:
    """All models."""
    return json_reply({"object": "list", "data": [_model(each.id) for each in models]})


def one(models: Sequence[Listed], model: str) -> Reply:
    """One model. Raises Refused when it is not listed."""
    return json_reply(_model(find(models, model).id))


def _model(model: str) -> dict[str, object]:
    """Nobody says when it was made."""
    return {"id": model, "object": "model", "created": 0, "owned_by": "strongroom"}
