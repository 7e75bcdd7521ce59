"""The models that a gateway lists, as far as the surfaces tell them on."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from strongroom.surfaces.tasks import unknown_model


class Listed(Protocol):
    """One model, on the gateway's word."""

    @property
    def id(self) -> str:
        """Its id."""


L = TypeVar("L", bound=Listed)


def find(models: Sequence[L], model: str) -> L:
    """The model of that id. Raises Refused."""
    for listed in models:
        if listed.id == model:
            return listed
    raise unknown_model()
